"""Batch normalisation by the statistics of the batch, as one primitive.

    y = (x - m) / sqrt(v + eps) * weight + bias,  m and v the mean and biased variance of a channel.

With n elements per channel, c = x - m, r = 1 / sqrt(v + eps), s1 = sum g and s2 = sum g c:

    dx = weight r (g - s1 / n - c r^2 s2 / n),  d weight = r s2,  d bias = s1

and, as m and v are results too, dx += dm / n + 2 c dv / n. Source: Ioffe and Szegedy 2015,
arXiv:1502.03167. Every pass goes through the arrays in the order in which they lie in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, define_fused
from qrs.autograd.arrays import Array, arrayed

__all__ = ["BATCH_NORM"]

# Rows that are added up before their sums are: keeps the error of float32 sums small.
_ROWS = 256


class _Layout:
    """How (N, C, *S) lies in memory, and sums and products per channel in that order."""

    def __init__(self, x: Array) -> None:
        self.shape = x.shape
        last = np.moveaxis(x, 1, -1)
        self.is_last = not x.flags.c_contiguous and last.flags.c_contiguous

    def flat(self, x: Array) -> Array:
        """(rows, C) if channels-last, else (N, C, P); a copy if ``x`` lies otherwise."""
        channels = self.shape[1]
        if self.is_last:
            return np.moveaxis(x, 1, -1).reshape(x.size // channels, channels)
        return x.reshape(len(x), channels, x.size // (len(x) * channels))

    def shaped(self, flat: Array) -> Array:
        """Undo `flat`."""
        if not self.is_last:
            return flat.reshape(self.shape)
        sizes = (self.shape[0], *self.shape[2:], self.shape[1])
        return np.moveaxis(flat.reshape(sizes), -1, 1)

    def spread(self, values: Array) -> Array:
        """(C,) so that it broadcasts over `flat`."""
        return values if self.is_last else values[:, None]

    def sums(self, a: Array, b: Array | None = None) -> Array:
        """The sum of ``a``, or of ``a * b``, over each channel."""
        if not self.is_last:
            total = a.sum(axis=0) if b is None else np.einsum("ncp,ncp->cp", a, b)
            return arrayed(total.sum(axis=1))
        if b is not None:
            a = a * b
        # A product with ones adds rows six times as fast as `sum` does.
        rows = len(a) // _ROWS * _ROWS
        blocks = a[:rows].reshape(rows // _ROWS, _ROWS, a.shape[1])
        found = np.matmul(np.ones((1, _ROWS), a.dtype, like=a), blocks).sum(axis=(0, 1))
        return arrayed(found + a[rows:].sum(axis=0))


def _forward(
    x: Array, weight: Array | None, bias: Array | None, *, save: bool, eps: float
) -> tuple[tuple[Array, Array, Array], Any]:
    """Return y (N, C, *S), and mean and biased variance (C,) of the batch."""
    layout = _Layout(x)
    flat = layout.flat(x)
    count = x.size // x.shape[1]
    mean = layout.sums(flat) / count
    centred = flat - layout.spread(mean)
    variance = layout.sums(centred, centred) / count
    inverse = 1 / np.sqrt(variance + x.dtype.type(eps))
    factor = inverse if weight is None else inverse * weight
    y = np.multiply(centred, layout.spread(factor), out=None if save else centred)
    if bias is not None:
        y += layout.spread(bias)
    saved = (layout, centred, inverse, factor) if save else None
    return (layout.shaped(y), mean, variance), saved


def _backward(
    grads: Sequence[Array], saved: Any, needs: Sequence[bool], *, eps: float
) -> Sequence[Array | None]:
    del eps
    layout, centred, inverse, factor = saved
    g = layout.flat(grads[0])
    of_mean, of_variance = grads[1], grads[2]
    count = centred.size // len(inverse)
    total, products = layout.sums(g), layout.sums(g, centred)
    d_x = None
    if needs[0]:
        d_x = g * layout.spread(factor)
        slope = (2 * of_variance - factor * inverse * inverse * products) / count
        d_x += centred * layout.spread(slope)
        d_x += layout.spread((of_mean - factor * total) / count)
        d_x = layout.shaped(d_x)
    d_weight = inverse * products if needs[1] else None
    return d_x, d_weight, total if needs[2] else None


def _samples(rng: np.random.Generator) -> Iterable[Sample]:
    normal = rng.standard_normal
    yield Sample(normal((4, 3, 2)), normal(3), normal(3), eps=0.1)
    yield Sample(normal((5, 2)), None, None, eps=0.1)
    yield Sample(np.moveaxis(normal((2, 150, 2, 3)), -1, 1), normal(3), None, eps=0.1)


BATCH_NORM = define_fused("batch_norm", _forward, _backward, samples=_samples)
"""From (N, C, *S), weight (C,) and bias (C,) or None; gives y, mean (C,) and variance (C,)."""
