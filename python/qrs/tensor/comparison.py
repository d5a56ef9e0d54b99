"""Comparisons and tests of elements; the results are tensors of bool, or one bool.

Shapes broadcast as in NumPy; a mismatch raises ShapeError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.arrays import promote
from qrs.errors import ShapeError
from qrs.tensor.core import Dim, Operand, array_of, normalized, on_tensor, wrap

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "all",
    "allclose",
    "any",
    "eq",
    "equal",
    "ge",
    "gt",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
]


def _compare(name: str, ufunc: Callable[..., Any], x: Any, y: Any) -> Tensor:
    a, b = array_of(x), array_of(y)
    try:
        if isinstance(b, np.ndarray) and a.dtype != b.dtype:
            a, b = promote(a, b)
        return wrap(ufunc(a, b))
    except ValueError as error:
        raise ShapeError(f"{name}: these shapes do not broadcast: {error}") from error


@on_tensor
def eq(input: Tensor, other: Operand) -> Tensor:
    """Where `input == other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.eq(qrs.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return _compare("eq", np.equal, input, other)


@on_tensor
def ne(input: Tensor, other: Operand) -> Tensor:
    """Where `input != other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.ne(qrs.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return _compare("ne", np.not_equal, input, other)


@on_tensor
def lt(input: Tensor, other: Operand) -> Tensor:
    """Where `input < other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.lt(qrs.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return _compare("lt", np.less, input, other)


@on_tensor
def le(input: Tensor, other: Operand) -> Tensor:
    """Where `input <= other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.le(qrs.tensor([1, 2]), 1)
    tensor([ True, False])
    """
    return _compare("le", np.less_equal, input, other)


@on_tensor
def gt(input: Tensor, other: Operand) -> Tensor:
    """Where `input > other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.gt(qrs.tensor([1, 2]), 1)
    tensor([False,  True])
    """
    return _compare("gt", np.greater, input, other)


@on_tensor
def ge(input: Tensor, other: Operand) -> Tensor:
    """Where `input >= other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.ge(qrs.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return _compare("ge", np.greater_equal, input, other)


@on_tensor
def logical_and(input: Tensor, other: Operand) -> Tensor:
    """Where both are nonzero.

    Examples
    --------
    >>> import qrs
    >>> qrs.logical_and(qrs.tensor([0, 1]), qrs.tensor([1, 1]))
    tensor([False,  True])
    """
    return _compare("logical_and", np.logical_and, input, other)


@on_tensor
def logical_or(input: Tensor, other: Operand) -> Tensor:
    """Where either is nonzero.

    Examples
    --------
    >>> import qrs
    >>> qrs.logical_or(qrs.tensor([0, 1]), qrs.tensor([0, 1]))
    tensor([False,  True])
    """
    return _compare("logical_or", np.logical_or, input, other)


@on_tensor
def logical_xor(input: Tensor, other: Operand) -> Tensor:
    """Where exactly one is nonzero.

    Examples
    --------
    >>> import qrs
    >>> qrs.logical_xor(qrs.tensor([0, 1]), qrs.tensor([1, 1]))
    tensor([ True, False])
    """
    return _compare("logical_xor", np.logical_xor, input, other)


@on_tensor
def logical_not(input: Tensor) -> Tensor:
    """Where `input` is zero.

    Examples
    --------
    >>> import qrs
    >>> qrs.logical_not(qrs.tensor([0, 1]))
    tensor([ True, False])
    """
    return wrap(np.logical_not(input._array))


@on_tensor
def isnan(input: Tensor) -> Tensor:
    """Where `input` is NaN.

    Examples
    --------
    >>> import qrs
    >>> qrs.isnan(qrs.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return wrap(np.isnan(input._array))


@on_tensor
def isinf(input: Tensor) -> Tensor:
    """Where `input` is an infinity.

    Examples
    --------
    >>> import qrs
    >>> qrs.isinf(qrs.tensor([1.0, float("inf")]))
    tensor([False,  True])
    """
    return wrap(np.isinf(input._array))


@on_tensor
def isfinite(input: Tensor) -> Tensor:
    """Where `input` is neither NaN nor an infinity.

    Examples
    --------
    >>> import qrs
    >>> qrs.isfinite(qrs.tensor([1.0, float("inf")]))
    tensor([ True, False])
    """
    return wrap(np.isfinite(input._array))


@on_tensor
def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element (along `dim`) is nonzero.

    Examples
    --------
    >>> import qrs
    >>> qrs.all(qrs.tensor([[1, 0], [1, 1]]), 1)
    tensor([False,  True])
    """
    axis = normalized("all", dim, input._array.ndim)
    return wrap(np.all(input._array, axis=axis, keepdims=keepdim))


@on_tensor
def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether some element (along `dim`) is nonzero.

    Examples
    --------
    >>> import qrs
    >>> qrs.any(qrs.tensor([[0, 0], [0, 1]]), 1)
    tensor([False,  True])
    """
    axis = normalized("any", dim, input._array.ndim)
    return wrap(np.any(input._array, axis=axis, keepdims=keepdim))


@on_tensor
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape and equal elements.

    Examples
    --------
    >>> import qrs
    >>> qrs.equal(qrs.tensor([1, 2]), qrs.tensor([1, 2]))
    True
    """
    return bool(np.array_equal(input._array, array_of(other)))


@on_tensor
def isclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:
    """Where `|input - other| <= atol + rtol * |other|`.

    Examples
    --------
    >>> import qrs
    >>> qrs.isclose(qrs.tensor([1.0, 2.0]), qrs.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    return wrap(np.isclose(input._array, array_of(other), rtol, atol, equal_nan))


@on_tensor
def allclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Whether `|input - other| <= atol + rtol * |other|` everywhere.

    Examples
    --------
    >>> import qrs
    >>> qrs.allclose(qrs.tensor([1.0]), qrs.tensor([1.0 + 1e-7]))
    True
    """
    return bool(np.allclose(input._array, array_of(other), rtol, atol, equal_nan))
