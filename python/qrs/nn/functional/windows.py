"""Sliding windows over arrays: what convolution and pooling share.

Arrays are (N, C, *S). A *tap* is one position inside the kernel; the slice of a tap holds, for
every output position, the input value under that tap. Loops run over taps, of which there are few,
and never over positions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from qrs.autograd.arrays import Array
from qrs.errors import ShapeError

__all__ = [
    "check_images",
    "check_numbers",
    "check_output_padding",
    "crop",
    "gather_patches",
    "output_size",
    "pad_spatial",
    "scatter_patches",
    "taps",
    "to_tuple",
]


def to_tuple(value: int | Sequence[int], n: int, where: str, name: str) -> tuple[int, ...]:
    """Return ``value`` as ``n`` integers: an integer or a single entry counts for every axis.

    Raises
    ------
    ShapeError
        If a sequence of another length came.
    """
    if isinstance(value, (int, np.integer)):
        return (int(value),) * n
    entries = tuple([int(v) for v in value])
    if len(entries) == 1:
        return entries * n
    if len(entries) != n:
        raise ShapeError(f"{where}: {name} {entries} came, expected one integer or {n}")
    return entries


def check_images(where: str, rank: int, shape: Sequence[int], channels: int) -> None:
    """Raise unless a shape is (N, C, *S) or (C, *S), with so many channels.

    Raises
    ------
    ShapeError
        Says how to mend it where channels stand last, or the axis of a single one is missing.
    """
    given = tuple(shape)
    axes = len(given) - rank
    if axes in (1, 2) and given[axes - 1] == channels:
        return
    hint = ""
    if axes in (1, 2) and given[-1] == channels:
        order = [*range(axes - 1), len(given) - 1, *range(axes - 1, len(given) - 1)]
        hint = f"; channels come before sizes: use x.permute({', '.join(map(str, order))})"
    elif axes in (0, 1) and channels == 1:
        hint = f"; images of one channel have an axis for it: use x.unsqueeze({axes})"
    one = ", ".join([str(channels), *"DHW"[3 - rank :]])
    raise ShapeError(f"{where}: input of shape {given} came, expected (N, {one}) or ({one}){hint}")


def check_numbers(
    where: str,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> None:
    """Raise for a window that cannot be.

    Raises
    ------
    ShapeError
        If a kernel, stride or dilation is not positive, or a padding negative.
    """
    if min(*kernel, *stride, *dilation) < 1 or min(padding) < 0:
        raise ShapeError(
            f"{where}: kernel {tuple(kernel)}, stride {tuple(stride)}, padding {tuple(padding)}, "
            f"dilation {tuple(dilation)} came, expected positive numbers and a padding of at "
            "least 0"
        )


def check_output_padding(
    where: str, extra: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> None:
    """Raise for an output padding that PyTorch refuses.

    Raises
    ------
    ShapeError
        If it is negative, or neither less than the stride nor less than the dilation.
    """
    if any(not 0 <= e < max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ShapeError(
            f"{where}: output_padding {tuple(extra)} came, expected it to be less than stride "
            f"{tuple(stride)} or dilation {tuple(dilation)}"
        )


def output_size(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    where: str,
    ceil_mode: bool = False,
) -> tuple[int, ...]:
    """Return the number of window positions of each axis.

    With ``ceil_mode`` a last window may reach beyond the padded input, if it starts inside the
    input or its left padding.

    Raises
    ------
    ShapeError
        If a window does not fit even once.
    """
    check_numbers(where, kernel, stride, padding, dilation)
    out = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        reach = d * (k - 1) + 1
        room = n + 2 * p - reach
        if room < 0:
            raise ShapeError(
                f"{where}: input of spatial size {tuple(size)} came, expected at least the "
                f"kernel's reach of {reach} after padding by {p}; use a larger input or padding"
            )
        positions = room // s + 1
        if ceil_mode and room % s and positions * s < n + p:
            positions += 1
        out.append(positions)
    return tuple(out)


def pad_spatial(x: Array, before: Sequence[int], after: Sequence[int], value: float = 0) -> Array:
    """Surround the spatial axes by a constant; returns ``x`` itself if there is nothing to add."""
    if not any(before) and not any(after):
        return x
    size = [b + n + a for b, n, a in zip(before, x.shape[2:], after, strict=True)]
    out = np.full((*x.shape[:2], *size), value, dtype=x.dtype, like=x)
    out[crop(before, x.shape[2:])] = x
    return out


def crop(before: Sequence[int], size: Sequence[int]) -> tuple[Any, ...]:
    """Return the index of the part of a padded array that holds the original."""
    return (..., *(slice(b, b + n) for b, n in zip(before, size, strict=True)))


def taps(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], out: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Yield (tap, index of its slice in the padded input) in row-major order."""
    for tap in itertools.product(*map(range, kernel)):
        index = tuple(
            slice(t * d, t * d + s * (o - 1) + 1, s)
            for t, d, s, o in zip(tap, dilation, stride, out, strict=True)
        )
        yield tap, (..., *index)


def gather_patches(
    padded: Any,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    out: Sequence[int],
    groups: int,
) -> Array:
    """Lay the windows of a channels-last array (N, *S, C) out as rows of matrices.

    Returns (groups, N * positions, taps * C / groups); the values of one tap stand together. A
    kernel of one tap with stride 1 and no groups needs no copy.
    """
    n, c = padded.shape[0], padded.shape[-1]
    per_group = c // groups
    if not isinstance(padded, np.ndarray):
        # Only NumPy's own arrays can be viewed with strides; others are copied tap by tap.
        slices = [padded[(slice(None), *i[1:])] for _, i in taps(kernel, stride, dilation, out)]
        rows = np.stack(slices, axis=-2).reshape(-1, len(slices), groups, per_group)
        return rows.transpose(2, 0, 1, 3).reshape(groups, len(rows), -1)
    first, *steps, last = padded.strides
    view = as_strided(
        padded,
        shape=(groups, n, *out, *kernel, per_group),
        strides=(
            per_group * last,
            first,
            *(step * s for step, s in zip(steps, stride, strict=True)),
            *(step * d for step, d in zip(steps, dilation, strict=True)),
            last,
        ),
        writeable=False,
    )
    return view.reshape(groups, n * math.prod(out), math.prod(kernel) * per_group)


def scatter_patches(
    patches: Array,
    shape: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    out: Sequence[int],
) -> Array:
    """Add patches back to where `gather_patches` took them from; ``shape`` is that of its input."""
    result = np.zeros(shape, dtype=patches.dtype, like=patches)
    groups, n, per_group = len(patches), shape[0], shape[-1] // len(patches)
    parts = result.reshape(*shape[:-1], groups, per_group)
    blocks = patches.reshape(groups, n, *out, *kernel, per_group)
    for tap, index in taps(kernel, stride, dilation, out):
        here: tuple[Any, ...] = (slice(None), *index[1:])
        block: tuple[Any, ...] = (..., *tap, slice(None))
        parts[here] += np.moveaxis(blocks[block], 0, -2)
    return result
