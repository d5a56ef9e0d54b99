"""The kernels on NumPy arrays: the only importer of the compiled module.

Every function takes arrays of exactly the type it names and of any layout. What is aligned, in
native byte order and C-contiguous is read in place; anything else is copied by the compiled module.
Convolutions want channels last instead, functions of single elements any order without gaps.
Inputs are never written, results are fresh arrays. A wrong type raises `DtypeError`, a wrong shape
`ShapeError`, each naming the operation.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qrs import _qrs
from qrs._qrs import (
    PackedConv,
    PackedConvTranspose,
    PackedEmbedding,
    PackedLinear,
    PackedRnn,
    __version__,
    adaptive_pool,
    available_levels,
    avg_pool,
    batch_norm,
    bilinear,
    binary,
    choose_qparams,
    divergences,
    get_num_threads,
    group_norm,
    histogram,
    histogram_on_grid,
    least_error_range,
    level,
    matmul,
    max_pool,
    min_max,
    nearest,
    quantized_layer_norm,
    set_num_threads,
    squared_errors,
)
from qrs.dtypes import dtype

__all__ = [
    "DynamicLayer",
    "PackedConv",
    "PackedConvTranspose",
    "PackedEmbedding",
    "PackedLinear",
    "PackedRnn",
    "__version__",
    "adaptive_pool",
    "available_levels",
    "avg_pool",
    "batch_norm",
    "bilinear",
    "binary",
    "cat",
    "choose_qparams",
    "clamp",
    "contiguous",
    "dequantize",
    "dequantize_per_channel",
    "divergences",
    "dynamic_linear",
    "dynamic_rnn",
    "erf",
    "exp",
    "gelu",
    "get_num_threads",
    "group_norm",
    "histogram",
    "histogram_on_grid",
    "layer_norm",
    "least_error_range",
    "level",
    "log_softmax",
    "lookup",
    "matmul",
    "max_pool",
    "mean",
    "min_max",
    "nearest",
    "quantize",
    "quantize_per_channel",
    "quantized_layer_norm",
    "select",
    "set_num_threads",
    "sigmoid",
    "silu",
    "softmax",
    "squared_errors",
    "tanh",
]

Array = NDArray[Any]
Floats = NDArray[np.float32]


def quantize(x: Floats, scale: float, zero_point: int, kind: dtype) -> Array:
    """The stored integers of `x` under one scale, in the order of `x` in memory.

    `q = clamp(zero_point + rne(x * (1 / scale)))`, in float32; NaN becomes the zero point.
    """
    return _qrs.quantize(x, scale, zero_point, kind.name)


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
    return _qrs.dequantize(q, scale, zero_point)


def dequantize_per_channel(q: Array, scales: Array, zero_points: Array, axis: int) -> Floats:
    """As `dequantize` with a scale and zero point, integer or float, for each index of `axis`."""
    run, points = (
        (_qrs.dequantize_float_qparams, np.float32)
        if zero_points.dtype.kind == "f"
        else (_qrs.dequantize_per_channel, np.int32)
    )
    return run(q, scales.astype(np.float32), zero_points.astype(points), axis)


# The order of axes in memory of tensors with channels last, and the way back.
_CHANNELS_LAST = {
    3: ((0, 2, 1), (0, 2, 1)),
    4: ((0, 2, 3, 1), (0, 3, 1, 2)),
    5: ((0, 2, 3, 4, 1), (0, 4, 1, 2, 3)),
}


def _memory_order(x: Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of `x` from the widest steps in memory to the smallest, and the way back."""
    known = _CHANNELS_LAST.get(x.ndim)
    if known and x.transpose(known[0]).flags.c_contiguous and not x.flags.c_contiguous:
        return known
    order = tuple(sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])))
    return order, tuple(sorted(range(x.ndim), key=order.__getitem__))


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


def exp(x: Floats) -> Floats:
    """`e ** x`."""
    return _qrs.activation(x, "exp")


def sigmoid(x: Floats) -> Floats:
    """`1 / (1 + exp(-x))`."""
    return _qrs.activation(x, "sigmoid")


def tanh(x: Floats) -> Floats:
    """The hyperbolic tangent."""
    return _qrs.activation(x, "tanh")


def erf(x: Floats) -> Floats:
    """The error function."""
    return _qrs.activation(x, "erf")


def gelu(x: Floats, approximate: str = "none") -> Floats:
    """`x * Phi(x)`, or with `approximate="tanh"` its usual approximation."""
    return _qrs.activation(x, "gelu_tanh" if approximate == "tanh" else "gelu")


def silu(x: Floats) -> Floats:
    """`x * sigmoid(x)`."""
    return _qrs.activation(x, "silu")


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


Pair = tuple[float, int]
"""A scale and a zero point."""


def clamp(x: Array, low: int, high: int) -> Array:
    """Bytes held between two others; the upper bound wins where they cross."""
    return _qrs.clamp(x, low, high)


def lookup(x: Array, table: Array) -> Array:
    """`table[x]` for bytes of either type, whose bits count, and 256 uint8."""
    return _qrs.lookup(x.view(np.uint8), table).view(x.dtype)


def cat(arrays: list[Array], tables: list[Array | None], axis: int) -> Array:
    """Arrays of bytes of one type joined along `axis`, those with a table looked up in it."""
    order, back = _memory_order(arrays[0])
    moved = [x.view(np.uint8).transpose(order) for x in arrays]
    joined = _qrs.cat(moved, tables, order.index(axis))
    return joined.view(arrays[0].dtype).transpose(back)


def mean(x: Array, axes: tuple[int, ...], zero_point: int) -> Array:
    """`z + rne(mean(q - z))` of bytes over some axes, which go; the mean is exact."""
    order, _ = _memory_order(x)
    kept = [axis for axis in order if axis not in axes]
    gone = [axis for axis in order if axis in axes]
    first = order.index(gone[0]) if gone else 0
    if list(order[first : first + len(gone)]) != gone:
        order, first = (*kept, *gone), len(kept)
    y = x.transpose(order)
    count = math.prod(x.shape[axis] for axis in gone)
    outer = math.prod(y.shape[:first])
    inner = math.prod(y.shape[first + len(gone) :])
    flat = _qrs.mean(y.reshape(outer, count, inner), zero_point)
    result = flat.reshape([x.shape[axis] for axis in kept])
    return result.transpose(sorted(range(len(kept)), key=kept.__getitem__))


def select(x: Array, tables: dict[int, Array], fill: int) -> Array:
    """`x` with the indices of some axes chosen by int64 tables; a negative one gives `fill`."""
    order, back = _memory_order(x)
    bits = x.view(np.uint8).transpose(order)
    chosen = _qrs.select(bits, [tables.get(axis) for axis in order], fill & 255)
    return chosen.view(x.dtype).transpose(back)


def contiguous(x: Array) -> Array:
    """Bytes in the order of their axes in memory: `x` itself or a copy."""
    if x.flags.c_contiguous:
        return x
    order, back = _memory_order(x)
    return _qrs.permute(x.view(np.uint8).transpose(order), list(back)).view(x.dtype)
