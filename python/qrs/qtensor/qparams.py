"""Scales and zero points: one pair for a tensor, or one for each index of an axis."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qrs.autograd.arrays import as_array
from qrs.dtypes import (
    dtype,
    per_channel_affine,
    per_channel_affine_float_qparams,
    per_tensor_affine,
    qscheme,
)
from qrs.errors import DtypeError, ShapeError
from qrs.tensor import Tensor

__all__ = ["PerChannel", "PerTensor", "QParams", "per_channel", "per_tensor"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class PerTensor:
    """One scale and zero point for all elements.

    Attributes
    ----------
    scale : float
        Real units per step. Kernels use its nearest float32.
    zero_point : int
        The stored integer that stands for 0.
    """

    scale: float
    zero_point: int

    @property
    def scheme(self) -> qscheme:
        """`per_tensor_affine`."""
        return per_tensor_affine


@dataclass(frozen=True, slots=True, eq=False)
class PerChannel:
    """One scale and zero point for each index of `axis`.

    Attributes
    ----------
    scales : array, float64, shape (channels,)
    zero_points : array, int64 or (for float qparams) float64, shape (channels,)
    axis : int
        At least 0.
    """

    scales: Array
    zero_points: Array
    axis: int

    @property
    def scheme(self) -> qscheme:
        """`per_channel_affine`, or with float zero points `per_channel_affine_float_qparams`."""
        if self.zero_points.dtype.kind == "f":
            return per_channel_affine_float_qparams
        return per_channel_affine

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PerChannel) and self.axis == other.axis and self.same_channels(other)
        )

    def __hash__(self) -> int:
        return hash((self.axis, self.scales.tobytes(), self.zero_points.tobytes()))

    def same_channels(self, other: PerChannel) -> bool:
        """Whether both have the same scales and zero points, along whichever axis."""
        return (
            self.scheme is other.scheme
            and np.array_equal(self.scales, other.scales)
            and np.array_equal(self.zero_points, other.zero_points)
        )

    def take(self, channels: Array, axis: int) -> PerChannel:
        """The parameters of `channels`, in that order, along `axis`."""
        return PerChannel(self.scales[channels], self.zero_points[channels], axis)

    def moved_to(self, axis: int) -> PerChannel:
        """The same parameters along another axis."""
        return replace(self, axis=axis)

    def broadcast(self, values: Array, rank: int) -> Array:
        """`values`, one for each channel, shaped so that they line up with an array of `rank`."""
        return values.reshape([-1 if i == self.axis else 1 for i in range(rank)])


QParams = PerTensor | PerChannel
"""What says which real numbers the integers stand for."""


def per_tensor(scale: Any, zero_point: Any, kind: dtype, where: str) -> PerTensor:
    """Check one scale and zero point.

    Raises
    ------
    ValueError
        If the scale is not a positive finite float32, or the zero point not an integer of `kind`.
    DtypeError
        If `kind` is not a quantized type, or an argument not a number.
    """
    _check_kind(kind, where)
    real_scale = _real(scale)
    if real_scale is None:
        raise DtypeError(f"{where}: a {type(scale).__name__} came for the scale, expected a number")
    _check_scales(np.asarray(real_scale), where)
    point = _integer(zero_point, where)
    _check_zero_points(np.asarray(point), kind, where)
    return PerTensor(real_scale, point)


def per_channel(
    scales: Any, zero_points: Any, axis: Any, kind: dtype, shape: tuple[int, ...], where: str
) -> PerChannel:
    """Check the scales and zero points of an array of `shape` along `axis`.

    Raises
    ------
    ShapeError
        If `axis` is not one of the array's, or there is not one scale and zero point for each of
        its indices.
    ValueError, DtypeError
        As `per_tensor`, for any of them.
    """
    _check_kind(kind, where)
    place = operator.index(axis)
    if not -len(shape) <= place < len(shape):
        raise ShapeError(
            f"{where}: axis {place} came for a tensor of shape {shape}, expected one of its axes"
        )
    place %= len(shape)
    scale_array = _vector(scales, "scales", where)
    zero_array = _vector(zero_points, "zero points", where)
    for name, array in (("scales", scale_array), ("zero points", zero_array)):
        if array.size != shape[place]:
            raise ShapeError(
                f"{where}: {array.size} {name} came, expected {shape[place]}, one for each index "
                f"of axis {place} of shape {shape}"
            )
    scale_array = scale_array.astype(np.float64)
    _check_scales(scale_array, where)
    if zero_array.dtype.kind == "f":
        zero_array = zero_array.astype(np.float64)
        if not np.isfinite(zero_array).all():
            raise ValueError(f"{where}: a zero point is NaN or infinite, expected finite numbers")
    else:
        zero_array = zero_array.astype(np.int64)
        _check_zero_points(zero_array, kind, where)
    return PerChannel(scale_array, zero_array, place)


def _check_kind(kind: Any, where: str) -> None:
    if not isinstance(kind, dtype) or not kind.is_quantized:
        raise DtypeError(
            f"{where}: dtype {kind!r} came, expected qrs.quint8, qrs.qint8, qrs.qint32 or "
            "qrs.quint4x2"
        )


def _check_scales(scales: Array, where: str) -> None:
    with np.errstate(over="ignore", divide="ignore", under="ignore"):
        singles = scales.astype(np.float32)
        good = (singles > 0) & np.isfinite(singles) & np.isfinite(np.float32(1) / singles)
    if not good.all():
        bad = scales[~good].flat[0]
        raise ValueError(
            f"{where}: scale {bad!r} came, expected a positive number from 3e-39 to 3.4e38"
        )


def _check_zero_points(points: Array, kind: dtype, where: str) -> None:
    bad = (points < kind.qmin) | (points > kind.qmax)
    if bad.any():
        raise ValueError(
            f"{where}: zero point {points[bad].flat[0]} came, expected {kind.qmin} to {kind.qmax}, "
            f"the range of {kind!r}"
        )


def _real(value: Any) -> float | None:
    """`value` as a float, None if it is no number."""
    if isinstance(value, (str, bytes)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _integer(value: Any, where: str) -> int:
    """`value` as an int; observers give zero points as floats that hold integers."""
    real = _real(value)
    if real is None or not real.is_integer():
        raise DtypeError(f"{where}: zero point {value!r} came, expected an integer")
    return int(real)


def _vector(values: Any, name: str, where: str) -> Array:
    array: Array = values._array if isinstance(values, Tensor) else as_array(values)
    if array.ndim != 1:
        raise ShapeError(f"{where}: {name} of shape {array.shape} came, expected one dimension")
    return array
