"""Changes of shape and order: views where NumPy gives views."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrs.autograd.arrays import unbroadcast
from qrs.autograd.primitive import Sample, define, define_fused, vjp

__all__ = [
    "DIAGONAL",
    "EXPAND",
    "FLIP",
    "PERMUTE",
    "REPEAT",
    "REPEAT_INTERLEAVE",
    "RESHAPE",
    "ROLL",
    "SPLIT",
    "SQUEEZE",
    "TRIL",
    "TRIU",
    "UNBIND",
    "UNSQUEEZE",
]


def _draw(rng: np.random.Generator) -> Any:
    return rng.standard_normal((2, 3, 4))


RESHAPE = define(
    "reshape",
    lambda x, *, shape: x.reshape(shape),
    vjp(lambda g, ans, x, shape: g.reshape(x.shape)),
    samples=lambda rng: [
        Sample(_draw(rng), shape=(6, -1)),
        Sample(_draw(rng).transpose(2, 0, 1), shape=(24,)),
        Sample(rng.standard_normal(1), shape=()),
    ],
    shares=True,
)
PERMUTE = define(
    "permute",
    lambda x, *, axes: x.transpose(axes),
    vjp(lambda g, ans, x, axes: g.transpose(*np.argsort([a % x.ndim for a in axes]).tolist())),
    samples=lambda rng: [Sample(_draw(rng), axes=(2, 0, 1)), Sample(_draw(rng), axes=(0, -1, 1))],
    shares=True,
)
SQUEEZE = define(
    "squeeze",
    lambda x, *, axis: np.squeeze(x, axis),
    vjp(lambda g, ans, x, axis: g.reshape(x.shape)),
    samples=lambda rng: [
        Sample(rng.standard_normal((1, 3, 1)), axis=None),
        Sample(rng.standard_normal((1, 3, 1)), axis=(2,)),
    ],
    shares=True,
)
UNSQUEEZE = define(
    "unsqueeze",
    lambda x, *, axis: np.expand_dims(x, axis),
    vjp(lambda g, ans, x, axis: g.reshape(x.shape)),
    samples=lambda rng: [Sample(_draw(rng), axis=1), Sample(_draw(rng), axis=-1)],
    shares=True,
)
EXPAND = define(
    "expand",
    lambda x, *, shape: np.broadcast_to(x, shape),
    vjp(lambda g, ans, x, shape: unbroadcast(g, x)),
    samples=lambda rng: [
        Sample(rng.standard_normal((3, 1)), shape=(2, 3, 4)),
        Sample(rng.standard_normal(()), shape=(2,)),
    ],
    shares=True,
)
DIAGONAL = define(
    "diagonal",
    lambda x, *, offset, axis1, axis2: np.diagonal(x, offset, axis1, axis2),
    vjp(lambda g, ans, x, offset, axis1, axis2: _diagonal_vjp(g, x, offset, axis1, axis2)),
    samples=lambda rng: [
        Sample(_draw(rng), offset=0, axis1=0, axis2=1),
        Sample(_draw(rng), offset=1, axis1=-2, axis2=-1),
    ],
    shares=True,
)


def _diagonal_vjp(g: Any, x: Any, offset: int, axis1: int, axis2: int) -> Any:
    out = np.zeros(x.shape, g.dtype, like=g)
    moved = np.moveaxis(out, (axis1, axis2), (-2, -1))
    rows = np.arange(g.shape[-1], like=g) + max(-offset, 0)
    moved[..., rows, rows + offset] = g
    return out


def _repeat_vjp(g: Any, _ans: Any, x: Any, counts: tuple[int, ...]) -> Any:
    """Every copy's gradient, summed: axes of copies stand before the axes of `x`."""
    shape = (1,) * (len(counts) - x.ndim) + x.shape
    split = [extent for pair in zip(counts, shape, strict=True) for extent in pair]
    return g.reshape(split).sum(axis=tuple(range(0, 2 * len(counts), 2))).reshape(x.shape)


REPEAT = define(
    "repeat",
    lambda x, *, counts: np.tile(x, counts),
    vjp(_repeat_vjp),
    samples=lambda rng: [
        Sample(rng.standard_normal((2, 3)), counts=(2, 2)),
        Sample(rng.standard_normal(3), counts=(4, 2)),
        Sample(rng.standard_normal((2, 3)), counts=(1, 0)),
    ],
)


def _repeat_interleave_vjp(g: Any, _ans: Any, x: Any, counts: Any, axis: int) -> Any:
    index = np.repeat(np.arange(x.shape[axis], like=g), counts)
    out = np.zeros(x.shape, g.dtype, like=g)
    np.add.at(np.moveaxis(out, axis, 0), index, np.moveaxis(g, axis, 0))
    return out


REPEAT_INTERLEAVE = define(
    "repeat_interleave",
    lambda x, *, counts, axis: np.repeat(x, counts, axis),
    vjp(_repeat_interleave_vjp),
    samples=lambda rng: [
        Sample(_draw(rng), counts=2, axis=1),
        Sample(_draw(rng), counts=np.array([1, 0, 2]), axis=-2),
    ],
)
FLIP = define(
    "flip",
    lambda x, *, axes: np.flip(x, axes).copy(),
    vjp(lambda g, ans, x, axes: np.flip(g, axes)),
    samples=lambda rng: [Sample(_draw(rng), axes=(0, -1)), Sample(_draw(rng), axes=1)],
)
ROLL = define(
    "roll",
    lambda x, *, shifts, axis: np.roll(x, shifts, axis),
    vjp(lambda g, ans, x, shifts, axis: np.roll(g, _negated(shifts), axis)),
    samples=lambda rng: [
        Sample(_draw(rng), shifts=2, axis=None),
        Sample(_draw(rng), shifts=(1, -2), axis=(0, 2)),
    ],
)


def _negated(shifts: Any) -> Any:
    return tuple(-s for s in shifts) if isinstance(shifts, tuple) else -shifts


TRIU = define(
    "triu",
    lambda x, *, diagonal: np.triu(x, diagonal),
    vjp(lambda g, ans, x, diagonal: np.triu(g, diagonal)),
    samples=lambda rng: [Sample(_draw(rng), diagonal=0), Sample(_draw(rng), diagonal=-1)],
)
TRIL = define(
    "tril",
    lambda x, *, diagonal: np.tril(x, diagonal),
    vjp(lambda g, ans, x, diagonal: np.tril(g, diagonal)),
    samples=lambda rng: [Sample(_draw(rng), diagonal=0), Sample(_draw(rng), diagonal=1)],
)


def _split(x: Any, *, save: bool, bounds: tuple[int, ...], axis: int) -> Any:
    return tuple(np.split(x, bounds, axis)), ()


def _split_vjp(grads: Any, saved: Any, needs: Any, *, bounds: Any, axis: int) -> Any:
    return (np.concatenate(grads, axis),)


SPLIT = define_fused(
    "split",
    _split,
    _split_vjp,
    samples=lambda rng: [Sample(_draw(rng), bounds=(1, 1, 3), axis=2)],
    shares=True,
)


def _unbind(x: Any, *, save: bool, axis: int) -> Any:
    moved = np.moveaxis(x, axis, 0)
    # `...` keeps the parts of a one-dimensional array arrays, and views.
    return tuple([moved[i, ...] for i in range(moved.shape[0])]), ()


def _unbind_vjp(grads: Any, saved: Any, needs: Any, *, axis: int) -> Any:
    return (np.stack(grads, axis),)


UNBIND = define_fused(
    "unbind",
    _unbind,
    _unbind_vjp,
    samples=lambda rng: [Sample(_draw(rng), axis=1), Sample(rng.standard_normal(3), axis=0)],
    shares=True,
)
