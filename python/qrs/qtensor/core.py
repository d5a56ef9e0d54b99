"""What a quantized tensor is made of: integers, their type, and what they stand for."""

from __future__ import annotations

import math
from typing import Any, NoReturn, Self

import numpy as np

from qrs import _kernels
from qrs.autograd.arrays import as_array
from qrs.dtypes import dtype, qint8, qint32, qscheme, quint4x2, quint8
from qrs.errors import DtypeError, ShapeError
from qrs.qtensor.nibbles import pack_nibbles, unpack_nibbles
from qrs.qtensor.qparams import PerChannel, PerTensor, QParams, per_channel, per_tensor
from qrs.tensor import Size, Tensor, device

__all__ = ["Array", "QuantizedBase", "dequantized", "quantized", "storage_type"]

Array = np.ndarray[Any, np.dtype[Any]]

_new = object.__new__
_CPU = device("cpu")
_BY_STORAGE = {kind.numpy: kind for kind in (quint8, qint8, qint32)}


def quantized(x: Array, qparams: QParams, kind: dtype) -> Array:
    """The stored integers of float32 values (formulas: `qrs.quantize_per_tensor`)."""
    if isinstance(qparams, PerTensor):
        return _kernels.quantize(x, qparams.scale, qparams.zero_point, kind)
    return _kernels.quantize_per_channel(x, qparams.scales, qparams.zero_points, qparams.axis, kind)


def dequantized(ints: Array, qparams: QParams) -> Array:
    """The float32 values that integers stand for: `scale * (q - zero_point)`."""
    if isinstance(qparams, PerTensor):
        return _kernels.dequantize(ints, qparams.scale, qparams.zero_point)
    return _kernels.dequantize_per_channel(ints, qparams.scales, qparams.zero_points, qparams.axis)


class QuantizedBase:
    """Construction, facts and conversions of `QTensor`."""

    __slots__ = ("__weakref__", "_dtype", "_ints", "_qparams", "_shape")

    # Integers as they are stored: in the tensor's shape, in any order in memory; for quint4x2 a
    # vector of bytes that hold two each. Shared between tensors, so never written.
    _ints: Array
    _qparams: QParams
    _dtype: dtype
    # The shape, where it is not that of `_ints` (quint4x2), else None.
    _shape: tuple[int, ...] | None

    @classmethod
    def _wrap(cls, ints: Array, qparams: QParams, kind: dtype) -> Self:
        """An instance over integers in the tensor's shape, which are neither copied nor checked."""
        self = _new(cls)
        self._ints = ints
        self._qparams = qparams
        self._dtype = kind
        self._shape = None
        return self

    @classmethod
    def _make(cls, ints: Array, qparams: QParams, kind: dtype) -> Self:
        """As `_wrap` for any type: quint4x2 is packed into bytes."""
        if kind is not quint4x2:
            return cls._wrap(ints, qparams, kind)
        self = cls._wrap(pack_nibbles(ints), qparams, kind)
        self._shape = ints.shape
        return self

    def _become(self, other: Self) -> Self:
        """Stand for what `other` does from now on, as functions with `inplace` want.

        This object gets other integers; those that it shared with views stay as they are.
        """
        self._ints, self._qparams = other._ints, other._qparams
        self._dtype, self._shape = other._dtype, other._shape
        return self

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        raise TypeError(
            "QTensor: called as a constructor; use qrs.quantize_per_tensor, "
            "qrs.quantize_per_channel or QTensor.from_ints"
        )

    @classmethod
    def from_ints(
        cls,
        ints: Tensor | Array,
        scale: Any,
        zero_point: Any,
        dtype: dtype,
        *,
        axis: int | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> Self:
        """A tensor out of its stored integers, which are copied.

        Parameters
        ----------
        ints : Tensor or array
            Integers of the storage type of `dtype`; for `quint4x2` the packed bytes that `int_repr`
            gives, with `shape`.
        scale : float, or with `axis` array of shape (channels,)
        zero_point : int, or with `axis` array of shape (channels,)
        dtype : dtype
            A quantized one.
        axis : int, optional
            The axis of the channels; None for one scale.
        shape : tuple of int, optional
            The tensor's shape; by default that of `ints`.

        Raises
        ------
        DtypeError
            If the integers are not of the storage type.
        ShapeError
            If their number does not fit.
        ValueError
            If a scale is not positive or a zero point outside the range of `dtype`.

        Examples
        --------
        >>> import numpy as np, qrs
        >>> qrs.QTensor.from_ints(np.array([90, 110], np.uint8), 0.5, 100, qrs.quint8)
        tensor([-5.,  5.], size=(2,), dtype=qrs.quint8,
               quantization_scheme=qrs.per_tensor_affine, scale=0.5, zero_point=100)
        """
        where = "QTensor.from_ints"
        array: Array = ints._array if isinstance(ints, Tensor) else as_array(ints)
        full = array.shape if shape is None else tuple(shape)
        qparams: QParams
        if axis is None:
            qparams = per_tensor(scale, zero_point, dtype, where)
        else:
            qparams = per_channel(scale, zero_point, axis, dtype, full, where)
        if array.dtype != dtype.numpy:
            raise DtypeError(
                f"{where}: integers of {array.dtype} came, expected {dtype.numpy}, the storage of "
                f"{dtype!r}"
            )
        count = math.prod(full)
        expected = (count + 1) // 2 if dtype is quint4x2 else count
        if array.size != expected:
            raise ShapeError(
                f"{where}: {array.size} integers came for shape {full} of {dtype!r}, expected "
                f"{expected}"
            )
        if dtype is not quint4x2:
            return cls._wrap(array.reshape(full).copy(), qparams, dtype)
        return cls._make(unpack_nibbles(array.reshape(-1), full), qparams, dtype)

    @classmethod
    def zeros(cls, shape: tuple[int, ...], scale: float, zero_point: int, dtype: dtype) -> Self:
        """A tensor whose values are all 0.

        Examples
        --------
        >>> import qrs
        >>> qrs.QTensor.zeros((2,), 0.5, 3, qrs.quint8).int_repr()
        tensor([3, 3], dtype=qrs.uint8)
        """
        qparams = per_tensor(scale, zero_point, dtype, "QTensor.zeros")
        return cls._make(np.full(shape, qparams.zero_point, dtype.numpy), qparams, dtype)

    # ---- facts -----------------------------------------------------------------------------

    is_quantized = True
    requires_grad = False
    is_leaf = True
    grad = None
    grad_fn = None

    @property
    def dtype(self) -> dtype:
        """`qrs.quint8`, `qrs.qint8`, `qrs.qint32` or `qrs.quint4x2`."""
        return self._dtype

    @property
    def device(self) -> device:
        """Where it lives: the CPU."""
        return _CPU

    @property
    def shape(self) -> Size:
        """The extent of each dimension."""
        return Size(self._ints.shape if self._shape is None else self._shape)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the stored integers."""
        return self._ints.nbytes

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the extent of one dimension."""
        return self._plain().size() if dim is None else self._plain().size(dim)

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def element_size(self) -> int:
        """Bytes of an element; of a pair of elements for `quint4x2`."""
        return self._dtype.itemsize

    def is_floating_point(self) -> bool:
        """False: the stored elements are integers."""
        return False

    def stride(self, dim: int | None = None) -> Any:
        """Elements from one index of a dimension to the next."""
        return self._plain().stride() if dim is None else self._plain().stride(dim)

    def is_contiguous(self, *args: Any, **kwargs: Any) -> bool:
        """Whether the elements lie in memory in order (of `memory_format`)."""
        return self._plain().is_contiguous(*args, **kwargs)

    def __len__(self) -> int:
        return len(self._plain())

    # ---- quantization parameters -----------------------------------------------------------

    def qscheme(self) -> qscheme:
        """How many scales there are: per tensor or per channel, with integer or float zero points.

        Examples
        --------
        >>> import qrs
        >>> qrs.quantize_per_tensor(qrs.zeros(2), 0.1, 0, qrs.qint8).qscheme()
        qrs.per_tensor_affine
        """
        return self._qparams.scheme

    def q_scale(self) -> float:
        """Real units per step, as given; for tensors with one scale."""
        return self._one("q_scale", "q_per_channel_scales").scale

    def q_zero_point(self) -> int:
        """The integer that stands for 0; for tensors with one scale."""
        return self._one("q_zero_point", "q_per_channel_zero_points").zero_point

    def q_per_channel_scales(self) -> Tensor:
        """Real units per step of each channel, float64."""
        qparams = self._each("q_per_channel_scales", "q_scale")
        return Tensor._wrap(qparams.scales.copy())

    def q_per_channel_zero_points(self) -> Tensor:
        """The integer that stands for 0 in each channel, int64; float64 for float qparams."""
        qparams = self._each("q_per_channel_zero_points", "q_zero_point")
        return Tensor._wrap(qparams.zero_points.copy())

    def q_per_channel_axis(self) -> int:
        """The axis of the channels."""
        return self._each("q_per_channel_axis", "q_scale").axis

    def _one(self, op: str, instead: str) -> PerTensor:
        if isinstance(self._qparams, PerTensor):
            return self._qparams
        raise DtypeError(
            f"{op}: a tensor with a scale for each channel came, expected one scale; "
            f"use {instead}()"
        )

    def _each(self, op: str, instead: str) -> PerChannel:
        if isinstance(self._qparams, PerChannel):
            return self._qparams
        raise DtypeError(
            f"{op}: a tensor with one scale came, expected one for each channel; use {instead}()"
        )

    # ---- conversions -----------------------------------------------------------------------

    def int_repr(self) -> Tensor:
        """The stored integers, copied: uint8, int8 or int32.

        For `quint4x2` a vector of bytes, elements 0, 2, 4, ... in the low halves.

        Examples
        --------
        >>> import qrs
        >>> x = qrs.tensor([-1.0, 0.0, 2.0])
        >>> qrs.quantize_per_tensor(x, 0.1, 10, qrs.quint8).int_repr()
        tensor([ 0, 10, 30], dtype=qrs.uint8)
        """
        return Tensor._wrap(self._ints.copy(order="K"))

    def dequantize(self) -> Tensor:
        """The values in float32: `scale * (q - zero_point)`, one rounding for each operation.

        Examples
        --------
        >>> import qrs
        >>> x = qrs.tensor([-1.0, 0.0, 2.0])
        >>> qrs.quantize_per_tensor(x, 0.5, 10, qrs.quint8).dequantize()
        tensor([-1.,  0.,  2.])
        """
        return Tensor._wrap(dequantized(self._values(), self._qparams))

    def item(self) -> float:
        """The value of a tensor of one element."""
        return float(self.dequantize().item())

    def tolist(self) -> Any:
        """The values as nested lists of floats."""
        return self.dequantize().tolist()

    def numpy(self) -> Array:
        """The values as a float32 array; `int_repr().numpy()` gives the integers."""
        return dequantized(self._values(), self._qparams)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("QTensor: values are computed, so an array of them is always a copy")
        values = dequantized(self._values(), self._qparams)
        return values if dtype is None else values.astype(dtype)

    def __float__(self) -> float:
        return self.item()

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.dequantize())

    # ---- for the other parts of the class --------------------------------------------------

    def _values(self) -> Array:
        """The integers in the tensor's shape; not to be written."""
        return self._ints if self._shape is None else unpack_nibbles(self._ints, self._shape)

    def _plain(self) -> Tensor:
        """The integers as a plain tensor, on which the methods of Tensor work."""
        return Tensor._wrap(self._values())

    def _like(self, ints: Array) -> Self:
        """A tensor with these integers and the same type and parameters."""
        # NumPy's functions give scalars for arrays without dimensions.
        return self._make(np.asarray(ints), self._qparams, self._dtype)

    def _filled(self, value: float) -> Self:
        """A tensor of the same shape, type and parameters that is one value everywhere."""
        values = np.full(tuple(self.shape), value, np.float32)
        return self._make(quantized(values, self._qparams, self._dtype), self._qparams, self._dtype)

    def _refuse(self, op: str, why: str) -> NoReturn:
        raise DtypeError(f"{op}: {why}; call dequantize() first")


def storage_type(ints: Tensor, where: str) -> dtype:
    """The quantized type that is stored as the elements of `ints`."""
    if isinstance(ints, Tensor) and ints._array.dtype in _BY_STORAGE:
        return _BY_STORAGE[ints._array.dtype]
    came = ints._array.dtype if isinstance(ints, Tensor) else type(ints).__name__
    raise DtypeError(f"{where}: {came} came, expected a Tensor of uint8, int8 or int32")
