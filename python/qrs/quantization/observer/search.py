"""Observers that choose a range from an exact histogram: percentile, squared error, entropy."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from qrs._kernels import divergences, squared_errors
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import per_tensor_affine, qscheme, quint8
from qrs.quantization.observer.exact import Doubles, ExactHistogramObserver

__all__ = ["EntropyObserver", "MSEObserver", "PercentileObserver"]

Counts = npt.NDArray[np.int64]

# How many thresholds each sweep tries.
_TRIES = 128


class PercentileObserver(ExactHistogramObserver):
    """Leaves out the outermost values: half of ``100 - percentile`` per cent on either side.

    Parameters
    ----------
    percentile : float
        Share of the values that the range holds, in (0, 100].
    bins, dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `ExactHistogramObserver`.

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.PercentileObserver(percentile=99.0)
    >>> _ = observer(qrs.cat([qrs.linspace(0.0, 1.0, 1000), qrs.tensor([100.0])]))
    >>> scale, _ = observer.calculate_qparams()
    >>> scale.item() < 0.01
    True
    """

    def __init__(
        self,
        percentile: float = 99.99,
        bins: int = 2048,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        nonfinite: Literal["raise", "ignore"] = "raise",
    ) -> None:
        super().__init__(bins, dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite)
        if not 0.0 < percentile <= 100.0:
            raise ValueError(
                f"{self.where}: percentile={percentile} came, expected a number in (0, 100]"
            )
        self.percentile = percentile

    def _choose(self, counts: Counts, edges: Doubles) -> tuple[float, float]:
        below = np.cumsum(counts)
        cut = below[-1] * (1.0 - self.percentile / 100.0) / 2.0
        start = int(np.searchsorted(below, cut, side="right"))
        stop = int(np.searchsorted(below, below[-1] - cut, side="left"))
        return float(edges[start]), float(edges[stop + 1])


class _ThresholdSearch(ExactHistogramObserver):
    """Tries ranges clipped at a threshold and keeps the one with the least loss.

    First both sides are clipped at one magnitude, then the upper and the lower end alone.
    """

    def _losses(self, counts: Counts, centres: Doubles, candidates: Doubles) -> Doubles:
        """What each candidate loses, a row of lo, hi, scale and zero point."""
        raise NotImplementedError(
            f"{type(self).__name__}: no _losses method, expected the class to define one"
        )

    def _choose(self, counts: Counts, edges: Doubles) -> tuple[float, float]:
        lo, hi = min(float(edges[0]), 0.0), max(float(edges[-1]), 0.0)
        top = max(-lo, hi)
        if top == 0.0:
            return lo, hi
        centres = (edges[1:] + edges[:-1]) / 2
        share = np.arange(1, _TRIES + 1) / _TRIES

        def least(candidates: list[tuple[float, float]]) -> tuple[float, float]:
            return self._least(counts, centres, candidates)

        best = least([(max(lo, -top * t), min(hi, top * t)) for t in share])
        best = least([best, *((best[0], hi * t) for t in share if hi > 0)])
        return least([best, *((lo * t, best[1]) for t in share if lo < 0)])

    def _least(
        self, counts: Counts, centres: Doubles, candidates: list[tuple[float, float]]
    ) -> tuple[float, float]:
        """The last candidate of least loss: the widest, as they come narrowest first."""
        lo, hi = np.array(candidates).T
        scale, zero_point = self._qparams(lo, hi)
        rows = np.stack([lo, hi, scale, zero_point], axis=1).astype(np.float64)
        losses = self._losses(counts, centres, rows)
        return candidates[len(losses) - 1 - int(np.argmin(losses[::-1]))]


class MSEObserver(_ThresholdSearch):
    """Chooses the range whose squared quantization error is least.

    The error is that of the very scale and zero point which the range leads to, rounding and
    clamping included, with each bin at its centre.

    Parameters
    ----------
    bins, dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `ExactHistogramObserver`.

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.MSEObserver()
    >>> _ = observer(qrs.cat([qrs.linspace(0.0, 1.0, 10000), qrs.tensor([3.0])]))
    >>> scale, _ = observer.calculate_qparams()
    >>> scale.item() < 3 / 255
    True
    """

    def _losses(self, counts: Counts, centres: Doubles, candidates: Doubles) -> Doubles:
        return squared_errors(counts, centres, candidates, self.quant_min, self.quant_max)


class EntropyObserver(_ThresholdSearch):
    """Chooses the range that loses least information (Kullback-Leibler divergence).

    The reference distribution is the histogram with what lies outside moved into the outermost bins
    of the range; the other one gives every bin of a quantization step the mean of the used bins of
    that step, outliers not counted. The bin that begins at zero counts no more than the larger of
    its neighbours: zeros, of which ReLU makes many, are stored exactly whatever the range.

    Parameters
    ----------
    bins, dtype, qscheme, reduce_range, quant_min, quant_max, nonfinite
        See `ExactHistogramObserver`.

    Notes
    -----
    Source: Migacz, "8-bit inference with TensorRT", 2017, carried over to affine ranges.

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.EntropyObserver()
    >>> _ = observer(qrs.cat([qrs.linspace(0.0, 1.0, 10000), qrs.tensor([50.0])]))
    >>> scale, _ = observer.calculate_qparams()
    >>> scale.item() < 0.1
    True
    """

    def _losses(self, counts: Counts, centres: Doubles, candidates: Doubles) -> Doubles:
        return divergences(counts, centres, candidates, self.quant_min, self.quant_max)

    def _choose(self, counts: Counts, edges: Doubles) -> tuple[float, float]:
        for zero in np.flatnonzero(edges[:-1] == 0.0):
            beside = [counts[i] for i in (zero - 1, zero + 1) if 0 <= i < len(counts)]
            if any(beside):
                counts = counts.copy()
                counts[zero] = min(counts[zero], max(beside))
        return super()._choose(counts, edges)
