"""New tensors from data, constants and ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qrs import dtypes
from qrs.autograd.arrays import as_array
from qrs.autograd.graph import Variable
from qrs.dtypes import dtype as Dtype
from qrs.errors import DtypeError, type_name
from qrs.tensor.core import array_of, integers, scalar_of, wrap
from qrs.tensor.size import device as Device

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "as_tensor",
    "empty",
    "empty_like",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "is_tensor",
    "ones",
    "ones_like",
    "tensor",
    "zeros",
    "zeros_like",
]


def plain_dtype(where: str, dtype: Dtype | None) -> Any:
    """The NumPy type of a plain dtype, the default float type for None."""
    if dtype is None:
        return dtypes.get_default_dtype().numpy
    if not isinstance(dtype, Dtype) or dtype.is_quantized:
        raise DtypeError(
            f"{where}: dtype {dtype!r} came, a plain qrs type such as qrs.float32 was expected"
        )
    return dtype.numpy


def made(array: Any, requires_grad: bool, device: Any = None) -> Tensor:
    """A tensor over a new array, after a look at the device."""
    if device is not None:
        Device(device)
    result = wrap(array)
    if requires_grad:
        result.requires_grad = True
    return result


def _array(where: str, data: Any, dtype: Dtype | None, copy: bool) -> Any:
    """`data` as an array of the wanted type; Python floats get the default type, ints int64."""
    if isinstance(data, (list, tuple)):
        data = _unwrapped(data)
    data = array_of(data)
    # Arrays keep their type, those of other libraries too.
    inferred = not hasattr(data, "__array__")
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise DtypeError(
            f"{where}: nested sequences of unequal lengths came, a rectangular one was expected"
        ) from error
    if inferred and array.dtype.kind == "f" and dtype is None and _is_python(data):
        array = array.astype(dtypes.get_default_dtype().numpy)
    if inferred and array.size == 0 and dtype is None and array.dtype.kind == "f":
        array = array.astype(dtypes.get_default_dtype().numpy)
    wanted = None if dtype is None else plain_dtype(where, dtype)
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"{where}: data of type {array.dtype} came, numbers or bools were expected"
        )
    if wanted is not None and array.dtype != wanted:
        with np.errstate(all="ignore"):
            return array.astype(wanted)
    result = as_array(array)
    return result.copy() if copy and np.may_share_memory(result, array) else result


def _unwrapped(data: Any) -> Any:
    """Nested sequences with tensors replaced by what they hold."""
    if isinstance(data, (list, tuple)):
        return [_unwrapped(item) for item in data]
    return array_of(data)


def _is_python(data: Any) -> bool:
    """Whether the first number in nested sequences is Python's own."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return not isinstance(data, (np.ndarray, np.generic))


def tensor(
    data: Any,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data`.

    Parameters
    ----------
    data : number, nested sequence, array or Tensor
        Python floats become the default float type, Python ints int64; arrays keep their type.
    dtype : dtype, optional
        Convert to this type.
    requires_grad : bool

    Raises
    ------
    DtypeError
        The data is not numeric, not rectangular, or of a type that qrs does not have.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    return made(_array("tensor", data, dtype, copy=True), requires_grad, device)


def as_tensor(data: Any, dtype: Dtype | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing memory where that is possible.

    Examples
    --------
    >>> import numpy, qrs
    >>> x = numpy.zeros(2, "float32")
    >>> qrs.as_tensor(x)[0] = 1
    >>> x
    array([1., 0.], dtype=float32)
    """
    if isinstance(data, Variable) and (dtype is None or dtype.numpy == data._array.dtype):
        same: Any = data
        return same  # type: ignore[no-any-return]  # a Variable is a Tensor
    return made(_array("as_tensor", data, dtype, copy=False), False, device)


def from_numpy(array: Any) -> Tensor:
    """A tensor over the memory of a NumPy array.

    A byte-swapped or unaligned array is copied; a read-only one is shared and stays read-only.

    Raises
    ------
    DtypeError
        `array` is not an array, or of a type that qrs does not have.

    Examples
    --------
    >>> import numpy, qrs
    >>> qrs.from_numpy(numpy.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(array, np.ndarray):
        raise DtypeError(
            f"from_numpy: a value of type {type_name(array)} came, a NumPy array was "
            "expected; use qrs.tensor for other data"
        )
    return wrap(as_array(array))


def from_dlpack(source: Any) -> Tensor:
    """A tensor over the memory of any object with `__dlpack__` on the CPU.

    Examples
    --------
    >>> import numpy, qrs
    >>> qrs.from_dlpack(numpy.arange(3))
    tensor([0, 1, 2])
    """
    try:
        return wrap(as_array(np.from_dlpack(source)))
    except (AttributeError, BufferError, RuntimeError, TypeError) as error:
        raise DtypeError(
            f"from_dlpack: {type_name(source)} does not export its memory to the CPU: {error}"
        ) from error


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a tensor, float or quantized.

    Examples
    --------
    >>> import qrs
    >>> qrs.is_tensor(qrs.zeros(1)), qrs.is_tensor([0])
    (True, False)
    """
    return isinstance(obj, Variable) or getattr(obj, "is_quantized", False) is True


def zeros(
    *size: Any, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of the given shape.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2)
    tensor([0., 0.])
    """
    array = np.zeros(integers("zeros", size), plain_dtype("zeros", dtype))
    return made(array, requires_grad, device)


def ones(
    *size: Any, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones of the given shape.

    Examples
    --------
    >>> import qrs
    >>> qrs.ones(2, dtype=qrs.int64)
    tensor([1, 1])
    """
    array = np.ones(integers("ones", size), plain_dtype("ones", dtype))
    return made(array, requires_grad, device)


def empty(
    *size: Any, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Memory of the given shape, whatever it holds.

    Examples
    --------
    >>> import qrs
    >>> qrs.empty(2, 3).shape
    qrs.Size([2, 3])
    """
    array = np.empty(integers("empty", size), plain_dtype("empty", dtype))
    return made(array, requires_grad, device)


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """One value everywhere; without `dtype` the type is that of the value.

    Examples
    --------
    >>> import qrs
    >>> qrs.full((2,), 7)
    tensor([7, 7])
    """
    value = scalar_of(fill_value)
    if dtype is None:
        kinds = {bool: dtypes.bool, int: dtypes.int64}
        dtype = kinds.get(type(value), dtypes.get_default_dtype())
    array = np.full(integers("full", (size,)), value, plain_dtype("full", dtype))
    return made(array, requires_grad, device)


def _filled_like(
    where: str, input: Any, value: Any, dtype: Dtype | None, device: Any, requires_grad: bool
) -> Any:
    """One value everywhere, with the shape and type of a tensor; None leaves it open."""
    if input.is_quantized:
        if dtype not in (None, input.dtype) or requires_grad:
            raise DtypeError(
                f"{where}: dtype {dtype!r}, requires_grad {requires_grad} came for a quantized "
                "tensor, expected neither; call dequantize() first"
            )
        return input._filled(0.0 if value is None else float(value))
    kind = input._array.dtype if dtype is None else plain_dtype(where, dtype)
    shape = input._array.shape
    array = np.empty(shape, kind) if value is None else np.full(shape, value, kind)
    return made(array, requires_grad, device)


def zeros_like(
    input: Tensor, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros with the shape and type (and scale, if quantized) of `input`.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros_like(qrs.tensor([1, 2]))
    tensor([0, 0])
    """
    result: Tensor = _filled_like("zeros_like", input, 0, dtype, device, requires_grad)
    return result


def ones_like(
    input: Tensor, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones with the shape and type (and scale, if quantized) of `input`.

    Examples
    --------
    >>> import qrs
    >>> qrs.ones_like(qrs.tensor([1, 2]))
    tensor([1, 1])
    """
    result: Tensor = _filled_like("ones_like", input, 1, dtype, device, requires_grad)
    return result


def empty_like(
    input: Tensor, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Memory with the shape and type of `input`, whatever it holds; zeros, if quantized.

    Examples
    --------
    >>> import qrs
    >>> qrs.empty_like(qrs.zeros(2, 3)).shape
    qrs.Size([2, 3])
    """
    result: Tensor = _filled_like("empty_like", input, None, dtype, device, requires_grad)
    return result


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """One value everywhere, with the shape and type (and scale, if quantized) of `input`.

    Examples
    --------
    >>> import qrs
    >>> qrs.full_like(qrs.zeros(2), 7)
    tensor([7., 7.])
    """
    value = scalar_of(fill_value)
    result: Tensor = _filled_like("full_like", input, value, dtype, device, requires_grad)
    return result
