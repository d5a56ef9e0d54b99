"""Arithmetic on two tensors, or a tensor and a number.

Shapes broadcast as in NumPy. Types promote by `qrs.autograd.arrays.promote`: a float type wins over
an integer type, and Python numbers do not widen. Shapes that do not broadcast raise ShapeError,
operands that are no numbers DtypeError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qrs.autograd.rules import arithmetic as rules
from qrs.autograd.rules import elementwise
from qrs.tensor.core import Number, Operand, apply, on_tensor

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "add",
    "addcdiv",
    "addcmul",
    "atan2",
    "div",
    "divide",
    "floor_divide",
    "fmod",
    "lerp",
    "maximum",
    "minimum",
    "mul",
    "multiply",
    "neg",
    "negative",
    "pow",
    "remainder",
    "rsub",
    "sub",
    "subtract",
    "true_divide",
]


@on_tensor
def add(input: Tensor, other: Operand, *, alpha: Number = 1) -> Tensor:
    """`input + alpha * other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.add(qrs.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    return apply(rules.ADD, input, other if alpha == 1 else _scaled(other, alpha))


@on_tensor
def sub(input: Tensor, other: Operand, *, alpha: Number = 1) -> Tensor:
    """`input - alpha * other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.sub(qrs.tensor([1.0, 2.0]), qrs.tensor([1.0]))
    tensor([0., 1.])
    """
    return apply(rules.SUB, input, other if alpha == 1 else _scaled(other, alpha))


def _scaled(other: Operand, alpha: Number) -> Operand:
    if isinstance(other, (int, float)):
        return other * alpha
    return apply(rules.MUL, other, alpha)


@on_tensor
def rsub(input: Tensor, other: Operand, *, alpha: Number = 1) -> Tensor:
    """`other - alpha * input`.

    Examples
    --------
    >>> import qrs
    >>> qrs.rsub(qrs.tensor([1.0, 2.0]), 1)
    tensor([ 0., -1.])
    """
    return apply(rules.SUB, other, _scaled(input, alpha) if alpha != 1 else input)


@on_tensor
def mul(input: Tensor, other: Operand) -> Tensor:
    """`input * other`, element by element.

    Examples
    --------
    >>> import qrs
    >>> qrs.mul(qrs.tensor([1, 2]), 0.5)
    tensor([0.5000, 1.0000])
    """
    return apply(rules.MUL, input, other)


@on_tensor
def div(input: Tensor, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """`input / other`; integers give the default float type.

    Parameters
    ----------
    input : Tensor
    other : Tensor or number
    rounding_mode : None, "trunc" or "floor"
        Round the quotient toward zero, or down.

    Raises
    ------
    ValueError
        For any other rounding mode.

    Examples
    --------
    >>> import qrs
    >>> qrs.div(qrs.tensor([7, -7]), 2)
    tensor([ 3.5000, -3.5000])
    >>> qrs.div(qrs.tensor([7, -7]), 2, rounding_mode="floor")
    tensor([ 3, -4])
    """
    if rounding_mode is None:
        return apply(rules.DIV, input, other)
    if rounding_mode == "floor":
        return apply(rules.FLOOR_DIVIDE, input, other)
    if rounding_mode == "trunc":
        whole = apply(elementwise.TRUNC, apply(rules.DIV, input, other))
        kind = apply(rules.FLOOR_DIVIDE, input, other)._array.dtype
        return whole if kind == whole._array.dtype else apply(elementwise.CAST, whole, dtype=kind)
    raise ValueError(
        f"div: rounding_mode {rounding_mode!r} came, None, 'trunc' or 'floor' was expected"
    )


@on_tensor
def floor_divide(input: Tensor, other: Operand) -> Tensor:
    """The quotient rounded down.

    Examples
    --------
    >>> import qrs
    >>> qrs.floor_divide(qrs.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """
    return apply(rules.FLOOR_DIVIDE, input, other)


@on_tensor
def remainder(input: Tensor, other: Operand) -> Tensor:
    """What is left after `floor_divide`; it has the sign of `other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.remainder(qrs.tensor([7, -7]), 4)
    tensor([3, 1])
    """
    return apply(rules.REMAINDER, input, other)


@on_tensor
def fmod(input: Tensor, other: Operand) -> Tensor:
    """What is left after a division rounded toward zero; it has the sign of `input`.

    Examples
    --------
    >>> import qrs
    >>> qrs.fmod(qrs.tensor([7, -7]), 4)
    tensor([ 3, -3])
    """
    return apply(rules.FMOD, input, other)


def pow(input: Operand, exponent: Operand) -> Tensor:
    """`input ** exponent`.

    Examples
    --------
    >>> import qrs
    >>> qrs.pow(qrs.tensor([2.0, 3.0]), 2)
    tensor([4., 9.])
    >>> qrs.pow(2, qrs.tensor([1.0, 3.0]))
    tensor([2., 8.])
    """
    # Two exponents that models use have shorter forms.
    if type(exponent) is int or type(exponent) is float:
        if exponent == 2:
            return apply(elementwise.SQUARE, input)
        if exponent == 0.5:
            return apply(elementwise.SQRT, input)
    return apply(rules.POW, input, exponent)


@on_tensor
def neg(input: Tensor) -> Tensor:
    """`-input`.

    Examples
    --------
    >>> import qrs
    >>> qrs.neg(qrs.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return apply(rules.NEG, input)


@on_tensor
def maximum(input: Tensor, other: Operand) -> Tensor:
    """The larger of each pair; NaN if either is.

    Examples
    --------
    >>> import qrs
    >>> qrs.maximum(qrs.tensor([1.0, 5.0]), qrs.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    return apply(rules.MAXIMUM, input, other)


@on_tensor
def minimum(input: Tensor, other: Operand) -> Tensor:
    """The smaller of each pair; NaN if either is.

    Examples
    --------
    >>> import qrs
    >>> qrs.minimum(qrs.tensor([1.0, 5.0]), qrs.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return apply(rules.MINIMUM, input, other)


@on_tensor
def atan2(input: Tensor, other: Operand) -> Tensor:
    """The angle of the point (other, input), in radians.

    Examples
    --------
    >>> import qrs
    >>> qrs.atan2(qrs.tensor([1.0]), qrs.tensor([1.0]))
    tensor([0.7854])
    """
    return apply(rules.ATAN2, input, other)


@on_tensor
def lerp(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """`input + weight * (end - input)`.

    Examples
    --------
    >>> import qrs
    >>> qrs.lerp(qrs.tensor([0.0]), qrs.tensor([10.0]), 0.25)
    tensor([2.5000])
    """
    return add(input, apply(rules.MUL, sub(end, input), weight))


@on_tensor
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """`input + value * tensor1 * tensor2`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([2.0])
    >>> qrs.addcmul(x, x, x, value=0.5)
    tensor([4.])
    """
    return add(input, mul(tensor1, tensor2), alpha=value)


@on_tensor
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """`input + value * tensor1 / tensor2`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([2.0])
    >>> qrs.addcdiv(x, x, x, value=0.5)
    tensor([2.5000])
    """
    return add(input, div(tensor1, tensor2), alpha=value)


subtract = sub
multiply = mul
divide = div
true_divide = div
negative = neg
