"""Pooling on arrays (N, C, *S): maximum, average, and their adaptive forms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from qrs.autograd.arrays import Array
from qrs.nn.functional.windows import crop, pad_spatial, taps

__all__ = [
    "Window",
    "adaptive_matrix",
    "adaptive_max",
    "average",
    "average_grad",
    "maximum",
    "maximum_grad",
    "maximum_index",
]


class Window(NamedTuple):
    """How the windows lie over the spatial axes of the input."""

    size: tuple[int, ...]
    out: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def after(self) -> tuple[int, ...]:
        """Padding at the far end, with what a last window of ``ceil_mode`` needs beyond it."""
        reach = (
            (o - 1) * s + d * (k - 1) + 1
            for o, s, d, k in zip(self.out, self.stride, self.dilation, self.kernel, strict=True)
        )
        return tuple(
            max(p, r - n - p) for n, p, r in zip(self.size, self.padding, reach, strict=True)
        )

    def pad(self, x: Array, value: float) -> Array:
        """Return ``x`` with every window inside."""
        return pad_spatial(x, self.padding, self.after, value)

    def unpad(self, padded: Array) -> Array:
        """Return the part of a padded array that holds the input."""
        out: Array = padded[crop(self.padding, self.size)]
        return out


def _lowest(x: Array) -> float:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def maximum(x: Array, w: Window) -> Array:
    """Return the largest value of each window; NaN wins over every number."""
    padded = w.pad(x, _lowest(x))
    slices = (padded[index] for _, index in taps(w.kernel, w.stride, w.dilation, w.out))
    y: Array = next(slices).copy()
    for values in slices:
        np.maximum(y, values, out=y)
    return y


def _first_hits(x: Array, y: Array, w: Window) -> Any:
    """Yield (tap, index, mask) where the mask marks windows whose maximum first stands there."""
    padded = w.pad(x, _lowest(x))
    open_ = np.ones_like(y, dtype=bool)
    for tap, index in taps(w.kernel, w.stride, w.dilation, w.out):
        values = padded[index]
        hit = ((values == y) | (values != values)) & open_
        open_ &= ~hit
        yield tap, index, hit


def maximum_grad(g: Array, x: Array, y: Array, w: Window) -> Array:
    """Return the gradient of the input: each window's goes to the first of its maxima."""
    padded = w.pad(np.zeros_like(x), 0)
    for _, index, hit in _first_hits(x, y, w):
        padded[index] += g * hit
    return w.unpad(padded)


def maximum_index(x: Array, y: Array, w: Window) -> Array:
    """Return where each maximum stands, counted over the flattened spatial axes of the input."""
    found = np.zeros_like(y, dtype=np.int64)
    for tap, _, hit in _first_hits(x, y, w):
        place = np.zeros(w.out, dtype=np.int64, like=y)
        for axis, n in enumerate(w.size):
            at = np.arange(w.out[axis], like=y) * w.stride[axis] + tap[axis] * w.dilation[axis]
            shape = [-1 if a == axis else 1 for a in range(len(w.size))]
            place = place * n + (at - w.padding[axis]).reshape(shape)
        np.copyto(found, place, where=hit)
    return found


def _divisor(w: Window, count_include_pad: bool, override: int | None, like: Array) -> Array | int:
    """Return how many elements each window counts, as an array of the output's spatial shape."""
    if override is not None:
        return override
    total: Array = np.ones((1,) * len(w.out), dtype=np.int64, like=like)
    for axis, (n, o, k, s, p) in enumerate(
        zip(w.size, w.out, w.kernel, w.stride, w.padding, strict=True)
    ):
        start = np.arange(o, like=like) * s - p
        stop = np.minimum(start + k, n + p)
        if not count_include_pad:
            start, stop = np.maximum(start, 0), np.minimum(stop, n)
        total = total * (stop - start).reshape([-1 if a == axis else 1 for a in range(len(w.out))])
    return total


def average(x: Array, w: Window, count_include_pad: bool, override: int | None) -> Array:
    """Return the sum of each window over the number of elements that count."""
    padded = w.pad(x, 0)
    y = np.zeros((*x.shape[:2], *w.out), dtype=x.dtype, like=x)
    for _, index in taps(w.kernel, w.stride, w.dilation, w.out):
        y += padded[index]
    return (y / _divisor(w, count_include_pad, override, x)).astype(x.dtype, copy=False)


def average_grad(g: Array, w: Window, count_include_pad: bool, override: int | None) -> Array:
    """Return the gradient of the input."""
    share = (g / _divisor(w, count_include_pad, override, g)).astype(g.dtype, copy=False)
    padded = w.pad(np.zeros((*g.shape[:2], *w.size), dtype=g.dtype, like=g), 0)
    for _, index in taps(w.kernel, w.stride, w.dilation, w.out):
        padded[index] += share
    return w.unpad(padded)


def _bounds(size: int, out: int) -> list[tuple[int, int]]:
    """Return the adaptive windows of one axis: from floor(i n/m) to ceil((i + 1) n/m)."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_matrix(size: int, out: int, like: Array) -> Array:
    """Return the (out, size) matrix that averages one axis over its adaptive windows."""
    matrix = np.zeros((out, size), dtype=like.dtype, like=like)
    for row, (start, stop) in enumerate(_bounds(size, out)):
        matrix[row, start:stop] = 1 / (stop - start)
    return matrix


def adaptive_max(x: Array, out: Sequence[int]) -> tuple[Array, Array]:
    """Return the adaptive maxima and where they stand, counted over the flattened input."""
    size = x.shape[2:]
    y = np.empty((*x.shape[:2], *out), dtype=x.dtype, like=x)
    places = np.empty_like(y, dtype=np.int64)
    numbers = np.arange(math.prod(size), like=x).reshape(size)
    bounds = [_bounds(n, o) for n, o in zip(size, out, strict=True)]
    for cell in itertools.product(*map(range, out)):
        block = tuple(slice(*bounds[axis][i]) for axis, i in enumerate(cell))
        inside: tuple[Any, ...] = (..., *block)
        here: tuple[Any, ...] = (..., *cell)
        among = numbers[block].reshape(-1)
        values = x[inside].reshape(*x.shape[:2], among.size)
        best = values.argmax(axis=-1)
        y[here] = np.take_along_axis(values, best[..., None], axis=-1)[..., 0]
        places[here] = among[best]
    return y, places
