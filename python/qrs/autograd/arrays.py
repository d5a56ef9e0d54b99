"""What the rules need of arrays: telling them, type promotion, undoing a broadcast."""

from typing import Any

import numpy as np

from qrs import dtypes
from qrs.errors import type_name

__all__ = ["Array", "arrayed", "as_array", "is_array", "promote", "typed", "unbroadcast"]

Array = np.ndarray[Any, np.dtype[Any]]
"""An array of any shape and type."""


def is_array(value: Any) -> bool:
    """Whether `value` is an array, of NumPy or of a library that takes part in its protocols.

    Rules call NumPy's functions; an array of another library answers them itself, through
    `__array_ufunc__` and `__array_function__` (NEP 13, 18), and so do the functions that make
    arrays, through `like=` (NEP 35). Nothing in the rules may turn such an array into NumPy's.

    Examples
    --------
    >>> is_array(np.ones(2)), is_array(np.float32(1)), is_array(1.0)
    (True, False, False)
    """
    return isinstance(value, np.ndarray) or hasattr(type(value), "__array_function__")


def arrayed(value: Any) -> Array:
    """An array as it is, a scalar as one; NumPy's functions give scalars for no dimensions.

    Examples
    --------
    >>> arrayed(np.ones(()) + 1)
    array(2.)
    """
    array: Array = value if is_array(value) else np.asarray(value)
    return array


def typed(value: Any, like: Any) -> Any:
    """A number or an array in the type of the array `like`.

    Examples
    --------
    >>> typed(1, np.ones(2, np.float32))
    np.float32(1.0)
    """
    return value.astype(like.dtype, copy=False) if is_array(value) else like.dtype.type(value)


def as_array(data: Any) -> Array:
    """A native, aligned array of a supported type over `data`, without a copy where possible.

    Parameters
    ----------
    data : array, scalar or nested sequence
        Byte-swapped and unaligned arrays are copied into native ones.

    Raises
    ------
    DtypeError
        For an element type that no qrs type is stored as (complex, text, objects, uint16, ...).

    Examples
    --------
    >>> as_array(np.array([1, 2], dtype=">i4")).dtype.isnative
    True
    """
    array = np.asarray(data)
    if not (array.dtype.isnative and array.flags.aligned):
        array = array.astype(array.dtype.newbyteorder("="))
    dtypes.from_numpy_dtype(array.dtype)
    return array


def unbroadcast(grad: Any, like: Any) -> Any:
    """Sum `grad` over the dimensions along which `like` was broadcast to it.

    The gradient of a broadcast is the sum over the copies.

    Examples
    --------
    >>> unbroadcast(np.ones((2, 3)), np.ones((1, 3)))
    array([[2., 2., 2.]])
    """
    shape = getattr(like, "shape", ())
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        extra + i for i, size in enumerate(shape) if size == 1 and grad.shape[extra + i] != 1
    )
    return grad.sum(axis=axes).reshape(shape)


_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}


def promote(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands with one element type.

    A float type wins over an integer type, whatever their widths; inside one of these categories
    the wider type wins. Python scalars never widen: they only raise the category (an integer array
    and a Python float give the default float type). An operand without dimensions counts as a
    scalar beside one with dimensions.

    Parameters
    ----------
    x, y : array or Python scalar
        At least one array.

    Returns
    -------
    tuple of (array or Python scalar)

    Examples
    --------
    >>> x, y = promote(np.ones(2, np.float32), np.ones(2, np.int64))
    >>> y.dtype
    dtype('float32')
    """
    x, y = _operand(x), _operand(y)
    if not is_array(x):
        if not is_array(y):
            x = np.asarray(x, dtypes.get_default_dtype().numpy if isinstance(x, float) else None)
            return promote(x, y)
        return _weak(x, y), _with_scalar(y, x)
    if not is_array(y):
        return _with_scalar(x, y), _weak(y, x)
    a, b = x.dtype, y.dtype
    if a == b:
        return x, y
    rank_a, rank_b = _CATEGORY[a.kind], _CATEGORY[b.kind]
    if rank_a != rank_b:
        target = a if rank_a > rank_b else b
    elif (x.ndim == 0) != (y.ndim == 0):
        target = b if x.ndim == 0 else a
    else:
        target = np.promote_types(a, b)
    return x.astype(target, copy=False), y.astype(target, copy=False)


def _operand(value: Any) -> Any:
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return as_array(value)
    if is_array(value):
        return value
    raise TypeError(
        f"an operand of type {type_name(value)} came, a Tensor, array or number was expected; "
        "make one with qrs.tensor(), or with dequantize() of a quantized one"
    )


def _with_scalar(array: Array, scalar: Any) -> Array:
    """`array` in the category that `scalar` asks for."""
    kind = array.dtype.kind
    if isinstance(scalar, float) and kind != "f":
        return array.astype(dtypes.get_default_dtype().numpy)
    if kind == "b" and not isinstance(scalar, bool):
        return array.astype(np.int64)
    return array


def _weak(scalar: Any, array: Array) -> Any:
    """A Python scalar that cannot pull `array` up: a bool beside numbers acts as 0 or 1."""
    return int(scalar) if isinstance(scalar, bool) and array.dtype.kind != "b" else scalar
