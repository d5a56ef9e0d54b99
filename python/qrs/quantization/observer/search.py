"""Observers that choose a range from an exact histogram: percentile, squared error, entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import per_tensor_affine, qscheme, quint8
from qrs.quantization.observer.exact import Doubles, ExactHistogramObserver
from qrs.quantization.qparams import qparams

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

    def _choose(self, counts: Counts, edges: Doubles) -> tuple[float, float]:
        lo, hi = min(float(edges[0]), 0.0), max(float(edges[-1]), 0.0)
        top = max(-lo, hi)
        if top == 0.0:
            return lo, hi
        centres = (edges[1:] + edges[:-1]) / 2
        share = np.arange(1, _TRIES + 1) / _TRIES

        def loss(candidate: tuple[float, float]) -> float:
            return self._loss(counts, centres, *candidate)

        best = _least(loss, [(max(lo, -top * t), min(hi, top * t)) for t in share])
        best = _least(loss, [best, *((best[0], hi * t) for t in share if hi > 0)])
        return _least(loss, [best, *((lo * t, best[1]) for t in share if lo < 0)])

    def _loss(self, counts: Counts, centres: Doubles, lo: float, hi: float) -> float:
        raise NotImplementedError(
            f"{type(self).__name__}: no _loss method, expected the class to define one"
        )

    def _steps(self, centres: Doubles, lo: float, hi: float) -> tuple[Doubles, float, float]:
        """Stored integers of the bin centres under a range, with its scale and zero point."""
        scale, zero_point = qparams(
            np.asarray(lo, np.float32),
            np.asarray(hi, np.float32),
            self.dtype,
            self.qscheme,
            self.quant_min,
            self.quant_max,
            custom_range=self._custom_range,
        )
        s, z = float(scale[0]), float(zero_point[0])
        q = np.clip(np.rint(centres / s) + z, self.quant_min, self.quant_max)
        return q, s, z


def _least(
    loss: Callable[[tuple[float, float]], float], candidates: list[tuple[float, float]]
) -> tuple[float, float]:
    """The widest candidate of least loss; they come narrowest first."""
    losses = np.array([loss(candidate) for candidate in candidates])
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

    def _loss(self, counts: Counts, centres: Doubles, lo: float, hi: float) -> float:
        q, scale, zero_point = self._steps(centres, lo, hi)
        return float(np.dot(counts, (centres - (q - zero_point) * scale) ** 2))


class EntropyObserver(_ThresholdSearch):
    """Chooses the range that loses least information (Kullback-Leibler divergence).

    The reference distribution is the histogram with what lies outside moved into the outermost bins
    of the range; the other one gives every bin of a quantization step the mean of the used bins of
    that step, outliers not counted.

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

    def _loss(self, counts: Counts, centres: Doubles, lo: float, hi: float) -> float:
        q, _, _ = self._steps(centres, lo, hi)
        inside = np.flatnonzero((centres >= lo) & (centres <= hi))
        if inside.size == 0:
            return float("inf")
        start, stop = inside[0], inside[-1] + 1
        kept = counts[start:stop].astype(np.float64)
        reference = kept.copy()
        reference[0] += counts[:start].sum()
        reference[-1] += counts[stop:].sum()
        if not kept.any():
            return float("inf")
        step = (q[start:stop] - q[start]).astype(np.int64)
        used = reference > 0
        mass = np.bincount(step, kept)
        width = np.maximum(np.bincount(step, used), 1)
        p = reference[used] / reference.sum()
        model = (mass / width)[step][used] / kept.sum()
        # A used bin of the reference without mass in the model: only an outermost one.
        model = np.maximum(model, 1e-12)
        return float(np.dot(p, np.log(p / model)))
