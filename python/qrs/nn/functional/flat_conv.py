"""Grouped convolution of arrays that lie in memory as (N, C, *S): a tap is a shift of a row.

The padded input is cut into phases, one for each remainder of a position by the stride. All values
that a tap meets lie in one phase, from some offset on; so with a phase as one row per channel, what
a tap multiplies is a slice of the rows. Positions between the lines of an output are computed too,
and dropped.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.arrays import Array

if TYPE_CHECKING:
    from qrs.nn.functional.conv_arrays import Geometry

__all__ = ["correlate"]

# Values of a block of channels: three such blocks stay in the cache.
_BLOCK = 1 << 16


def correlate(x: Array, weight: Array, g: Geometry) -> Array:
    """Return y (N, O, *out) of x (N, C, *size) and weight (O, C/groups, *kernel)."""
    lines = _lines(g)
    n, o = len(x), len(weight)
    length = g.out[0] * math.prod(lines[1:])
    rows, places = _phases(x, g, lines)
    if o == x.shape[1] == g.groups:
        y = _depthwise(rows, weight, places, length)
    else:
        y = _grouped(
            rows.reshape(len(rows), n, x.shape[1], rows.shape[-1]), weight, places, length, g.groups
        )
    y = y.reshape(n, o, g.out[0], *lines[1:])
    used: tuple[Any, ...] = (..., *(slice(size) for size in g.out))
    return np.ascontiguousarray(y[used])


def _lines(g: Geometry) -> tuple[int, ...]:
    """Sizes of a phase: the positions of the output, and how far a kernel reaches beyond them."""
    return tuple(
        out + d * (k - 1) // s
        for out, d, k, s in zip(g.out, g.dilation, g.kernel, g.stride, strict=True)
    )


def _phases(x: Array, g: Geometry, lines: tuple[int, ...]) -> tuple[Array, list[tuple[int, int]]]:
    """Phases as rows, (phases, N C, values); and the phase and offset of each tap."""
    if max(*g.kernel, *g.stride) == 1 and not any(g.padding):
        return x.reshape(1, len(x) * x.shape[1], math.prod(g.size)), [(0, 0)]
    count = math.prod(lines)
    steps = [math.prod(lines[axis + 1 :]) for axis in range(len(lines))]
    numbers: dict[tuple[int, ...], int] = {}
    places = []
    for tap in itertools.product(*map(range, g.kernel)):
        moves = [divmod(t * d, s) for t, d, s in zip(tap, g.dilation, g.stride, strict=True)]
        phase = numbers.setdefault(tuple(rest for _, rest in moves), len(numbers))
        places.append((phase, sum(n * step for (n, _), step in zip(moves, steps, strict=True))))
    # A row goes on behind its phase, so that the slice of the last tap has its full length.
    beyond = max(offset for _, offset in places)
    rows = np.zeros((len(numbers), len(x) * x.shape[1], count + beyond), x.dtype)
    for phases, number in numbers.items():
        ends = [
            _taken(*each) for each in zip(phases, g.stride, g.padding, g.size, lines, strict=True)
        ]
        image = rows[number, :, :count].reshape(*x.shape[:2], *lines)
        to, source = zip(*ends, strict=True)
        image[(..., *to)] = x[(..., *source)]
    return rows, places


def _taken(phase: int, stride: int, padding: int, size: int, line: int) -> tuple[slice, slice]:
    """Where a phase holds values of the input along an axis, and which."""
    first = max(0, -((phase - padding) // stride))
    start = phase + stride * first - padding
    held = max(0, min(line - first, -((start - size) // stride)))
    return slice(first, first + held), slice(start, start + stride * held, stride)


def _depthwise(rows: Array, weight: Array, places: list[tuple[int, int]], length: int) -> Array:
    """(N C, length) of rows (phases, N C, values) and weight (C, 1, *kernel)."""
    channels = rows.shape[1]
    flat = weight.reshape(len(weight), -1)
    factors = np.tile(flat, (channels // max(1, len(flat)), 1))[:, :, None]
    y = np.empty((channels, length), np.result_type(rows, weight))
    block = max(1, _BLOCK // max(1, length))
    product = np.empty((min(block, channels), length), y.dtype)
    for first in range(0, channels, block):
        some = slice(first, first + block)
        total = y[some]
        for tap, (phase, offset) in enumerate(places):
            out: Any = product[: len(total)] if tap else total
            np.multiply(rows[phase, some, offset : offset + length], factors[some, tap], out=out)
            if tap:
                total += out
    return y


def _grouped(
    rows: Array, weight: Array, places: list[tuple[int, int]], length: int, groups: int
) -> Array:
    """(N, O, length) of rows (phases, N, C, values) and weight (O, C/groups, *kernel)."""
    n, channels = rows.shape[1:3]
    matrices = weight.reshape(groups, len(weight) // groups, -1)
    y = np.empty((n, len(weight), length), np.result_type(rows, weight))
    patches = np.empty((channels, len(places), length), rows.dtype)
    for image in range(n):
        if len(places) == 1:
            patches = rows[0, image]
        for tap, (phase, offset) in enumerate(places if len(places) > 1 else ()):
            patches[:, tap] = rows[phase, image, :, offset : offset + length]
        out = y[image].reshape(groups, len(weight) // groups, length)
        np.matmul(matrices, patches.reshape(groups, -1, length), out=out)
    return y
