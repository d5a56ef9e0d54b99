"""`HistogramObserver`: the range that minimises the squared quantization error.

Source: the algorithm of PyTorch 1.8.1 as measured, with three of its defects left out: bounds are
exact (not cut to integers), no vector as long as the widened range is built, and a first batch of
one single value is not forgotten.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

import numpy as np

from qrs._kernels import histogram, least_error_range
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import per_tensor_affine, qscheme, quint4x2, quint8
from qrs.quantization.observer.base import (
    Batch,
    ObserverBase,
    UniformQuantizationObserverBase,
    wrap,
)
from qrs.quantization.qparams import FloatArray
from qrs.tensor import Tensor

__all__ = ["HistogramObserver"]


class HistogramObserver(UniformQuantizationObserverBase):
    """Keeps a histogram and chooses the range whose quantization error is least.

    The range grows with the data: old counts are spread over the bins of the wider range. The
    search starts at the full range, cuts mass from the side where that crosses more bins, and
    stops when the squared error first rises.

    Spreading makes the result depend a little on the order of the batches, as in PyTorch. In any
    order and any split every value is counted, the lower end is the smallest value, and the upper
    one is not below the largest. Where the result must not depend on them, use `MSEObserver`.

    Parameters
    ----------
    bins : int
        Number of bins.
    upsample_rate : int
        Old bins are split into so many parts before they are spread over a wider range.
    dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `UniformQuantizationObserverBase`; a per-tensor scheme.

    Attributes
    ----------
    histogram : Tensor, float32, shape (bins,)
    min_val, max_val : Tensor, float32, shape ()
        The ends of the histogram. The upper one can lie beyond the largest value, because the range
        is a whole number of parts of old bins.

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.HistogramObserver()
    >>> _ = observer(qrs.linspace(-1.0, 1.0, 1000))
    >>> scale, zero_point = observer.calculate_qparams()
    >>> round(scale.item(), 3), zero_point.item()
    (0.008, 128)
    """

    # Version 3 stores scalar ends before the first batch; earlier ones stored empty tensors.
    _version = 3

    histogram: Tensor
    min_val: Tensor
    max_val: Tensor

    def __init__(
        self,
        bins: int = 2048,
        upsample_rate: int = 128,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        nonfinite: Literal["raise", "ignore"] = "raise",
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite)
        if bins < 2 or upsample_rate < 1:
            raise ValueError(
                f"{self.where}: bins={bins} and upsample_rate={upsample_rate} came, expected at "
                "least 2 and 1"
            )
        self.bins = bins
        self.upsample_rate = upsample_rate
        self.register_buffer("histogram", wrap(np.zeros(bins)))
        self.register_buffer("min_val", wrap(np.inf))
        self.register_buffer("max_val", wrap(-np.inf))

    def _observe(self, batch: Batch) -> None:
        wide = _covering(self._state(), batch.lo, batch.hi, self.upsample_rate)
        counts = wide.counts + _count(batch.values, self.bins, wide.lo, wide.hi)
        self._store(wide._replace(counts=counts))

    def _state(self) -> _Histogram:
        lo, hi = np.float32(self.min_val._array), np.float32(self.max_val._array)
        return _Histogram(self.histogram._array, lo, hi)

    def _store(self, state: _Histogram) -> None:
        self.histogram = wrap(state.counts)
        self.min_val, self.max_val = wrap(state.lo), wrap(state.hi)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the range with the least squared error.

        Returns
        -------
        scale : Tensor, float32, shape (1,)
        zero_point : Tensor, int64, shape (1,)

        Raises
        ------
        NotCalibratedError
            If nothing was observed.
        """
        state = self._state()
        if state.lo > state.hi:
            raise self._not_calibrated()
        levels = 16 if self.dtype is quint4x2 else 256
        lo, hi = _search(state, levels)
        return self._calculate_qparams(np.asarray(lo), np.asarray(hi))

    def merge(self, other: ObserverBase) -> None:
        """Add another's counts over the joint range; approximate within a bin."""
        self._check_same_kind(other)
        other = cast(HistogramObserver, other)
        if other.bins != self.bins:
            raise ValueError(
                f"{self.where}: merge with {other.bins} bins was asked, expected {self.bins}"
            )
        self.nonfinite_count += other.nonfinite_count
        kept, added = self._state(), other._state()
        if added.hi - added.lo > kept.hi - kept.lo:
            # The wider one is spread; the other is placed into its bins.
            kept, added = added, kept
        if added.lo <= added.hi:
            kept = _covering(kept, added.lo, added.hi, self.upsample_rate)
            kept = kept._replace(counts=kept.counts + _placed(added, kept.lo, kept.hi))
        self._store(kept)

    def extra_repr(self) -> str:
        """The ends of the histogram."""
        return f"bins={self.bins}, min_val={self.min_val.item()}, max_val={self.max_val.item()}"

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name, start in (("min_val", np.inf), ("max_val", -np.inf)):
            value = state_dict.get(prefix + name)
            if value is not None and 0 in tuple(value.shape):
                state_dict[prefix + name] = wrap(start)
        counts = state_dict.get(prefix + "histogram")
        if counts is not None:
            self.bins = len(counts)
            self.register_buffer("histogram", wrap(np.zeros(self.bins)))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class _Histogram(NamedTuple):
    """Counts of equal bins on [lo, hi], all float32."""

    counts: FloatArray
    lo: np.float32
    hi: np.float32


def _count(values: FloatArray, bins: int, lo: np.float32, hi: np.float32) -> FloatArray:
    """Counts of values that all lie in [lo, hi]; the largest belongs to the last bin."""
    if lo == hi:
        counts = np.zeros(bins, np.float32)
        counts[0] = values.size
        return counts
    return histogram(values.ravel("K"), float(lo), float(hi), bins).astype(np.float32)


def _placed(source: _Histogram, lo: np.float32, hi: np.float32) -> FloatArray:
    """The counts on the bins of another range, each whole bin by its centre."""
    bins = source.counts.size
    start, width = float(source.lo), float(source.hi) - float(source.lo)
    centres = start + (np.arange(bins) + 0.5) * (width / bins)
    span = max(float(hi) - float(lo), float(np.finfo(np.float32).tiny))
    index = np.clip((centres - float(lo)) / span * bins, 0, bins - 1).astype(np.int64)
    return np.bincount(index, source.counts, bins).astype(np.float32)


def _covering(old: _Histogram, lo: np.float32, hi: np.float32, rate: int) -> _Histogram:
    """The counts over a range that also holds [lo, hi]."""
    if old.lo < old.hi:
        return _widened(old, lo, hi, rate)
    # Nothing, or a single value, which has no width to relate a wider range to.
    lo, hi = min(old.lo, lo), max(old.hi, hi)
    return _Histogram(_placed(old, lo, hi) if old.lo == old.hi else old.counts, lo, hi)


def _widened(old: _Histogram, lo: np.float32, hi: np.float32, rate: int) -> _Histogram:
    """The counts spread over a range that also holds [lo, hi].

    The new range is a whole number of parts of the old bins, only its upper end moving for that:
    with h = (max - min) / (bins * rate), every new bin is D = ceil(range / (bins * h)) parts wide.
    """
    bins = old.counts.size
    lo, hi = min(old.lo, lo), max(old.hi, hi)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        part = (old.hi - old.lo) / np.float32(bins * rate)
        parts = np.ceil((hi - lo) / (np.float32(bins) * part))
        start = np.rint((old.lo - lo) / part)
    if not (np.isfinite(parts) and np.isfinite(start)):
        # The old range is a point beside the new one.
        return _Histogram(_placed(old, lo, hi), lo, hi)
    hi = np.float32(hi + (parts * np.float32(bins) * part - (hi - lo)))
    if lo == old.lo and hi == old.hi:
        return old
    # Mass below the end of each new bin, in parts: whole old bins and a piece of the next one.
    ends = np.arange(1, bins + 1) * float(parts) - float(start)
    whole, piece = np.divmod(np.clip(ends, 0.0, float(bins * rate)), rate)
    below = np.concatenate([[0.0], np.cumsum(old.counts, dtype=np.float64)]) * rate
    next_bin = np.concatenate([old.counts, [np.float32(0)]]).astype(np.float64)
    index = whole.astype(np.int64)
    mass = below[index] + next_bin[index] * piece
    return _Histogram((np.diff(mass, prepend=0.0) / rate).astype(np.float32), lo, hi)


def _search(state: _Histogram, levels: int) -> tuple[np.float32, np.float32]:
    """The range with the least squared error on the way inwards from the full one."""
    counts, lo, hi = state
    bins = counts.size
    width = (hi - lo) / np.float32(bins)
    if not (0 < width < np.inf):
        return lo, hi
    start, end = least_error_range(counts, float(width), levels)
    return lo + width * np.float32(start), lo + width * np.float32(end + 1)
