"""Functions of each element, and choices between elements.

Functions that NumPy would compute in float64 for integers give the default float type. Infinities
and NaN are results, never warnings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.rules import elementwise as rules
from qrs.autograd.rules.indexing import MASKED_FILL
from qrs.errors import DtypeError
from qrs.tensor.core import Operand, apply, array_of, on_tensor, wrap

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "abs",
    "absolute",
    "acos",
    "asin",
    "atan",
    "ceil",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "cos",
    "erf",
    "exp",
    "expm1",
    "floor",
    "frac",
    "log",
    "log1p",
    "log2",
    "log10",
    "masked_fill",
    "nan_to_num",
    "reciprocal",
    "relu",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
    "where",
]


def _unary(name: str, primitive: Any, what: str, example: str) -> Callable[[Tensor], Tensor]:
    """The function of one tensor that runs `primitive`; `example` is input and result."""

    def function(input: Tensor) -> Tensor:
        return apply(primitive, input)

    given, result = example.split(" -> ")
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{what}\n\n    Examples\n    --------\n    >>> import qrs\n"
        f"    >>> qrs.{name}(qrs.tensor({given}))\n    tensor({result})\n    "
    )
    return on_tensor(function)


abs = _unary("abs", rules.ABS, "The distance of each element from zero.", "[-1.0] -> [1.]")
acos = _unary("acos", rules.ACOS, "The inverse cosine, in radians.", "[1.0] -> [0.]")
asin = _unary("asin", rules.ASIN, "The inverse sine, in radians.", "[1.0] -> [1.5708]")
atan = _unary("atan", rules.ATAN, "The inverse tangent, in radians.", "[1.0] -> [0.7854]")
ceil = _unary("ceil", rules.CEIL, "Each element rounded up.", "[1.2] -> [2.]")
cos = _unary("cos", rules.COS, "The cosine of an angle in radians.", "[0.0] -> [1.]")
erf = _unary("erf", rules.ERF, "The error function.", "[1.0] -> [0.8427]")
exp = _unary("exp", rules.EXP, "e to the power of each element.", "[0.0, 1.0] -> [1.0000, 2.7183]")
expm1 = _unary("expm1", rules.EXPM1, "exp(x) - 1, exact for small x.", "[0.0] -> [0.]")
floor = _unary("floor", rules.FLOOR, "Each element rounded down.", "[1.8] -> [1.]")
frac = _unary("frac", rules.FRAC, "The part after the point, with its sign.", "[-1.5] -> [-0.5000]")
log = _unary("log", rules.LOG, "The natural logarithm.", "[1.0, 0.0] -> [0., -inf]")
log1p = _unary("log1p", rules.LOG1P, "log(1 + x), exact for small x.", "[0.0] -> [0.]")
log2 = _unary("log2", rules.LOG2, "The logarithm to base 2.", "[8.0] -> [3.]")
log10 = _unary("log10", rules.LOG10, "The logarithm to base 10.", "[1.0] -> [0.]")
reciprocal = _unary("reciprocal", rules.RECIPROCAL, "1 / x.", "[4.0] -> [0.2500]")
relu = _unary("relu", rules.RELU, "max(x, 0).", "[-1.0, 2.0] -> [0., 2.]")
round = _unary(
    "round", rules.ROUND, "To the nearest integer, halves to even.", "[0.5, 1.5] -> [0., 2.]"
)
rsqrt = _unary("rsqrt", rules.RSQRT, "1 / sqrt(x).", "[4.0] -> [0.5000]")
sigmoid = _unary("sigmoid", rules.SIGMOID, "1 / (1 + exp(-x)).", "[0.0] -> [0.5000]")
sign = _unary("sign", rules.SIGN, "-1, 0 or 1.", "[-3.0, 0.0] -> [-1.,  0.]")
sin = _unary("sin", rules.SIN, "The sine of an angle in radians.", "[0.0] -> [0.]")
sqrt = _unary("sqrt", rules.SQRT, "The square root; NaN below zero.", "[9.0, -1.0] -> [3., nan]")
square = _unary("square", rules.SQUARE, "x * x.", "[3.0] -> [9.]")
tan = _unary("tan", rules.TAN, "The tangent of an angle in radians.", "[0.0] -> [0.]")
tanh = _unary("tanh", rules.TANH, "The hyperbolic tangent.", "[0.0, 1.0] -> [0.0000, 0.7616]")
trunc = _unary("trunc", rules.TRUNC, "Each element rounded toward zero.", "[-1.8] -> [-1.]")
absolute = abs


@on_tensor
def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """Each element moved into the range from `min` to `max`.

    Parameters
    ----------
    input : Tensor
    min, max : number, Tensor or None
        None leaves that side open. Where `min` exceeds `max`, the result is `max`.

    Raises
    ------
    ValueError
        Both bounds are None.

    Examples
    --------
    >>> import qrs
    >>> qrs.clamp(qrs.tensor([-2.0, 0.5, 2.0]), -1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise ValueError("clamp: neither min nor max came, at least one of them was expected")
    return apply(rules.CLAMP, input, min, max)


@on_tensor
def clamp_min(input: Tensor, min: Operand) -> Tensor:
    """Each element, or `min` where that is larger.

    Examples
    --------
    >>> import qrs
    >>> qrs.clamp_min(qrs.tensor([-2.0, 2.0]), 0)
    tensor([0., 2.])
    """
    return apply(rules.CLAMP, input, min, None)


@on_tensor
def clamp_max(input: Tensor, max: Operand) -> Tensor:
    """Each element, or `max` where that is smaller.

    Examples
    --------
    >>> import qrs
    >>> qrs.clamp_max(qrs.tensor([-2.0, 2.0]), 0)
    tensor([-2.,  0.])
    """
    return apply(rules.CLAMP, input, None, max)


clip = clamp


@on_tensor
def nan_to_num(
    input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """NaN and infinities replaced; the default for infinities is the largest number of the type.

    Examples
    --------
    >>> import qrs
    >>> qrs.nan_to_num(qrs.tensor([float("nan"), float("inf")]), posinf=9.0)
    tensor([0., 9.])
    """
    array = input._array
    kept = np.isfinite(array)
    fixed = np.nan_to_num(
        np.where(kept, 0, array).astype(array.dtype), nan=nan, posinf=posinf, neginf=neginf
    )
    return apply(rules.WHERE, kept, input, fixed)


def where(condition: Tensor, input: Operand | None = None, other: Operand | None = None) -> Any:
    """Elements of `input` where `condition` holds, of `other` elsewhere.

    With a condition alone: the indices of its nonzero elements.

    Parameters
    ----------
    condition : Tensor of bool
    input, other : Tensor or number
        Broadcast against the condition.

    Returns
    -------
    Tensor, or a tuple of index Tensors, one for each dimension

    Raises
    ------
    DtypeError
        The condition is not a tensor of bool.
    ShapeError
        The shapes do not broadcast.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([1.0, -2.0])
    >>> qrs.where(x > 0, x, 0.0)
    tensor([1., 0.])
    """
    mask = array_of(condition)
    if input is None or other is None:
        return tuple(wrap(index) for index in np.nonzero(mask))
    if getattr(mask, "dtype", None) != np.bool_:
        raise DtypeError(
            f"where: a condition of type {getattr(mask, 'dtype', type(mask).__name__)} came, "
            "bool was expected; compare first, for example x != 0"
        )
    return apply(rules.WHERE, mask, input, other)


@on_tensor
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """`input` with `value` wherever the bool tensor `mask` holds.

    Raises
    ------
    DtypeError
        The mask is not bool.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([1.0, 2.0])
    >>> qrs.masked_fill(x, x > 1, 0)
    tensor([1., 0.])
    """
    return apply(MASKED_FILL, input, checked_mask("masked_fill", mask), value)


def checked_mask(where: str, mask: Any) -> Any:
    """The array of a mask, which must be bool."""
    array = array_of(mask)
    if getattr(array, "dtype", None) != np.bool_:
        raise DtypeError(
            f"{where}: a mask of type {getattr(array, 'dtype', type(array).__name__)} came, bool "
            "was expected; convert it with bool()"
        )
    return array
