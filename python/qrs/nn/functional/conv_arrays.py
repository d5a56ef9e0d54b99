"""Convolution on arrays: the three linear maps from which every rule follows.

With ``y = conv(x, w)`` there are three maps, each linear in both arguments:

- `correlate` gives y from (x, w): the convolution;
- `spread` gives the shape of x from (y, w): its gradient, and the transposed convolution;
- `match` gives the shape of w from (x, y): the gradient of the weight of both.

The gradient of each is again one of the three. ``x`` (N, C, *S), ``w`` (O, C/groups, *K),
``y`` (N, O, *S').
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qrs.autograd.arrays import Array
from qrs.nn.functional.windows import crop, gather_columns, pad_spatial, scatter_columns, taps

__all__ = ["Geometry", "correlate", "match", "spread"]


class Geometry(NamedTuple):
    """How the windows lie: sizes of x, y and kernel, and the usual four numbers."""

    size: tuple[int, ...]
    out: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def padded(self) -> tuple[int, ...]:
        """Sizes of x after padding."""
        return tuple(n + 2 * p for n, p in zip(self.size, self.padding, strict=True))


def _columns(x: Array, g: Geometry) -> Array:
    padded = pad_spatial(x, g.padding, g.padding)
    return gather_columns(padded, g.kernel, g.stride, g.dilation, g.out, g.groups)


def _is_depthwise(weight: Array, g: Geometry) -> bool:
    # One output channel per input channel: a product per tap beats many one-row matrix products.
    return g.groups > 1 and weight.shape[0] == g.groups and weight.shape[1] == 1


def _of_tap(tap: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the index of one tap in a depthwise weight (C, 1, *kernel)."""
    return (slice(None), 0, *tap)


def _per_channel(weight: Array, tap: tuple[int, ...], rank: int) -> Array:
    out: Array = weight[_of_tap(tap)].reshape(-1, *(1,) * rank)
    return out


def correlate(x: Array, weight: Array, g: Geometry) -> Array:
    """Return y (N, O, *out) of x (N, C, *size) and weight (O, C/groups, *kernel)."""
    n, o = len(x), len(weight)
    if _is_depthwise(weight, g):
        padded = pad_spatial(x, g.padding, g.padding)
        y = np.zeros((n, o, *g.out), dtype=np.result_type(x, weight))
        for tap, index in taps(g.kernel, g.stride, g.dilation, g.out):
            y += padded[index] * _per_channel(weight, tap, len(g.out))
        return y
    rows = weight.reshape(g.groups, o // g.groups, -1)
    products: Array = np.matmul(rows, _columns(x, g))
    return products.reshape(n, o, *g.out)


def spread(y: Array, weight: Array, g: Geometry) -> Array:
    """Return x (N, C, *size) of y (N, O, *out) and weight (O, C/groups, *kernel)."""
    n, o = y.shape[:2]
    channels = weight.shape[1] * g.groups
    shape = (n, channels, *g.padded)
    if _is_depthwise(weight, g):
        padded = np.zeros(shape, dtype=np.result_type(y, weight))
        for tap, index in taps(g.kernel, g.stride, g.dilation, g.out):
            padded[index] += y * _per_channel(weight, tap, len(g.out))
    else:
        rows = weight.reshape(g.groups, o // g.groups, -1).swapaxes(1, 2)
        columns = np.matmul(rows, y.reshape(n, g.groups, o // g.groups, -1))
        padded = scatter_columns(columns, shape, g.kernel, g.stride, g.dilation, g.out)
    return padded[crop(g.padding, g.size)] if any(g.padding) else padded


def match(x: Array, y: Array, g: Geometry) -> Array:
    """Return weight (O, C/groups, *kernel) of x (N, C, *size) and y (N, O, *out)."""
    n, o = y.shape[:2]
    channels = x.shape[1]
    if g.groups > 1 and o == channels == g.groups:
        padded = pad_spatial(x, g.padding, g.padding)
        weight = np.empty((o, 1, *g.kernel), dtype=np.result_type(x, y))
        axes = (0, *range(2, y.ndim))
        for tap, index in taps(g.kernel, g.stride, g.dilation, g.out):
            weight[_of_tap(tap)] = (padded[index] * y).sum(axis=axes)
        return weight
    columns = _columns(x, g).swapaxes(2, 3)
    rows = y.reshape(n, g.groups, o // g.groups, -1)
    total: Array = np.matmul(rows, columns).sum(axis=0)
    return total.reshape(o, channels // g.groups, *g.kernel)
