"""Functions of one element, and choices between elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qrs.autograd.arrays import is_array, promote, unbroadcast
from qrs.autograd.primitive import Sample, define, vjp
from qrs.autograd.rules.samples import one
from qrs.autograd.special import erf, floating, gelu, quiet, sigmoid, tanh

__all__ = [
    "ABS",
    "ACOS",
    "ASIN",
    "ATAN",
    "CAST",
    "CEIL",
    "CLAMP",
    "CLONE",
    "COS",
    "ERF",
    "EXP",
    "EXPM1",
    "FILL",
    "FLOOR",
    "FRAC",
    "GELU",
    "LOG",
    "LOG1P",
    "LOG2",
    "LOG10",
    "RECIPROCAL",
    "RELU",
    "ROUND",
    "RSQRT",
    "SIGMOID",
    "SIGN",
    "SIN",
    "SQRT",
    "SQUARE",
    "TAN",
    "TANH",
    "TRUNC",
    "WHERE",
]


def _float(function: Any) -> Any:
    """`function` on a float array, quietly; integers are converted first."""
    silent = quiet(function)
    return lambda x: silent(floating(x))


EXP = define("exp", _float(np.exp), vjp(lambda g, ans, x: g * ans, "ans"), samples=one())
EXPM1 = define(
    "expm1", _float(np.expm1), vjp(lambda g, ans, x: g * (ans + 1), "ans"), samples=one()
)
LOG = define("log", _float(np.log), vjp(lambda g, ans, x: g / x, "x"), samples=one(0.5))
LOG2 = define(
    "log2", _float(np.log2), vjp(lambda g, ans, x: g / (x * math.log(2)), "x"), samples=one(0.5)
)
LOG10 = define(
    "log10", _float(np.log10), vjp(lambda g, ans, x: g / (x * math.log(10)), "x"), samples=one(0.5)
)
LOG1P = define(
    "log1p", _float(np.log1p), vjp(lambda g, ans, x: g / (x + 1), "x"), samples=one(-0.5)
)
SQRT = define(
    "sqrt", _float(np.sqrt), vjp(lambda g, ans, x: g / (2 * ans), "ans"), samples=one(0.5)
)
RSQRT = define(
    "rsqrt",
    _float(lambda x: np.reciprocal(np.sqrt(x))),
    vjp(lambda g, ans, x: g * ans**3 * -0.5, "ans"),
    samples=one(0.5),
)
RECIPROCAL = define(
    "reciprocal",
    _float(np.reciprocal),
    vjp(lambda g, ans, x: -g * ans * ans, "ans"),
    samples=one(0.5),
)
SQUARE = define("square", np.square, vjp(lambda g, ans, x: g * x * 2, "x"), samples=one())
SIN = define("sin", _float(np.sin), vjp(lambda g, ans, x: g * np.cos(x), "x"), samples=one())
COS = define("cos", _float(np.cos), vjp(lambda g, ans, x: -g * np.sin(x), "x"), samples=one())
TAN = define(
    "tan", _float(np.tan), vjp(lambda g, ans, x: g * (1 + ans * ans), "ans"), samples=one(-1, 1)
)
ASIN = define(
    "asin",
    _float(np.arcsin),
    vjp(lambda g, ans, x: g / np.sqrt(1 - x * x), "x"),
    samples=one(-0.8, 0.8),
)
ACOS = define(
    "acos",
    _float(np.arccos),
    vjp(lambda g, ans, x: -g / np.sqrt(1 - x * x), "x"),
    samples=one(-0.8, 0.8),
)
ATAN = define("atan", _float(np.arctan), vjp(lambda g, ans, x: g / (1 + x * x), "x"), samples=one())
TANH = define(
    "tanh",
    lambda x: tanh(floating(x)),
    vjp(lambda g, ans, x: g * (1 - ans * ans), "ans"),
    samples=one(),
)
SIGMOID = define(
    "sigmoid",
    lambda x: sigmoid(floating(x)),
    vjp(lambda g, ans, x: g * (1 - ans) * ans, "ans"),
    samples=one(),
)
ERF = define(
    "erf",
    lambda x: erf(floating(x)),
    vjp(lambda g, ans, x: g * (2 / math.sqrt(math.pi)) * np.exp(-x * x), "x"),
    samples=one(),
)


def _gelu_vjp(g: Any, _ans: Any, x: Any) -> Any:
    # d/dx x Phi(x) = Phi(x) + x phi(x), with Phi and phi the normal distribution and its density.
    phi = np.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return g * (0.5 + 0.5 * erf(x * x.dtype.type(math.sqrt(0.5))) + x * phi)


GELU = define("gelu", lambda x: gelu(floating(x)), vjp(_gelu_vjp, "x"), samples=one())
RELU = define(
    "relu",
    lambda x: np.maximum(x, 0),
    vjp(lambda g, ans, x: g * (ans > 0), "ans"),
    samples=one(),
    write=lambda own: np.maximum(own, 0, out=own),
)
ABS = define("abs", np.abs, vjp(lambda g, ans, x: g * np.sign(x), "x"), samples=one())


def _flat(name: str, function: Any) -> Any:
    """A step function: constant between its jumps, so its gradient is zero."""
    return define(name, function, vjp(lambda g, ans, x: np.zeros_like(g)), samples=one())


@quiet
def _frac(x: Any) -> Any:
    return x - np.trunc(x)


FRAC = define("frac", _frac, vjp(lambda g, ans, x: g), samples=one(0.1, 0.9))
SIGN = _flat("sign", np.sign)
ROUND = _flat("round", np.rint)
FLOOR = _flat("floor", np.floor)
CEIL = _flat("ceil", np.ceil)
TRUNC = _flat("trunc", np.trunc)


def _clamp(x: Any, low: Any, high: Any) -> Any:
    if low is not None:
        x = np.maximum(*promote(x, low))
    if high is not None:
        x = np.minimum(*promote(x, high))
    return x


def _inside(x: Any, low: Any, high: Any) -> Any:
    inside = np.ones_like(x, dtype=np.bool_)
    if low is not None:
        inside = inside & (x >= low)
    if high is not None:
        inside = inside & (x <= high)
    return inside


def _clamp_write(own: Any, low: Any, high: Any) -> Any:
    for bound in (low, high):
        if is_array(bound) or (type(bound) is float and own.dtype.kind != "f"):
            return NotImplemented
    if low is not None:
        np.maximum(own, low, out=own)
    if high is not None:
        np.minimum(own, high, out=own)
    return own


def _clamp_samples(rng: np.random.Generator) -> list[Sample]:
    x = rng.standard_normal((3, 4))
    return [
        Sample(x, -0.5, 0.5),
        Sample(x, None, 0.1),
        Sample(x, rng.standard_normal(4) - 1, rng.standard_normal((3, 1)) + 1),
    ]


CLAMP = define(
    "clamp",
    _clamp,
    vjp(lambda g, ans, x, low, high: unbroadcast(g * _inside(x, low, high), x), "x", "low", "high"),
    vjp(
        lambda g, ans, x, low, high: unbroadcast(g * ((x < low) & (ans == low)), low),
        *("ans", "x", "low"),
    ),
    vjp(
        lambda g, ans, x, low, high: unbroadcast(g * ((ans == high) & ~(x <= high)), high),
        *("ans", "x", "high"),
    ),
    samples=_clamp_samples,
    write=_clamp_write,
)


def _where_samples(rng: np.random.Generator) -> list[Sample]:
    mask = rng.random((3, 4)) > 0.5
    return [
        Sample(mask, rng.standard_normal((3, 4)), rng.standard_normal(4)),
        Sample(mask, rng.standard_normal((2, 1, 1)), 0.5),
        Sample(mask[0], 1, rng.standard_normal(4)),
    ]


WHERE = define(
    "where",
    lambda mask, x, y: np.where(mask, *promote(x, y)),
    None,
    vjp(lambda g, ans, mask, x, y: unbroadcast(np.where(mask, g, 0), x), "mask"),
    vjp(lambda g, ans, mask, x, y: unbroadcast(np.where(mask, 0, g), y), "mask"),
    samples=_where_samples,
)


def _fill(x: Any, value: Any) -> Any:
    out = np.empty_like(x)
    out[...] = value
    return out


def _fill_write(own: Any, value: Any) -> Any:
    own[...] = value
    return own


FILL = define(
    "fill",
    _fill,
    vjp(lambda g, ans, x, value: np.zeros_like(g)),
    vjp(lambda g, ans, x, value: unbroadcast(g, value)),
    samples=lambda rng: [
        Sample(rng.standard_normal((2, 3)), rng.standard_normal(())),
        Sample(rng.standard_normal((2, 3)), rng.standard_normal(3)),
    ],
    write=_fill_write,
)

CLONE = define("clone", lambda x: x.copy(), vjp(lambda g, ans, x: g), samples=one())


def _cast(x: Any, *, dtype: np.dtype[Any]) -> Any:
    with np.errstate(all="ignore"):
        return x.astype(dtype)


CAST = define(
    "cast",
    _cast,
    # Back in the type of x, which is what the engine converts it to.
    vjp(lambda g, ans, x, dtype: g),
    samples=lambda rng: [Sample(rng.standard_normal((2, 3)), dtype=np.dtype(np.float64))],
)
