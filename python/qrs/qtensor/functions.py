"""Functions that make quantized tensors and look into them, under PyTorch's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs import _kernels
from qrs.autograd.arrays import as_array
from qrs.dtypes import dtype
from qrs.errors import DtypeError, ShapeError, type_name
from qrs.qtensor.core import Array, quantized, storage_type
from qrs.qtensor.qparams import per_channel, per_tensor
from qrs.qtensor.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = [
    "_choose_qparams_per_tensor",
    "_empty_affine_quantized",
    "_empty_per_channel_affine_quantized",
    "_make_per_channel_quantized_tensor",
    "_make_per_tensor_quantized_tensor",
    "dequantize",
    "int_repr",
    "q_per_channel_axis",
    "q_per_channel_scales",
    "q_per_channel_zero_points",
    "q_scale",
    "q_zero_point",
    "quantize_per_channel",
    "quantize_per_tensor",
]


def _float_array(x: Any, where: str) -> Array:
    if isinstance(x, QTensor):
        raise DtypeError(f"{where}: a quantized tensor came, expected float32; dequantize it first")
    array: Array = x._array if isinstance(x, Tensor) else as_array(x)
    if array.dtype != np.float32:
        raise DtypeError(f"{where}: {array.dtype} came, expected float32; use float() first")
    return array


def quantize_per_tensor(input: Any, scale: Any, zero_point: Any, dtype: dtype) -> Any:
    """Round real numbers to integers under one scale.

    `q = clamp(zero_point + round(x * (1 / scale)), qmin, qmax)`: the reciprocal and the product in
    float32, ties to even, the zero point added after rounding (PyTorch 1.8.1). NaN becomes the zero
    point, infinities the ends of the range.

    Parameters
    ----------
    input : Tensor, float32, or list of Tensor
    scale : float, or list of float
        Real units per step; kept as given, used as float32.
    zero_point : int, or list of int
        The integer that stands for 0.
    dtype : dtype
        `qrs.quint8`, `qrs.qint8`, `qrs.qint32` or `qrs.quint4x2`.

    Returns
    -------
    QTensor, or list of QTensor
        Gradients do not flow through it.

    Raises
    ------
    ValueError
        If the scale is not a positive finite float32, or the zero point outside the range of
        `dtype`.
    DtypeError
        If `input` is not float32 or `dtype` not quantized.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantize_per_tensor(qrs.tensor([-1.0, 0.25]), 0.1, 10, qrs.quint8).int_repr()
    tensor([ 0, 12], dtype=qrs.uint8)
    """
    where = "quantize_per_tensor"
    if isinstance(input, (list, tuple)):
        scales, points = list(scale), list(zero_point)
        if not len(input) == len(scales) == len(points):
            raise ShapeError(
                f"{where}: {len(input)} tensors, {len(scales)} scales and {len(points)} zero "
                "points came, expected one of each"
            )
        triples = zip(input, scales, points, strict=True)
        return [quantize_per_tensor(x, s, z, dtype) for x, s, z in triples]
    qparams = per_tensor(scale, zero_point, dtype, where)
    return QTensor._make(quantized(_float_array(input, where), qparams, dtype), qparams, dtype)


def quantize_per_channel(
    input: Any, scales: Any, zero_points: Any, axis: int, dtype: dtype
) -> QTensor:
    """Round real numbers to integers, each index of an axis under a scale of its own.

    The formula is that of `quantize_per_tensor`. With zero points of a float type (float qparams)
    `q = clamp(round(x * (1 / scale) + zero_point), qmin, qmax)`.

    Parameters
    ----------
    input : Tensor, float32
    scales : Tensor, floating, shape (channels,)
    zero_points : Tensor, integer or floating, shape (channels,)
    axis : int
        The axis of the channels.
    dtype : dtype
        `qrs.quint8`, `qrs.qint8`, `qrs.qint32` or `qrs.quint4x2`.

    Returns
    -------
    QTensor

    Raises
    ------
    ShapeError
        If there is no such axis, or not one scale and zero point for each of its indices.
    ValueError, DtypeError
        As `quantize_per_tensor`, for any channel.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([[-1.0, 1.0], [-1.0, 1.0]])
    >>> scales, zero_points = qrs.tensor([0.1, 0.5]), qrs.tensor([0, 3])
    >>> qrs.quantize_per_channel(x, scales, zero_points, 0, qrs.qint8).int_repr()
    tensor([[-10,  10],
            [  1,   5]], dtype=qrs.int8)
    """
    where = "quantize_per_channel"
    array = _float_array(input, where)
    qparams = per_channel(scales, zero_points, axis, dtype, array.shape, where)
    return QTensor._make(quantized(array, qparams, dtype), qparams, dtype)


def dequantize(tensor: Any) -> Any:
    """The float32 values of a quantized tensor, or of each in a sequence; a float tensor itself.

    Examples
    --------
    >>> import qrs
    >>> qrs.dequantize(qrs.quantize_per_tensor(qrs.tensor([0.26]), 0.1, 0, qrs.quint8))
    tensor([0.3000])
    """
    if isinstance(tensor, (list, tuple)):
        return [dequantize(x) for x in tensor]
    if isinstance(tensor, Tensor):
        return tensor
    return _expect(tensor, "dequantize").dequantize()


def _expect(x: Any, where: str) -> QTensor:
    if isinstance(x, QTensor):
        return x
    raise DtypeError(
        f"{where}: a {type_name(x)} came, expected a quantized tensor; use quantize_per_tensor"
    )


def int_repr(input: QTensor) -> Tensor:
    """The stored integers; see `QTensor.int_repr`."""
    return _expect(input, "int_repr").int_repr()


def q_scale(input: QTensor) -> float:
    """Real units per step of a tensor with one scale."""
    return _expect(input, "q_scale").q_scale()


def q_zero_point(input: QTensor) -> int:
    """The integer that stands for 0, of a tensor with one scale."""
    return _expect(input, "q_zero_point").q_zero_point()


def q_per_channel_scales(input: QTensor) -> Tensor:
    """Real units per step of each channel, float64."""
    return _expect(input, "q_per_channel_scales").q_per_channel_scales()


def q_per_channel_zero_points(input: QTensor) -> Tensor:
    """The integer that stands for 0 in each channel."""
    return _expect(input, "q_per_channel_zero_points").q_per_channel_zero_points()


def q_per_channel_axis(input: QTensor) -> int:
    """The axis of the channels."""
    return _expect(input, "q_per_channel_axis").q_per_channel_axis()


def _make_per_tensor_quantized_tensor(input: Tensor, scale: float, zero_point: int) -> QTensor:
    """Integers with a meaning: uint8 as quint8, int8 as qint8, int32 as qint32; copied.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([1, 2], dtype=qrs.int8)
    >>> qrs._make_per_tensor_quantized_tensor(x, 0.5, 0).dequantize()
    tensor([0.5000, 1.0000])
    """
    kind = storage_type(input, "_make_per_tensor_quantized_tensor")
    return QTensor.from_ints(input, scale, zero_point, kind)


def _make_per_channel_quantized_tensor(
    input: Tensor, scale: Any, zero_point: Any, axis: int
) -> QTensor:
    """As `_make_per_tensor_quantized_tensor`, with scales and zero points along `axis`."""
    kind = storage_type(input, "_make_per_channel_quantized_tensor")
    return QTensor.from_ints(input, scale, zero_point, kind, axis=axis)


def _empty_affine_quantized(
    size: Sequence[int], *, scale: float = 1.0, zero_point: int = 0, dtype: dtype
) -> QTensor:
    """A tensor of the given size whose values are 0."""
    return QTensor.zeros(tuple(size), scale, zero_point, dtype)


def _empty_per_channel_affine_quantized(
    size: Sequence[int], *, scales: Any, zero_points: Any, axis: int, dtype: dtype
) -> QTensor:
    """A tensor of the given size whose values are 0, as near as the zero points allow."""
    return quantize_per_channel(np.zeros(tuple(size), np.float32), scales, zero_points, axis, dtype)


def _choose_qparams_per_tensor(input: Any, reduce_range: bool = False) -> tuple[float, int]:
    """Scale and zero point of one dynamically quantized input.

    The formulas are those of dynamic layers; the range of integers is 0 to 255, or 0 to 127 with
    `reduce_range`.

    Raises
    ------
    NonFiniteError
        If the input holds NaN or infinity.

    Examples
    --------
    >>> import qrs
    >>> scale, zero_point = qrs._choose_qparams_per_tensor(qrs.tensor([-1.0, 2.0]))
    >>> round(scale, 7), zero_point
    (0.0117647, 85)
    """
    return _kernels.choose_qparams(_float_array(input, "_choose_qparams_per_tensor"), reduce_range)
