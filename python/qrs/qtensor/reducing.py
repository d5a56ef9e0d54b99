"""Reductions, order and bounds, computed on the integers: a larger integer is a larger value."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np

from qrs import _kernels
from qrs.dtypes import dtype, qint8, qint32, quint4x2, quint8
from qrs.qtensor.core import QuantizedBase, quantized
from qrs.qtensor.qparams import PerChannel, PerTensor, QParams
from qrs.qtensor.tables import BYTES, by_table
from qrs.tensor import Tensor
from qrs.tensor.core import normalized

__all__ = ["QuantizedIndices", "ReduceMethods"]

# Parameters of outputs whose range is known, 0 to 1 and -1 to 1, as in PyTorch 1.8.1. Except for
# the sigmoid of qint32: PyTorch's scale of 2 ** -32 cuts values at 0.5.
_UNIT = {
    quint8: PerTensor(1 / 256, 0),
    qint8: PerTensor(1 / 256, -128),
    qint32: PerTensor(2.0**-31, 0),
}
_SIGNED_UNIT = {
    quint8: PerTensor(2 / 256, 128),
    qint8: PerTensor(2 / 256, 0),
    qint32: PerTensor(2.0**-31, 0),
}


class QuantizedIndices(NamedTuple):
    """Quantized values and the indices at which they were found."""

    values: Any
    indices: Tensor


@functools.lru_cache(maxsize=1024)
def _stored(value: float, qparams: QParams, kind: dtype) -> Any:
    """The integer that stands for a number: the bounds of a layer are the same at every call."""
    return quantized(np.array([value], np.float32), qparams, kind)[0]


class ReduceMethods(QuantizedBase):
    """Methods that select or combine elements; for tensors with one scale."""

    __slots__ = ()

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The largest element, or with `dim` values and indices along it."""
        return self._chosen("max", dim, keepdim)

    def min(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The smallest element, or with `dim` values and indices along it."""
        return self._chosen("min", dim, keepdim)

    def amax(self, dim: Any = None, keepdim: bool = False) -> Self:
        """The largest elements along the given dimensions."""
        return self._like(self._uniform("amax").amax(dim, keepdim)._array)

    def amin(self, dim: Any = None, keepdim: bool = False) -> Self:
        """The smallest elements along the given dimensions."""
        return self._like(self._uniform("amin").amin(dim, keepdim)._array)

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Indices of the largest elements, the first of equal ones."""
        return self._uniform("argmax").argmax(dim, keepdim)

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Indices of the smallest elements, the first of equal ones."""
        return self._uniform("argmin").argmin(dim, keepdim)

    def sort(self, dim: int = -1, descending: bool = False) -> QuantizedIndices:
        """The elements in order along a dimension, and where they stood."""
        values, indices = self._uniform("sort").sort(dim, descending)
        return QuantizedIndices(self._like(values._array), indices)

    def topk(
        self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
    ) -> QuantizedIndices:
        """The `k` largest (or smallest) elements along a dimension, and where they stood."""
        values, indices = self._uniform("topk").topk(k, dim, largest, sorted)
        return QuantizedIndices(self._like(values._array), indices)

    def mean(self, dim: Any = None, keepdim: bool = False) -> Self:
        """The mean, in the same quantization: `z + rne(mean(q - z))`, the sum in exact integers.

        Examples
        --------
        >>> import qrs
        >>> qrs.quantize_per_tensor(qrs.tensor([1.0, 2.0, 4.0]), 0.5, 10, qrs.quint8).mean().item()
        2.5
        """
        ints = self._uniform("mean")
        zero_point = self.q_zero_point()
        if self._dtype in BYTES and ints.numel():
            return self._mean_of_bytes(dim, keepdim, zero_point)
        total = (ints.long() - zero_point).sum(dim, keepdim)._array
        if total.size and not ints.numel():
            self._refuse("mean", f"shape {tuple(self.shape)} has no elements to average")
        count = ints.numel() // max(total.size, 1)
        rounded = np.rint(total / max(count, 1)).astype(np.int64) + zero_point
        # A mean lies between the integers it is the mean of, so it is in their range.
        return self._like(rounded.astype(self._dtype.numpy))

    def _mean_of_bytes(self, dim: Any, keepdim: bool, zero_point: int) -> Self:
        ints = self._ints
        axes = normalized("mean", dim, ints.ndim)
        if axes is None:
            axes = tuple(range(ints.ndim))
        elif isinstance(axes, int):
            axes = (axes,)
        mean = _kernels.mean(ints, axes, zero_point)
        if keepdim:
            mean = np.expand_dims(mean, axes)
        return self._wrap(mean, self._qparams, self._dtype)

    def relu(self) -> Self:
        """`max(q, zero_point)`: negative values become 0.

        Examples
        --------
        >>> import qrs
        >>> x = qrs.quantize_per_tensor(qrs.tensor([-1.0, 2.0]), 0.5, 10, qrs.quint8)
        >>> x.relu().int_repr()
        tensor([10, 14], dtype=qrs.uint8)
        """
        ints, qparams = self._values(), self._qparams
        if self._dtype in BYTES and isinstance(qparams, PerTensor):
            return self._wrap(_kernels.clamp(ints, qparams.zero_point, 255), qparams, self._dtype)
        zero: Any = qparams.zero_point if isinstance(qparams, PerTensor) else qparams.zero_points
        if isinstance(qparams, PerChannel):
            if qparams.scheme.has_float_qparams:
                self._refuse("relu", "zero is not among the values of float qparams")
            zero = qparams.broadcast(zero, ints.ndim)
        return self._like(np.maximum(ints, np.asarray(zero, ints.dtype)))

    def clamp(self, min: float | None = None, max: float | None = None) -> Self:
        """The elements within bounds, which are quantized first."""
        ints = self._uniform("clamp")._array
        bounds = [None if v is None else self._stored(v) for v in (min, max)]
        if bounds == [None, None]:
            raise ValueError("clamp: neither min nor max came, expected at least one of them")
        # As in PyTorch the upper bound wins where the bounds cross.
        low, high = bounds
        if self._dtype in BYTES:
            # Bounds beyond the type are those of the type.
            least, most = -128 if low is None else int(low), 255 if high is None else int(high)
            return self._wrap(_kernels.clamp(ints, least, most), self._qparams, self._dtype)
        result = ints if low is None else np.maximum(ints, low)
        return self._like(result if high is None else np.minimum(result, high))

    clip = clamp

    def clamp_min(self, min: float) -> Self:
        """The elements, at least `min`."""
        return self.clamp(min=min)

    def clamp_max(self, max: float) -> Self:
        """The elements, at most `max`."""
        return self.clamp(max=max)

    def sigmoid(self) -> Self:
        """`1 / (1 + exp(-x))` with scale 1/256 and the smallest zero point."""
        return self._mapped("sigmoid", Tensor.sigmoid, _UNIT)

    def tanh(self) -> Self:
        """The hyperbolic tangent with scale 2/256 and the middle zero point."""
        return self._mapped("tanh", Tensor.tanh, _SIGNED_UNIT)

    def _mapped(
        self, op: str, function: Callable[..., Tensor], outputs: dict[dtype, PerTensor]
    ) -> Self:
        if self._dtype is quint4x2:
            self._refuse(op, "a tensor of qrs.quint4x2 came")
        qparams = outputs[self._dtype]
        if isinstance(self._qparams, PerTensor):
            result: Self = by_table(self, function, qparams)
            return result
        values = function(self.dequantize())._array
        return self._make(quantized(values, qparams, self._dtype), qparams, self._dtype)

    def _chosen(self, op: str, dim: int | None, keepdim: bool) -> Any:
        ints = self._uniform(op)
        if dim is None:
            return self._like(getattr(ints, op)()._array)
        if not isinstance(dim, int):
            self._refuse(op, f"dim is a {type(dim).__name__}, expected an integer")
        values, indices = getattr(ints, op)(dim, keepdim)
        return QuantizedIndices(self._like(values._array), indices)

    def _stored(self, value: float) -> Any:
        """The integer that stands for `value`."""
        return _stored(float(value), self._qparams, self._dtype)

    def _uniform(self, op: str) -> Tensor:
        """The integers, which one scale makes comparable."""
        if isinstance(self._qparams, PerChannel):
            self._refuse(op, "a tensor with a scale for each channel came, expected one scale")
        return self._plain()
