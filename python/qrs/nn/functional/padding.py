"""Padding of the last axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, define, vjp
from qrs.autograd.arrays import Array
from qrs.errors import ShapeError
from qrs.nn.functional.dispatch import also_quantized
from qrs.tensor import Tensor, apply, cat

__all__ = ["pad", "padding_pairs", "padding_sources"]


def _cut(x: Array, pairs: tuple[tuple[int, int], ...]) -> Array:
    """Remove what negative entries of ``pairs`` ask for."""
    index = tuple(
        slice(max(-before, 0), n - max(-after, 0))
        for n, (before, after) in zip(x.shape, pairs, strict=True)
    )
    return x[index]


def _constant(x: Array, *, pairs: tuple[tuple[int, int], ...], value: float) -> Array:
    grow = [(max(before, 0), max(after, 0)) for before, after in pairs]
    return np.pad(_cut(x, pairs), grow, constant_values=x.dtype.type(value))


PAD = define(
    "pad",
    _constant,
    vjp(
        lambda g, ans, x, *, pairs, value: _constant(
            g, pairs=tuple((-before, -after) for before, after in pairs), value=0
        )
    ),
    samples=lambda rng: [
        Sample(rng.standard_normal((2, 3, 4)), pairs=((0, 0), (1, -1), (-2, 3)), value=0.5)
    ],
)


def padding_sources(mode: str, size: int, before: int, after: int) -> Array:
    """Return, for every position of the padded axis, the position that it copies.

    With "constant" it is -1 where there is none.
    """
    at = np.arange(-before, size + after)
    if mode == "constant":
        return np.where(at < size, np.maximum(at, -1), -1)
    if mode == "replicate":
        return np.clip(at, 0, size - 1)
    if mode == "circular":
        return at % size
    # Mirrored at the border elements, which are not repeated.
    out: Array = size - 1 - np.abs(size - 1 - np.abs(at))
    return out


def padding_pairs(
    shape: Sequence[int], pad: Sequence[int], mode: str, value: float | None
) -> tuple[tuple[int, int], ...]:
    """Return how much to add before and after each axis of an input of ``shape``.

    Raises
    ------
    ShapeError, ValueError
        If the arguments do not fit it, or each other.
    """
    numbers = [int(n) for n in pad]
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise ValueError(
            f"pad: mode {mode!r} came, expected 'constant', 'reflect', 'replicate' or 'circular'"
        )
    if len(numbers) % 2 or len(numbers) > 2 * len(shape):
        raise ShapeError(
            f"pad: {numbers} came for a tensor of shape {tuple(shape)}, expected two "
            "numbers per axis, the last axis first"
        )
    given = list(zip(numbers[::2], numbers[1::2], strict=True))[::-1]
    pairs = ((0, 0),) * (len(shape) - len(given)) + tuple(given)
    sizes = [n + before + after for n, (before, after) in zip(shape, pairs, strict=True)]
    if min(sizes, default=0) < 0:
        raise ShapeError(
            f"pad: {numbers} came for a tensor of shape {tuple(shape)}, nothing would be left"
        )
    if mode == "constant":
        return pairs
    if value:
        raise ValueError(f"pad: value {value} came with mode {mode!r}, expected it with 'constant'")
    for axis, (size, (before, after)) in enumerate(zip(shape, pairs, strict=True)):
        limit = {"reflect": max(size - 1, 0), "circular": size}.get(mode, max(before, after))
        if max(before, after) > limit or (size == 0 and before + after):
            raise ShapeError(
                f"pad: {(before, after)} came for axis {axis} of size {size}, expected at most "
                f"{limit} with mode {mode!r}"
            )
    return pairs


@also_quantized
def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Pad the last axes.

    Parameters
    ----------
    input : Tensor or QTensor
    pad : sequence of int
        Two numbers (before, after) for each axis, the last axis first; negative numbers cut.
    mode : {"constant", "reflect", "replicate", "circular"}
    value : float, optional
        What "constant" fills in; 0 by default.

    Raises
    ------
    ShapeError
        If there are too many numbers, or more reflection than input.
    ValueError
        For an unknown mode.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.pad(qrs.tensor([1.0, 2.0]), (1, 2))
    tensor([0., 1., 2., 0., 0.])
    >>> F.pad(qrs.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    """
    pairs = padding_pairs(input.shape, pad, mode, value)
    if mode == "constant":
        return apply(PAD, input, pairs=pairs, value=0.0 if value is None else value)
    out = input
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            out = _bordered(out, axis, mode, before, after)
    return out


def _bordered(x: Tensor, axis: int, mode: str, before: int, after: int) -> Tensor:
    """An axis with elements of its own on either side; negative numbers cut."""
    size = x.shape[axis]
    places = padding_sources(mode, size, before, after).astype(np.int64)
    left, right = max(before, 0), max(after, 0)
    # What stays is copied in long runs, only the borders are looked up.
    parts = [x.narrow(axis, left - before, size + min(before, 0) + min(after, 0))]
    if left:
        parts.insert(0, x.index_select(axis, Tensor._wrap(places[:left])))
    if right:
        parts.append(x.index_select(axis, Tensor._wrap(places[-right:])))
    return cat(parts, axis) if len(parts) > 1 else parts[0]
