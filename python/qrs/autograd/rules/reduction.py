"""Reductions along dimensions, cumulative sums, and softmax.

`axis` is None (all), an int or a tuple of ints; `keepdims` keeps reduced dimensions with extent
one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qrs.autograd.arrays import arrayed
from qrs.autograd.primitive import Sample, define, vjp
from qrs.autograd.rules.samples import Samples
from qrs.autograd.special import floating, log_softmax, logsumexp, quiet, softmax

__all__ = [
    "AMAX",
    "AMIN",
    "CUMPROD",
    "CUMSUM",
    "LOGSUMEXP",
    "LOG_SOFTMAX",
    "MEAN",
    "NORM",
    "PROD",
    "SOFTMAX",
    "STD",
    "SUM",
    "VAR",
]


def _spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """`g` with the reduced dimensions of `x` back, broadcastable to `x`."""
    if keepdims or x.ndim == 0:
        return g
    if axis is None:
        return g.reshape((1,) * x.ndim)
    return np.expand_dims(g, axis)


def _count(x: Any, axis: Any) -> int:
    if axis is None:
        return int(x.size)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return math.prod(x.shape[a] for a in axes)


def _samples(low: float = -2.0, high: float = 2.0, **params: Any) -> Samples:
    def make(rng: np.random.Generator) -> list[Sample]:
        x = rng.uniform(low, high, (2, 3, 4))
        places = [(None, False), (1, False), ((0, -1), True), (-1, True), (None, True)]
        cases = [Sample(x, axis=a, keepdims=k, **params) for a, k in places]
        return [*cases, Sample(np.asarray(x[0, 0, 0] + 0.0), axis=None, keepdims=False, **params)]

    return make


# The ufunc's own reduction takes half the time of `ndarray.sum` on small arrays.
_add_up: Any = np.add.reduce


def _sum(x: Any, *, axis: Any, keepdims: bool) -> Any:
    # Integers are added up in int64; a float16 sum is formed in float32, as PyTorch does.
    if x.dtype.kind in "iub":
        return np.sum(x, axis=axis, keepdims=keepdims, dtype=np.int64)
    return _add_up(x, axis=axis, keepdims=keepdims)


SUM = define(
    "sum",
    _sum,
    vjp(lambda g, ans, x, axis, keepdims: np.broadcast_to(_spread(g, x, axis, keepdims), x.shape)),
    samples=_samples(),
)


@quiet
def _mean(x: Any, *, axis: Any, keepdims: bool) -> Any:
    total = arrayed(_sum(floating(x), axis=axis, keepdims=keepdims))
    return total / total.dtype.type(_count(x, axis))


MEAN = define(
    "mean",
    _mean,
    vjp(
        lambda g, ans, x, axis, keepdims: np.broadcast_to(
            _spread(g, x, axis, keepdims) / max(_count(x, axis), 1), x.shape
        )
    ),
    samples=_samples(),
)


def _prod_vjp(g: Any, ans: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """The product of all others: exact for zeros too, unlike `ans / x`."""
    moved = x.reshape(1, -1) if axis is None else np.moveaxis(x, axis, -1)
    ones = np.ones((*moved.shape[:-1], 1), x.dtype, like=x)
    before = np.cumprod(np.concatenate([ones, moved[..., :-1]], axis=-1), axis=-1)
    backwards = np.concatenate([ones, moved[..., :0:-1]], axis=-1)
    after = np.cumprod(backwards, axis=-1)[..., ::-1]
    others = before * after
    others = others.reshape(x.shape) if axis is None else np.moveaxis(others, -1, axis)
    return _spread(g, x, axis, keepdims) * others


def _prod(x: Any, *, axis: Any, keepdims: bool) -> Any:
    wide = np.int64 if x.dtype.kind in "iub" else None
    return np.prod(x, axis=axis, keepdims=keepdims, dtype=wide)


def _prod_samples(rng: np.random.Generator) -> list[Sample]:
    x = rng.uniform(0.5, 2.0, (2, 3))
    zero = x.copy()
    zero[0, 1] = 0
    return [
        Sample(x, axis=None, keepdims=False),
        Sample(zero, axis=1, keepdims=True),
        Sample(zero, axis=None, keepdims=False),
        Sample(x, axis=0, keepdims=False),
    ]


PROD = define("prod", _prod, vjp(_prod_vjp, "x"), samples=_prod_samples)


@quiet
def _var(x: Any, *, axis: Any, keepdims: bool, correction: float) -> Any:
    x = floating(x)
    count = _count(x, axis)
    centred = arrayed(x - _mean(x, axis=axis, keepdims=True))
    total = arrayed(_sum(np.square(centred, out=centred), axis=axis, keepdims=keepdims))
    return total / total.dtype.type(max(count - correction, 0))


def _centred(x: Any, axis: Any) -> Any:
    return x - _mean(x, axis=axis, keepdims=True)


VAR = define(
    "var",
    _var,
    vjp(
        lambda g, ans, x, axis, keepdims, correction: (
            _spread(g, x, axis, keepdims)
            * (2 / max(_count(x, axis) - correction, 1))
            * _centred(x, axis)
        ),
        "x",
    ),
    samples=_samples(correction=0),
)


def _std_vjp(g: Any, ans: Any, x: Any, axis: Any, keepdims: bool, correction: float) -> Any:
    scale = np.where(ans == 0, 0, g / (ans * max(_count(x, axis) - correction, 1)))
    return _spread(scale.astype(g.dtype), x, axis, keepdims) * _centred(x, axis)


def _std_samples(rng: np.random.Generator) -> list[Sample]:
    x = rng.standard_normal((3, 4))
    return [
        Sample(x, axis=axis, keepdims=keep, correction=correction)
        for axis, keep, correction in [(None, False, 1), (0, True, 1), ((0, 1), False, 0)]
    ]


STD = define(
    "std",
    lambda x, *, axis, keepdims, correction: np.sqrt(
        _var(x, axis=axis, keepdims=keepdims, correction=correction)
    ),
    vjp(_std_vjp, "ans", "x"),
    samples=_std_samples,
)


def _extreme_vjp(g: Any, ans: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """An even share for each element that equals the extreme."""
    hit = (x == _spread(ans, x, axis, keepdims)).astype(g.dtype)
    shares = np.maximum(hit.sum(axis=axis, keepdims=True), 1)
    return _spread(g, x, axis, keepdims) * hit / shares


AMAX = define(
    "amax",
    lambda x, *, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims),
    vjp(_extreme_vjp, "ans", "x"),
    samples=_samples(),
)
AMIN = define(
    "amin",
    lambda x, *, axis, keepdims: np.min(x, axis=axis, keepdims=keepdims),
    vjp(_extreme_vjp, "ans", "x"),
    samples=_samples(),
)


def _norm(x: Any, *, axis: Any, keepdims: bool, p: float) -> Any:
    """`sum(|x| ** p) ** (1 / p)`; the largest or smallest |x| for an infinite p, a count for 0."""
    x = floating(x)
    size = np.abs(x)
    if p == math.inf:
        return size.max(axis=axis, keepdims=keepdims)
    if p == -math.inf:
        return size.min(axis=axis, keepdims=keepdims)
    if p == 0:
        return np.sum(size != 0, axis=axis, keepdims=keepdims).astype(x.dtype)
    if p == 1:
        return size.sum(axis=axis, keepdims=keepdims)
    if p == 2:
        return np.sqrt(np.square(size).sum(axis=axis, keepdims=keepdims))
    return np.power(np.power(size, p).sum(axis=axis, keepdims=keepdims), 1 / p)


def _norm_vjp(g: Any, ans: Any, x: Any, axis: Any, keepdims: bool, p: float) -> Any:
    g, total = _spread(g, x, axis, keepdims), _spread(ans, x, axis, keepdims)
    if p == 0:
        return np.zeros_like(x)
    if math.isinf(p):
        hit = (np.abs(x) == total).astype(x.dtype)
        return g * np.sign(x) * hit / hit.sum(axis=axis, keepdims=True)
    if p == 1:
        return g * np.sign(x)
    slope = np.sign(x) * np.power(np.abs(x) / total, p - 1)
    return g * np.where(total == 0, 0, slope)


def _norm_samples(rng: np.random.Generator) -> list[Sample]:
    x = rng.standard_normal((3, 4))
    return [
        Sample(x, axis=axis, keepdims=keep, p=p)
        for p in (1, 2, 3.0, math.inf, -math.inf)
        for axis, keep in [(None, False), (1, True)]
    ]


NORM = define("norm", quiet(_norm), vjp(_norm_vjp, "ans", "x"), samples=_norm_samples)


def _along(rng: np.random.Generator) -> list[Sample]:
    x = rng.uniform(0.5, 2.0, (2, 3, 4))
    return [Sample(x, axis=0), Sample(x, axis=-1), Sample(x[:, :, :0], axis=1)]


def _reversed_cumsum(g: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


CUMSUM = define(
    "cumsum",
    lambda x, *, axis: np.cumsum(x, axis=axis, dtype=np.int64 if x.dtype.kind in "iub" else None),
    vjp(lambda g, ans, x, axis: _reversed_cumsum(g, axis)),
    samples=_along,
)


def _cumprod_vjp(g: Any, ans: Any, x: Any, axis: int) -> Any:
    if not np.any(x == 0):
        return _reversed_cumsum(g * ans, axis) / x
    # With zeros: element i reaches output j >= i as the product of all others up to j.
    moved, moved_g = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    out = np.zeros_like(moved)
    for i in range(moved.shape[-1]):
        others = moved.copy()
        others[..., i] = 1
        out[..., i] = (np.cumprod(others, axis=-1) * moved_g)[..., i:].sum(axis=-1)
    return np.moveaxis(out, -1, axis)


CUMPROD = define(
    "cumprod",
    lambda x, *, axis: np.cumprod(x, axis=axis, dtype=np.int64 if x.dtype.kind in "iub" else None),
    vjp(_cumprod_vjp, "ans", "x"),
    samples=_along,
)


LOGSUMEXP = define(
    "logsumexp",
    lambda x, *, axis, keepdims: logsumexp(floating(x), axis, keepdims),
    vjp(
        lambda g, ans, x, axis, keepdims: (
            _spread(g, x, axis, keepdims) * np.exp(x - _finite(_spread(ans, x, axis, keepdims)))
        ),
        *("ans", "x"),
    ),
    samples=_samples(),
)


def _finite(x: Any) -> Any:
    return np.where(np.isfinite(x), x, 0)


SOFTMAX = define(
    "softmax",
    lambda x, *, axis: softmax(floating(x), axis),
    vjp(
        lambda g, ans, x, axis: ans * (g - (g * ans).sum(axis=axis, keepdims=True)),
        "ans",
    ),
    samples=_along,
)
LOG_SOFTMAX = define(
    "log_softmax",
    lambda x, *, axis: log_softmax(floating(x), axis),
    vjp(
        lambda g, ans, x, axis: g - np.exp(ans) * g.sum(axis=axis, keepdims=True),
        "ans",
    ),
    samples=_along,
)
