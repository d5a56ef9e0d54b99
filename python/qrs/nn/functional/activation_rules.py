"""Activations as primitives: each with its slope, as a function of its output or of its input.

A slope that needs only the output is in-place friendly: the input may be overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qrs.autograd import Primitive, Sample, define, vjp
from qrs.autograd.arrays import Array, typed
from qrs.autograd.special import floating, quiet
from qrs.autograd.special import sigmoid as sigmoid_array

__all__ = [
    "ELU",
    "HARDSIGMOID",
    "HARDSWISH",
    "HARDTANH",
    "LEAKY_RELU",
    "LOGSIGMOID",
    "MISH",
    "SILU",
    "SOFTPLUS",
    "THRESHOLD",
]


def _samples(**params: Any) -> Callable[[np.random.Generator], list[Sample]]:
    return lambda rng: [
        Sample(rng.uniform(-8, 8, (3, 7)), **params),
        Sample(np.zeros((0, 2)), **params),
    ]


def _from_input(name: str, forward: Any, derivative: Any, **params: Any) -> Primitive:
    """Define an activation whose slope is a function of its input."""
    return define(
        name,
        quiet(lambda x, **p: forward(floating(x), **p)),
        vjp(quiet(lambda g, ans, x, **p: g * derivative(x, **p)), "x"),
        samples=_samples(**params),
    )


def _from_output(name: str, forward: Any, derivative: Any, **params: Any) -> Primitive:
    """Define an activation whose slope is a function of its output."""
    return define(
        name,
        quiet(forward),
        vjp(quiet(lambda g, ans, x, **p: g * derivative(ans, **p)), "ans"),
        samples=_samples(**params),
    )


def _clip(x: Array, *, low: float, high: float) -> Array:
    return np.clip(x, x.dtype.type(low), x.dtype.type(high))


# A choice for each element, `where`, waits for memory to be chosen from where signs are mixed: ten
# times as long as the arithmetic that gives the same.


def _leaky(x: Array, *, slope: float) -> Array:
    if slope == 0:
        return np.maximum(x, 0)
    scaled = x * x.dtype.type(slope)
    larger = np.maximum if slope <= 1 else np.minimum
    out: Array = larger(x, scaled)
    return out


def _hardswish(x: Array) -> Array:
    out: Array = np.clip(x + 3, 0, 6)
    out *= x
    out /= 6
    return out


def _threshold(x: Array, *, threshold: float, value: float) -> Array:
    # A comparison that NaN fails: it stays, as in PyTorch.
    replaced = x <= threshold
    if type(x) is not np.ndarray or x.dtype != np.float32:
        return np.where(replaced, x.dtype.type(value), x)
    bits = np.float32(value).view(np.int32)
    chosen = replaced.astype(np.int32)
    kept = chosen - 1
    kept &= x.view(np.int32)
    if bits:
        chosen *= bits
        kept |= chosen
    return kept.view(np.float32)


def _exponential(x: Array, *, alpha: float, rate: float, gain: float) -> Array:
    # expm1 of the negative part only: it overflows for large positive values.
    negative = alpha * np.expm1(np.minimum(x, 0) * rate)
    out: Array = typed(gain * (np.maximum(x, 0) + negative), x)
    return out


def _exponential_slope(y: Array, *, alpha: float, rate: float, gain: float) -> Array:
    # Below zero y = gain alpha (e - 1) with e = exp(rate x), so the slope is rate (y + gain alpha).
    return np.where(y > 0, gain, rate * (y + gain * alpha)).astype(y.dtype)


def _softplus(x: Array, *, beta: float, threshold: float) -> Array:
    smooth = np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta
    return np.where(x * beta > threshold, x, smooth).astype(x.dtype)


def _silu_slope(x: Array) -> Array:
    s = sigmoid_array(x)
    out: Array = s * (1 + x * (1 - s))
    return out


def _mish_slope(x: Array) -> Array:
    t = np.tanh(np.logaddexp(x, 0))
    out: Array = t + x * sigmoid_array(x) * (1 - t * t)
    return out


HARDTANH = _from_output(
    "hardtanh", _clip, lambda y, low, high: (y > low) & (y < high), low=-1.0, high=1.5
)
LEAKY_RELU = _from_output(
    "leaky_relu",
    _leaky,
    lambda y, slope: np.where(y > 0, 1, slope).astype(y.dtype),
    slope=0.1,
)
ELU = _from_output("elu", _exponential, _exponential_slope, alpha=0.7, rate=1.3, gain=1.1)
HARDSWISH = _from_input(
    "hardswish",
    _hardswish,
    lambda x: np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1)).astype(x.dtype),
)
HARDSIGMOID = _from_output(
    "hardsigmoid",
    lambda x: np.clip(x + 3, 0, 6) / 6,
    lambda y: ((y > 0) & (y < 1)) * y.dtype.type(1 / 6),
)
THRESHOLD = _from_input(
    "threshold",
    _threshold,
    lambda x, threshold, value: x > threshold,
    threshold=0.5,
    value=-1.0,
)
SILU = _from_input(
    "silu",
    lambda x: x * sigmoid_array(x),
    _silu_slope,
)
SOFTPLUS = _from_input(
    "softplus",
    _softplus,
    lambda x, beta, threshold: np.where(x * beta > threshold, 1, sigmoid_array(x * beta)),
    beta=1.5,
    threshold=8.0,
)
MISH = _from_input("mish", lambda x: x * np.tanh(np.logaddexp(x, 0)), _mish_slope)
LOGSIGMOID = _from_input("logsigmoid", lambda x: -np.logaddexp(-x, 0), lambda x: sigmoid_array(-x))
