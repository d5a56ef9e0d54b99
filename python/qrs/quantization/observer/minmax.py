"""Observers of the smallest and largest value, per tensor or per channel."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import per_channel_affine, per_tensor_affine, qscheme, quint8
from qrs.errors import ShapeError
from qrs.quantization.observer.base import (
    Batch,
    ObserverBase,
    UniformQuantizationObserverBase,
    wrap,
)
from qrs.quantization.qparams import FloatArray
from qrs.tensor import Tensor

__all__ = [
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "PerChannelMinMaxObserver",
]


def _check_averaging_constant(where: str, value: float) -> float:
    if not 0.0 < value <= 1.0:
        raise ValueError(f"{where}: averaging_constant={value} came, expected a number in (0, 1]")
    return value


def _moved(old: FloatArray, new: FloatArray, constant: float) -> FloatArray:
    """V <- v + c * (new - v); a value never set is +-inf and takes the new one."""
    if constant == 1:
        # Without the rounding of a difference.
        return new
    with np.errstate(invalid="ignore"):
        step = old + np.float32(constant) * (new - old)
    return np.where(np.isinf(old), new, step)


class MinMaxObserver(UniformQuantizationObserverBase):
    """Keeps the smallest and the largest value ever seen.

    Parameters
    ----------
    dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `UniformQuantizationObserverBase`; a per-tensor scheme.

    Attributes
    ----------
    min_val, max_val : Tensor, float32, shape ()
        ``inf`` and ``-inf`` before the first batch.

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.MinMaxObserver()
    >>> _ = observer(qrs.tensor([[-1.0, 2.0], [3.0, 0.5]]))
    >>> observer.calculate_qparams()
    (tensor([0.0157]), tensor([64]))
    """

    min_val: Tensor
    max_val: Tensor

    def __init__(
        self,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        nonfinite: Literal["raise", "ignore"] = "raise",
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite)
        self.register_buffer("min_val", wrap(np.inf))
        self.register_buffer("max_val", wrap(-np.inf))

    def _observe(self, batch: Batch) -> None:
        self.min_val = wrap(np.minimum(self.min_val._array, batch.lo))
        self.max_val = wrap(np.maximum(self.max_val._array, batch.hi))

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the range seen.

        Returns
        -------
        scale : Tensor, float32, shape (1,)
        zero_point : Tensor, int64, shape (1,)

        Raises
        ------
        NotCalibratedError
            If nothing was observed.
        """
        lo, hi = self.min_val._array, self.max_val._array
        if lo > hi:
            raise self._not_calibrated()
        return self._calculate_qparams(lo, hi)

    def merge(self, other: ObserverBase) -> None:
        """Widen the range by another's."""
        self._check_same_kind(other)
        other = cast(MinMaxObserver, other)
        self.min_val = wrap(np.minimum(self.min_val._array, other.min_val._array))
        self.max_val = wrap(np.maximum(self.max_val._array, other.max_val._array))
        self.nonfinite_count += other.nonfinite_count

    def reset_min_max_vals(self) -> None:
        """Forget everything seen."""
        self.min_val, self.max_val = wrap(np.inf), wrap(-np.inf)

    def extra_repr(self) -> str:
        """The range seen."""
        return f"min_val={self.min_val.item()}, max_val={self.max_val.item()}"


class MovingAverageMinMaxObserver(MinMaxObserver):
    """Keeps a moving average of the smallest and the largest value of each batch.

    Parameters
    ----------
    averaging_constant : float
        Weight ``c`` of the newest batch in ``v <- v + c * (new - v)``; the first batch sets ``v``.
    dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `UniformQuantizationObserverBase`; a per-tensor scheme.

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.MovingAverageMinMaxObserver()
    >>> for batch in ([0.0, 1.0], [-1.0, 3.0]):
    ...     _ = observer(qrs.tensor(batch))
    >>> round(observer.min_val.item(), 4), round(observer.max_val.item(), 4)
    (-0.01, 1.02)
    """

    def __init__(
        self,
        averaging_constant: float = 0.01,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        nonfinite: Literal["raise", "ignore"] = "raise",
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite)
        self.averaging_constant = _check_averaging_constant(self.where, averaging_constant)

    def _observe(self, batch: Batch) -> None:
        self.min_val = wrap(
            _moved(self.min_val._array, np.asarray(batch.lo), self.averaging_constant)
        )
        self.max_val = wrap(
            _moved(self.max_val._array, np.asarray(batch.hi), self.averaging_constant)
        )

    def merge(self, other: ObserverBase) -> None:
        """Not defined: an average of batches depends on their order."""
        ObserverBase.merge(self, other)


class PerChannelMinMaxObserver(UniformQuantizationObserverBase):
    """Keeps the smallest and the largest value of each index of one axis.

    Parameters
    ----------
    ch_axis : int
        The axis that keeps its own ranges.
    dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `UniformQuantizationObserverBase`; a per-channel scheme.

    Attributes
    ----------
    min_vals, max_vals : Tensor, float32, shape (C,)
        Shape (0,) before the first batch.

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.PerChannelMinMaxObserver(
    ...     dtype=qrs.qint8, qscheme=qrs.per_channel_symmetric
    ... )
    >>> _ = observer(qrs.tensor([[1.0, -2.55], [5.1, 0.0]]))
    >>> observer.calculate_qparams()
    (tensor([0.0200, 0.0400]), tensor([0, 0]))
    """

    per_channel = True

    min_vals: Tensor
    max_vals: Tensor

    def __init__(
        self,
        ch_axis: int = 0,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_channel_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        nonfinite: Literal["raise", "ignore"] = "raise",
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite)
        self.ch_axis = ch_axis
        self.reset_min_max_vals()

    def _select(self, values: FloatArray, good: npt.NDArray[np.bool_]) -> FloatArray:
        return np.where(good, values, np.float32(np.nan)) if good.any() else values[:0]

    def _observe(self, batch: Batch) -> None:
        values = batch.values
        if not -values.ndim <= self.ch_axis < values.ndim:
            raise ShapeError(
                f"{self.where}: shape {values.shape} came, expected one with an axis "
                f"{self.ch_axis} (ch_axis)"
            )
        rows = np.moveaxis(values, self.ch_axis, 0).reshape(values.shape[self.ch_axis], -1)
        los, his = np.fmin.reduce(rows, axis=1), np.fmax.reduce(rows, axis=1)
        # A channel that holds no finite value at all has not been seen.
        los = np.where(np.isnan(los), np.float32(np.inf), los)
        his = np.where(np.isnan(his), np.float32(-np.inf), his)
        if self.min_vals._array.size == 0:
            self.min_vals, self.max_vals = wrap(los), wrap(his)
        elif self.min_vals._array.size != los.size:
            raise ShapeError(
                f"{self.where}: {los.size} channels came along axis {self.ch_axis}, expected "
                f"{self.min_vals._array.size} as before"
            )
        else:
            self._combine(los, his)

    def _combine(self, los: FloatArray, his: FloatArray) -> None:
        self.min_vals = wrap(np.minimum(self.min_vals._array, los))
        self.max_vals = wrap(np.maximum(self.max_vals._array, his))

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scales and zero points of the ranges seen.

        Returns
        -------
        scale : Tensor, float32, shape (C,)
        zero_point : Tensor, int64 (float32 for float zero points), shape (C,)

        Raises
        ------
        NotCalibratedError
            If nothing was observed, or nothing finite in some channel.
        """
        lo, hi = self.min_vals._array, self.max_vals._array
        if lo.size == 0 or (lo > hi).any():
            raise self._not_calibrated()
        return self._calculate_qparams(lo, hi)

    def merge(self, other: ObserverBase) -> None:
        """Widen the ranges by another's."""
        self._check_same_kind(other)
        other = cast(PerChannelMinMaxObserver, other)
        own, more = self.min_vals._array.size, other.min_vals._array.size
        if own and more and own != more:
            raise ShapeError(f"{self.where}: merge with {more} channels was asked, expected {own}")
        self.nonfinite_count += other.nonfinite_count
        if own and more:
            self._combine(other.min_vals._array, other.max_vals._array)
        elif more:
            self.min_vals, self.max_vals = wrap(other.min_vals._array), wrap(other.max_vals._array)

    def reset_min_max_vals(self) -> None:
        """Forget everything seen."""
        self.register_buffer("min_vals", wrap(np.zeros(0)))
        self.register_buffer("max_vals", wrap(np.zeros(0)))

    def extra_repr(self) -> str:
        """The ranges seen."""
        return f"min_val={self.min_vals.tolist()}, max_val={self.max_vals.tolist()}"

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name in ("min_vals", "max_vals"):
            # Later versions of PyTorch dropped the s.
            if prefix + name[:-1] in state_dict:
                state_dict[prefix + name] = state_dict.pop(prefix + name[:-1])
            value = state_dict.get(prefix + name)
            # The number of channels is part of the state.
            if value is not None:
                self.register_buffer(name, wrap(np.zeros(tuple(value.shape))))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class MovingAveragePerChannelMinMaxObserver(PerChannelMinMaxObserver):
    """Keeps a moving average of the smallest and largest value of each index of one axis.

    Parameters
    ----------
    averaging_constant : float
        Weight of the newest batch, as in `MovingAverageMinMaxObserver`.
    ch_axis, dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `PerChannelMinMaxObserver`.

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.MovingAveragePerChannelMinMaxObserver(averaging_constant=0.5)
    >>> for batch in ([[0.0, 1.0]], [[-1.0, 3.0]]):
    ...     _ = observer(qrs.tensor(batch))
    >>> observer.min_vals.item(), observer.max_vals.item()
    (-0.5, 2.0)
    """

    def __init__(
        self,
        averaging_constant: float = 0.01,
        ch_axis: int = 0,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_channel_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        nonfinite: Literal["raise", "ignore"] = "raise",
    ) -> None:
        super().__init__(ch_axis, dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite)
        self.averaging_constant = _check_averaging_constant(self.where, averaging_constant)

    def _combine(self, los: FloatArray, his: FloatArray) -> None:
        # A channel without finite values in this batch keeps its range.
        old_lo, old_hi = self.min_vals._array, self.max_vals._array
        seen = los <= his
        constant = self.averaging_constant
        self.min_vals = wrap(np.where(seen, _moved(old_lo, los, constant), old_lo))
        self.max_vals = wrap(np.where(seen, _moved(old_hi, his, constant), old_hi))

    def merge(self, other: ObserverBase) -> None:
        """Not defined: an average of batches depends on their order."""
        ObserverBase.merge(self, other)
