"""Scales and zero points: one pair for a tensor, or one for each index of an axis."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

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


class PerTensor(NamedTuple):
    """One scale and zero point for all elements: the pair that the kernels take.

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
    if not _SMALLEST < real_scale < _LARGEST:
        raise _bad_scale(real_scale, where)
    point = _integer(zero_point, where)
    low, high = _limits(kind)
    if not low <= point <= high:
        raise _bad_zero_point(point, kind, where)
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
    good = (scale_array > _SMALLEST) & (scale_array < _LARGEST)
    if not good.all():
        raise _bad_scale(float(scale_array[~good][0]), where)
    if zero_array.dtype.kind == "f":
        zero_array = zero_array.astype(np.float64)
        if not np.isfinite(zero_array).all():
            raise ValueError(f"{where}: a zero point is NaN or infinite, expected finite numbers")
    else:
        zero_array = zero_array.astype(np.int64)
        low, high = _limits(kind)
        outside = (zero_array < low) | (zero_array > high)
        if outside.any():
            raise _bad_zero_point(int(zero_array[outside][0]), kind, where)
    return PerChannel(scale_array, zero_array, place)


def _check_kind(kind: Any, where: str) -> None:
    if not isinstance(kind, dtype) or not kind.is_quantized:
        raise DtypeError(
            f"{where}: dtype {kind!r} came, expected qrs.quint8, qrs.qint8, qrs.qint32 or "
            "qrs.quint4x2"
        )


# A scale between these has a float32 that is finite and whose reciprocal is finite.
_SMALLEST = 2.0**-128 + 2.0**-150
_LARGEST = 2.0**128 - 2.0**103


def _limits(kind: dtype) -> tuple[int, int]:
    """The range of the integers of a quantized type."""
    return cast("tuple[int, int]", (kind.qmin, kind.qmax))


def _bad_scale(scale: float, where: str) -> ValueError:
    return ValueError(
        f"{where}: scale {scale!r} came, expected a positive number from 3e-39 to 3.4e38"
    )


def _bad_zero_point(point: int, kind: dtype, where: str) -> ValueError:
    return ValueError(
        f"{where}: zero point {point} came, expected {kind.qmin} to {kind.qmax}, the range of "
        f"{kind!r}"
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
