"""The kernels on NumPy arrays: the only importer of the compiled module.

Every function takes arrays of exactly the type it names and of any layout. What is C-contiguous,
aligned and in native byte order is read in place; anything else is copied by the compiled module.
Inputs are never written, results are fresh arrays. A wrong type raises `DtypeError`, a wrong shape
`ShapeError`, each naming the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qrs import _qrs
from qrs._qrs import (
    PackedConv,
    PackedLinear,
    PackedRnn,
    available_levels,
    choose_qparams,
    get_num_threads,
    level,
    set_num_threads,
)
from qrs.dtypes import dtype

__all__ = [
    "DynamicLayer",
    "PackedConv",
    "PackedLinear",
    "PackedRnn",
    "available_levels",
    "choose_qparams",
    "dequantize",
    "dequantize_per_channel",
    "dynamic_linear",
    "dynamic_rnn",
    "erf",
    "exp",
    "gelu",
    "get_num_threads",
    "layer_norm",
    "level",
    "log_softmax",
    "quantize",
    "quantize_per_channel",
    "set_num_threads",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
]

Array = NDArray[Any]
Floats = NDArray[np.float32]


def quantize(x: Floats, scale: float, zero_point: int, kind: dtype) -> Array:
    """The stored integers of `x` under one scale, in the order of `x` in memory.

    `q = clamp(zero_point + rne(x * (1 / scale)))`, in float32; NaN becomes the zero point.
    """
    if x.flags.c_contiguous:
        return _qrs.quantize(x, scale, zero_point, kind.name)
    return _in_memory_order(lambda y: _qrs.quantize(y, scale, zero_point, kind.name), x)


def quantize_per_channel(
    x: Floats, scales: Array, zero_points: Array, axis: int, kind: dtype
) -> Array:
    """As `quantize` with a scale and zero point for each index of `axis`.

    With float zero points `q = clamp(rne(x * (1 / scale) + zero_point))`, the sum rounded once.
    """
    run, points = (
        (_qrs.quantize_float_qparams, np.float32)
        if zero_points.dtype.kind == "f"
        else (_qrs.quantize_per_channel, np.int32)
    )
    return run(x, scales.astype(np.float32), zero_points.astype(points), axis, kind.name)


def dequantize(q: Array, scale: float, zero_point: int) -> Floats:
    """`scale * (q - zero_point)` in float32, in the order of `q` (uint8, int8, int32) in memory."""
    if q.flags.c_contiguous:
        return _qrs.dequantize(q, scale, zero_point)
    return _in_memory_order(lambda y: _qrs.dequantize(y, scale, zero_point), q)


def dequantize_per_channel(q: Array, scales: Array, zero_points: Array, axis: int) -> Floats:
    """As `dequantize` with a scale and zero point, integer or float, for each index of `axis`."""
    run, points = (
        (_qrs.dequantize_float_qparams, np.float32)
        if zero_points.dtype.kind == "f"
        else (_qrs.dequantize_per_channel, np.int32)
    )
    return run(q, scales.astype(np.float32), zero_points.astype(points), axis)


def _in_memory_order(run: Callable[[Array], Array], x: Array) -> Array:
    """`run`, which works element by element, with the result laid out in memory as `x` is."""
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    back = np.empty(x.ndim, np.intp)
    back[order] = range(x.ndim)
    return run(x.transpose(order)).transpose(back)


class DynamicLayer(Protocol):
    """A layer with packed weights: `PackedLinear`, or one that computes as it does."""

    def dynamic(self, x: Floats, engine: str, /) -> Floats:
        """The layer on floats `[..., k]`."""
        ...


def dynamic_linear(layer: DynamicLayer, x: Floats, engine: str) -> Floats:
    """`x @ weight.T + bias` with activations quantized under the rules of `engine`.

    Parameters
    ----------
    layer : DynamicLayer
    x : array, float32, shape (..., k)
    engine : str
        "qrs" (one scale for each row), "fbgemm" or "qnnpack" (one for the input).

    Raises
    ------
    NonFiniteError
        If `x` holds NaN or infinity.
    """
    return layer.dynamic(x, engine)


def dynamic_rnn(
    network: PackedRnn,
    x: Floats,
    sizes: list[int] | None,
    states: list[Floats] | None,
    engine: str,
    batch_first: bool = False,
) -> tuple[Floats, ...]:
    """A recurrent network, of one layer or several, over a sequence.

    Quantized weights multiply activations quantized under the rules of `engine`: the whole input
    at once, the hidden state at each step. Float weights multiply floats.

    Parameters
    ----------
    network : PackedRnn
    x : array, float32, shape (T, B, input), (B, T, input) or (sum(sizes), input)
    sizes : list of int, optional
        Samples that take part in each step, never growing: `x` holds the rows of a packed sequence.
    states : list of array, float32, shapes (layers * directions, B, size), optional
        Hidden state before the first step and, of an LSTM, cell state; zeros by default.
    engine : str
        "qrs" (one scale for each row), "fbgemm" or "qnnpack" (one for the input, one for each
        step's hidden states).
    batch_first : bool
        Whether `x`, of three dimensions, holds one sample after the other.

    Returns
    -------
    tuple of array
        Output, laid out as `x` with directions * output features, and the last states.

    Raises
    ------
    NonFiniteError
        If quantized weights meet NaN or infinity.
    """
    return network.run(x, sizes, batch_first, states, engine)


def _activation(x: Floats, name: str) -> Floats:
    if x.flags.c_contiguous:
        return _qrs.activation(x, name)
    return _in_memory_order(lambda y: _qrs.activation(y, name), x)


def exp(x: Floats) -> Floats:
    """`e ** x`."""
    return _activation(x, "exp")


def sigmoid(x: Floats) -> Floats:
    """`1 / (1 + exp(-x))`."""
    return _activation(x, "sigmoid")


def tanh(x: Floats) -> Floats:
    """The hyperbolic tangent."""
    return _activation(x, "tanh")


def erf(x: Floats) -> Floats:
    """The error function."""
    return _activation(x, "erf")


def gelu(x: Floats, approximate: str = "none") -> Floats:
    """`x * Phi(x)`, or with `approximate="tanh"` its usual approximation."""
    return _activation(x, "gelu_tanh" if approximate == "tanh" else "gelu")


def silu(x: Floats) -> Floats:
    """`x * sigmoid(x)`."""
    return _activation(x, "silu")


def softmax(x: Floats) -> Floats:
    """`exp(x) / sum(exp(x))` along the last axis; sums in one order on every CPU."""
    return _qrs.softmax(x, False)


def log_softmax(x: Floats) -> Floats:
    """The logarithm of `softmax`."""
    return _qrs.softmax(x, True)


def layer_norm(x: Floats, n: int, weight: Floats | None, bias: Floats | None, eps: float) -> Floats:
    """`(x - mean) / sqrt(variance + eps) * weight + bias`, each over rows of `n` values.

    Parameters
    ----------
    x : array, float32
        Its last axes hold `n` values in all.
    n : int
    weight, bias : array, float32, `n` values, or None for 1 and 0
    eps : float
    """
    return _qrs.layer_norm(x, n, weight, bias, eps)
