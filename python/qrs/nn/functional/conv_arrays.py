"""Convolution on arrays: the three linear maps from which every rule follows.

With ``y = conv(x, w)`` there are three maps, each linear in both arguments:

- `correlate` gives y from (x, w): the convolution;
- `spread` gives the shape of x from (y, w): its gradient, and the transposed convolution;
- `match` gives the shape of w from (x, y): the gradient of the weight of both.

The gradient of each is again one of the three. ``x`` (N, C, *S), ``w`` (O, C/groups, *K),
``y`` (N, O, *S').

What comes in channels-last in memory (a transposed view) goes out so, as in PyTorch; anything else
gives a C-contiguous result. `correlate` takes contiguous arrays as they are (flat_conv). For all
others, and the other maps, images are channels-last inside, (N, *S, C): a patch is then a few long
runs of memory, and each map is one matrix product over all images.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from qrs.autograd.arrays import Array
from qrs.nn.functional import flat_conv
from qrs.nn.functional.windows import gather_patches, scatter_patches, taps

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


def _channels_last(x: Array) -> Array:
    """View (N, C, *S) as (N, *S, C)."""
    return np.moveaxis(x, 1, -1)


def _restored(y: Array, like: Array) -> Array:
    """View (N, *S, C) as (N, C, *S), copied unless ``like`` is channels-last in memory too."""
    y = np.moveaxis(y, -1, 1)
    if not like.flags.c_contiguous and _channels_last(like).flags.c_contiguous:
        return y
    return np.ascontiguousarray(y, like=y)


def _padded(x: Array, g: Geometry) -> Array:
    """X (N, C, *size) as (N, *padded, C)."""
    if not any(g.padding):
        return np.ascontiguousarray(_channels_last(x), like=x)
    out = np.zeros((len(x), *g.padded, x.shape[1]), dtype=x.dtype, like=x)
    out[_inside(g)] = _channels_last(x)
    return out


def _inside(g: Geometry) -> tuple[Any, ...]:
    """The index of what is no padding in (N, *padded, C)."""
    return (slice(None), *(slice(p, p + n) for p, n in zip(g.padding, g.size, strict=True)))


def _is_depthwise(outputs: int, channels: int, g: Geometry) -> bool:
    # One output channel per input channel: a product per tap beats many one-row matrix products.
    return g.groups > 1 and outputs == channels == g.groups


def _tap_slices(g: Geometry) -> list[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Each tap with the index of its slice in (N, *padded, C)."""
    return [
        (tap, (slice(None), *index[1:]))
        for tap, index in taps(g.kernel, g.stride, g.dilation, g.out)
    ]


def _matrices(weight: Array, g: Geometry) -> Array:
    """The weight as (groups, taps * C/groups, O/groups), the order of patches."""
    o, per_group = weight.shape[:2]
    parts = weight.reshape(g.groups, o // g.groups, per_group, math.prod(g.kernel))
    matrix = parts.transpose(0, 3, 2, 1)
    return matrix.reshape(g.groups, math.prod(g.kernel) * per_group, o // g.groups)


def _images(rows: Array, n: int, size: tuple[int, ...]) -> Array:
    """(groups, N * positions, C/groups) as (N, *size, C)."""
    groups, _, per_group = rows.shape
    if groups > 1:
        rows = rows.transpose(1, 0, 2)
    return rows.reshape(n, *size, groups * per_group)


def _grouped_rows(y: Array, groups: int) -> Array:
    """(N, O, *S') as (groups, N * positions, O/groups)."""
    positions = len(y) * math.prod(y.shape[2:])
    rows = _channels_last(y).reshape(positions, groups, y.shape[1] // groups)
    return rows.transpose(1, 0, 2)


def _of_tap(tap: Any) -> Any:
    """The index of all weights of one kernel position in a depthwise weight (O, 1, *kernel)."""
    return (slice(None), 0, *tap)


def correlate(x: Array, weight: Array, g: Geometry) -> Array:
    """Return y (N, O, *out) of x (N, C, *size) and weight (O, C/groups, *kernel)."""
    n, o = len(x), len(weight)
    if type(x) is np.ndarray and x.flags.c_contiguous:
        return flat_conv.correlate(x, weight, g)
    padded = _padded(x, g)
    if _is_depthwise(o, x.shape[1], g):
        y = np.zeros((n, *g.out, o), dtype=np.result_type(x, weight), like=x)
        for tap, index in _tap_slices(g):
            y += padded[index] * weight[_of_tap(tap)]
        return _restored(y, x)
    patches = gather_patches(padded, g.kernel, g.stride, g.dilation, g.out, g.groups)
    return _restored(_images(np.matmul(patches, _matrices(weight, g)), n, g.out), x)


def spread(y: Array, weight: Array, g: Geometry) -> Array:
    """Return x (N, C, *size) of y (N, O, *out) and weight (O, C/groups, *kernel)."""
    n, o = y.shape[:2]
    channels = weight.shape[1] * g.groups
    shape = (n, *g.padded, channels)
    if _is_depthwise(o, channels, g):
        rows = _channels_last(y)
        padded = np.zeros(shape, dtype=np.result_type(y, weight), like=y)
        for tap, index in _tap_slices(g):
            padded[index] += rows * weight[_of_tap(tap)]
    elif _has_dense_gradient(g):
        return correlate(y, _flipped(weight, g), _transposed(g))
    else:
        patches = np.matmul(_grouped_rows(y, g.groups), _matrices(weight, g).swapaxes(1, 2))
        padded = scatter_patches(patches, shape, g.kernel, g.stride, g.dilation, g.out)
    return _restored(padded[_inside(g)], y)


def _has_dense_gradient(g: Geometry) -> bool:
    """Whether `spread` is itself a convolution: reading is cheaper than adding."""
    reach = (d * (k - 1) for d, k in zip(g.dilation, g.kernel, strict=True))
    return all(s == 1 for s in g.stride) and all(
        p <= r for p, r in zip(g.padding, reach, strict=True)
    )


def _flipped(weight: Array, g: Geometry) -> Array:
    """The weight (C, O/groups, *kernel) of the convolution that `spread` is at stride 1."""
    o, per_group = weight.shape[:2]
    parts = weight.reshape(g.groups, o // g.groups, per_group, *g.kernel).swapaxes(1, 2)
    parts = np.flip(parts, tuple(range(3, parts.ndim)))
    return parts.reshape(g.groups * per_group, o // g.groups, *g.kernel)


def _transposed(g: Geometry) -> Geometry:
    padding = tuple(
        d * (k - 1) - p for d, k, p in zip(g.dilation, g.kernel, g.padding, strict=True)
    )
    return g._replace(size=g.out, out=g.size, padding=padding)


def match(x: Array, y: Array, g: Geometry) -> Array:
    """Return weight (O, C/groups, *kernel) of x (N, C, *size) and y (N, O, *out)."""
    o, channels = y.shape[1], x.shape[1]
    padded = _padded(x, g)
    if _is_depthwise(o, channels, g):
        rows = _channels_last(y)
        weight = np.empty((o, 1, *g.kernel), dtype=np.result_type(x, y), like=x)
        axes = tuple(range(y.ndim - 1))
        for tap, index in _tap_slices(g):
            weight[_of_tap(tap)] = (padded[index] * rows).sum(axis=axes)
        return weight
    patches = gather_patches(padded, g.kernel, g.stride, g.dilation, g.out, g.groups)
    total: Array = np.matmul(patches.swapaxes(1, 2), _grouped_rows(y, g.groups))
    per_group = channels // g.groups
    parts = total.reshape(g.groups, math.prod(g.kernel), per_group, o // g.groups)
    return parts.transpose(0, 3, 2, 1).reshape(o, per_group, *g.kernel)
