"""A histogram whose state depends on the data alone, not on how it was cut into batches.

Bins are ``[i * w, (i + 1) * w)`` with whole numbers ``i`` and a width ``w`` that is a power of
two: the smallest for which all values seen fit into the given number of bins. Doubling the width
joins pairs of bins exactly (``floor(floor(x / w) / 2) = floor(x / (2 w))``), so any order and any
split of the data, and any tree of merges, end in the same integers.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from qrs._kernels import histogram_on_grid
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import per_tensor_affine, qscheme, quint8
from qrs.quantization.observer.base import (
    Batch,
    ObserverBase,
    UniformQuantizationObserverBase,
    wrap,
)
from qrs.tensor import Tensor

__all__ = ["Doubles", "ExactHistogramObserver"]

Doubles = npt.NDArray[np.float64]

# A width below 2^-30 of the largest magnitude resolves more than float32 holds; the floor keeps bin
# numbers within 32 bits. Zeros alone get the width of nothing at all.
_FINEST = 30
_ZEROS = -200


class ExactHistogramObserver(UniformQuantizationObserverBase):
    """Base of observers that choose a range from an exact histogram.

    A subclass chooses in `_choose`. Statistics take the same space whatever the amount of data.

    Parameters
    ----------
    bins : int
        Largest number of bins; the width is such that at least half of them are used.
    dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `UniformQuantizationObserverBase`; a per-tensor scheme.

    Attributes
    ----------
    histogram : Tensor, int64, shape (bins,)
    first, exponent : Tensor, int64, shape ()
        Bin ``j`` counts the values in ``[(first + j) * 2^exponent, (first + j + 1) * 2^exponent)``.
    min_val, max_val : Tensor, float32, shape ()
    """

    histogram: Tensor
    first: Tensor
    exponent: Tensor
    min_val: Tensor
    max_val: Tensor

    def __init__(
        self,
        bins: int = 2048,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        nonfinite: Literal["raise", "ignore"] = "raise",
    ) -> None:
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite)
        if bins < 2:
            raise ValueError(f"{self.where}: bins={bins} came, expected at least 2")
        self.bins = bins
        self.register_buffer("histogram", wrap(np.zeros(bins), np.int64))
        self.register_buffer("first", wrap(0, np.int64))
        self.register_buffer("exponent", wrap(_ZEROS, np.int64))
        self.register_buffer("min_val", wrap(np.inf))
        self.register_buffer("max_val", wrap(-np.inf))

    def _observe(self, batch: Batch) -> None:
        self._widen(float(batch.lo), float(batch.hi))
        first, exponent = int(self.first._array), int(self.exponent._array)
        self._add(histogram_on_grid(batch.values.ravel("K"), first, exponent, self.bins))

    def _add(self, counts: npt.NDArray[np.int64]) -> None:
        self.histogram = wrap(self.histogram._array + counts, np.int64)

    def _widen(self, lo: float, hi: float) -> None:
        """Make room for [lo, hi]."""
        lo, hi = min(lo, float(self.min_val._array)), max(hi, float(self.max_val._array))
        exponent = _exponent(lo, hi, self.bins)
        first = _bin(lo, exponent)
        index = (int(self.first._array) + np.arange(self.bins)) >> (
            exponent - int(self.exponent._array)
        )
        counts = np.zeros(self.bins, np.int64)
        used = self.histogram._array > 0
        np.add.at(counts, index[used] - first, self.histogram._array[used])
        self.histogram = wrap(counts, np.int64)
        self.first, self.exponent = wrap(first, np.int64), wrap(exponent, np.int64)
        self.min_val, self.max_val = wrap(lo), wrap(hi)

    def merge(self, other: ObserverBase) -> None:
        """Add another's counts: exactly what one observer would hold after all the data."""
        self._check_same_kind(other)
        other = cast(ExactHistogramObserver, other)
        if other.bins != self.bins:
            raise ValueError(
                f"{self.where}: merge with {other.bins} bins was asked, expected {self.bins}"
            )
        self.nonfinite_count += other.nonfinite_count
        lo, hi = float(other.min_val._array), float(other.max_val._array)
        if lo > hi:
            return
        self._widen(lo, hi)
        index = (int(other.first._array) + np.arange(self.bins)) >> (
            int(self.exponent._array) - int(other.exponent._array)
        )
        used = other.histogram._array > 0
        counts = np.zeros(self.bins, np.int64)
        np.add.at(counts, index[used] - self.first._array, other.histogram._array[used])
        self._add(counts)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the chosen range.

        Returns
        -------
        scale : Tensor, float32, shape (1,)
        zero_point : Tensor, int64, shape (1,)

        Raises
        ------
        NotCalibratedError
            If nothing was observed.
        """
        lo, hi = float(self.min_val._array), float(self.max_val._array)
        if lo > hi:
            raise self._not_calibrated()
        counts = self.histogram._array
        used = np.flatnonzero(counts)
        edges = np.ldexp(
            (int(self.first._array) + np.arange(used[0], used[-1] + 2)).astype(np.float64),
            int(self.exponent._array),
        )
        chosen = self._choose(counts[used[0] : used[-1] + 1], edges)
        # A bin reaches beyond the values in it.
        lo, hi = max(chosen[0], lo), min(chosen[1], hi)
        return self._calculate_qparams(np.array(lo, np.float32), np.array(hi, np.float32))

    def _choose(self, counts: npt.NDArray[np.int64], edges: Doubles) -> tuple[float, float]:
        """The range to quantize, given counts (n,) and the edges (n + 1,) of their bins."""
        raise NotImplementedError(
            f"{type(self).__name__}: no _choose method, expected the class to define one"
        )

    def extra_repr(self) -> str:
        """The range seen."""
        return f"bins={self.bins}, min_val={self.min_val.item()}, max_val={self.max_val.item()}"

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        counts = state_dict.get(prefix + "histogram")
        if counts is not None:
            self.bins = len(counts)
            self.register_buffer("histogram", wrap(np.zeros(self.bins), np.int64))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _bin(value: float, exponent: int) -> int:
    return math.floor(math.ldexp(value, -exponent))


def _exponent(lo: float, hi: float, bins: int) -> int:
    """The smallest exponent at which [lo, hi] needs no more than `bins` bins."""
    magnitude = max(abs(lo), abs(hi))
    if magnitude == 0:
        return _ZEROS
    exponent = math.frexp(magnitude)[1] - _FINEST
    if hi > lo:
        # One below the exponent of the ideal width is too fine at best.
        exponent = max(exponent, math.frexp((hi - lo) / bins)[1] - 2)
    while _bin(hi, exponent) - _bin(lo, exponent) >= bins:
        exponent += 1
    return exponent
