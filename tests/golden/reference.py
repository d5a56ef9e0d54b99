"""Independent numpy model of the integer arithmetic, used as an oracle by the tests.

It is slow and obvious on purpose, shares no code with the package, and is itself checked against
the golden cases. Integers are exact; float32 steps are written one by one, in the order the
kernels must follow.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = np.float32
Array = npt.NDArray[np.generic]
Unary = Callable[[Array], Array]

RANGES = {
    "quint8": (0, 255, np.uint8),
    "qint8": (-128, 127, np.int8),
    "qint32": (-(2**31), 2**31 - 1, np.int32),
}


def fma32(a: Array, b: Array, c: Array) -> Array:
    """a*b + c rounded once to float32.

    The product of two float32 is exact in float64. The sum is made odd when it was rounded, so
    that the second rounding, to float32, cannot hide the first.
    """
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    addend = np.asarray(c, np.float64)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = np.atleast_1d(total).view(np.int64).reshape(np.shape(total))
    nudge = (error != 0) & (bits & 1 == 0)
    total = np.where(nudge, np.nextafter(total, np.where(error > 0, np.inf, -np.inf)), total)
    return total.astype(F32)


def inv(scale: Array | float) -> Array:
    """Reciprocal of a scale, in float32."""
    return F32(1) / np.asarray(scale, F32)


def along(values: Array, ndim: int, axis: int) -> Array:
    """Reshape a vector so that it broadcasts along `axis` of an array with `ndim` dimensions."""
    shape = [1] * ndim
    shape[axis] = -1
    return np.asarray(values).reshape(shape)


def quantize(x: Array, scale: Array | float, zero_point: Array | int, dtype: str) -> Array:
    """clamp(z + rne(f32(x * inv(s)))); scale and zero point broadcast against x."""
    lo, hi, kind = RANGES[dtype]
    steps = np.rint(np.asarray(x, F32) * inv(scale)).astype(np.float64)
    return np.clip(steps + zero_point, lo, hi).astype(kind)


def dequantize(q: Array, scale: Array | float, zero_point: Array | int) -> Array:
    """f32(s * (q - z)): a product in float32 for one scale, in float64 for one per channel."""
    steps = q.astype(np.int64) - zero_point
    return steps.astype(F32) * F32(scale) if np.ndim(scale) == 0 else (steps * scale).astype(F32)


def choose_qparams(lo: float, hi: float, qmin: int, qmax: int) -> tuple[float, int]:
    """Scale and zero point of a dynamic activation, in float64; the range always contains zero."""
    lo, hi = min(float(lo), 0.0), max(float(hi), 0.0)
    scale = (hi - lo) / (qmax - qmin)
    with np.errstate(divide="ignore", over="ignore"):
        if F32(scale) == 0 or np.isinf(F32(1) / F32(scale)):
            scale = 0.1
    from_lo, from_hi = qmin - lo / scale, qmax - hi / scale
    use_lo = abs(qmin) + abs(lo / scale) < abs(qmax) + abs(hi / scale)
    zero_point = np.rint(from_lo if use_lo else from_hi)
    return scale, int(np.clip(zero_point, qmin, qmax))


def accumulate(xq: Array, zx: Array | int, wq: Array, zw: Array | int) -> Array:
    """sum_k (x - zx)(w - zw) in exact integers: x [M, K], w [N, K] -> [M, N]."""
    left = xq.astype(np.int64) - zx
    right = wq.astype(np.int64) - along(np.atleast_1d(zw), 2, 0)
    return left @ right.T


@dataclass(frozen=True)
class Weight:
    """A quantized weight matrix: int8 [N, K], scales and zero points of one or N entries."""

    q: Array
    scale: Array
    zero_point: Array


def weight_per_tensor(w: Array) -> Weight:
    """MinMax, qint8 symmetric, -128..127: the default weight observer."""
    bound = max(float(-min(w.min(), 0)), float(max(w.max(), 0)))
    scale = np.maximum(F32(bound) / F32(127.5), F32(2.0**-23))
    return Weight(quantize(w, scale, 0, "qint8"), np.atleast_1d(scale), np.zeros(1, np.int64))


def weight_per_channel(w: Array) -> Weight:
    """The same per row of w."""
    bound = np.abs(w).reshape(len(w), -1).max(axis=1).astype(F32)
    scale = np.maximum(bound / F32(127.5), F32(2.0**-23))
    q = quantize(w, along(scale, w.ndim, 0), 0, "qint8")
    return Weight(q, scale, np.zeros(len(w), np.int64))


def weight_qrs(w: Array) -> Weight:
    """Profile qrs: per row, scale = max|w| / 127, integers -127..127."""
    bound = np.abs(w).reshape(len(w), -1).max(axis=1).astype(F32)
    scale = np.maximum(bound / F32(127), F32(2.0**-23))
    q = np.clip(quantize(w, along(scale, w.ndim, 0), 0, "qint8"), -127, 127)
    return Weight(q, scale, np.zeros(len(w), np.int64))


def quantize_activation(x: Array, engine: str) -> tuple[Array, Array, Array]:
    """Integers [M, K], scales [M, 1] float32 and zero points [M, 1] of a dynamic input [M, K]."""
    qmax = 127 if engine == "fbgemm" else 255
    groups = list(x) if engine == "qrs" else [x]
    pairs = [choose_qparams(g.min(), g.max(), 0, qmax) for g in groups]
    scale = np.array([[s] for s, _ in pairs]).astype(F32)
    zero_point = np.array([[z] for _, z in pairs], np.int64)
    if engine == "fbgemm":
        q = np.rint(fma32(x, inv(scale), zero_point.astype(F32))).clip(0, qmax)
    else:
        q = (np.rint(x * inv(scale)) + zero_point).clip(0, qmax)
    return q.astype(np.uint8), scale, zero_point


def dynamic_linear(x: Array, weight: Weight, bias: Array | None, engine: str) -> Array:
    """Float in, float out: x [..., K] -> [..., N]."""
    rows = np.ascontiguousarray(x, F32).reshape(-1, x.shape[-1])
    if rows.size == 0:
        base = np.zeros(len(weight.q), F32) if bias is None else bias
        return np.broadcast_to(base, (*x.shape[:-1], len(weight.q))).copy()
    q, scale, zero_point = quantize_activation(rows, engine)
    acc = accumulate(q, zero_point, weight.q, weight.zero_point).astype(F32)
    multiplier = scale * weight.scale.astype(F32)
    offset = np.zeros(len(weight.q), F32) if bias is None else bias.astype(F32)
    y = acc * multiplier + offset if engine == "qnnpack" else fma32(acc, multiplier, offset)
    return y.reshape(*x.shape[:-1], -1)


def sigmoid(x: Array) -> Array:
    """Logistic function in float32."""
    return F32(1) / (F32(1) + np.exp(-x))


@dataclass(frozen=True)
class Cell:
    """Weights of one layer and direction."""

    w_ih: Weight
    w_hh: Weight
    b_ih: Array | None
    b_hh: Array | None


def step(kind: str, ih: Array, hh: Array, h: Array, c: Array | None) -> tuple[Array, Array | None]:
    """One time step from the two pre-activations [B, gates * H]."""
    if kind == "LSTM":
        i, f, g, o = np.split(hh + ih, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    if kind == "GRU":
        (ir, iz, inn), (hr, hz, hn) = np.split(ih, 3, axis=-1), np.split(hh, 3, axis=-1)
        r, u = sigmoid(ir + hr), sigmoid(iz + hz)
        n = np.tanh(inn + r * hn)
        return (h - n) * u + n, None
    total = ih + hh
    return (np.tanh(total) if kind == "RNN_TANH" else np.maximum(total, F32(0))), None


def run_cell(
    kind: str, x: Array, h: Array, c: Array | None, cell: Cell, engine: str
) -> tuple[Array, Array | None]:
    """One step of a cell: x [B, I], h and c [B, H]."""
    ih = dynamic_linear(x, cell.w_ih, cell.b_ih, engine)
    hh = dynamic_linear(h, cell.w_hh, cell.b_hh, engine)
    return step(kind, ih, hh, h, c)


def run_layer(
    kind: str, x: Array, h: Array, c: Array | None, cell: Cell, engine: str, reverse: bool
) -> tuple[Array, Array, Array | None]:
    """One direction of a layer over x [T, B, I]: the whole sequence is projected at once."""
    ih = dynamic_linear(x, cell.w_ih, cell.b_ih, engine)
    out = np.empty((*x.shape[:2], h.shape[-1]), F32)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        hh = dynamic_linear(h, cell.w_hh, cell.b_hh, engine)
        h, c = step(kind, ih[t], hh, h, c)
        out[t] = h
    return out, h, c


def run_rnn(
    kind: str, x: Array, h0: Array, c0: Array | None, cells: list[list[Cell]], engine: str
) -> tuple[Array, Array, Array | None]:
    """All layers and directions: x [T, B, I], h0 [layers * directions, B, H]."""
    hs, cs = [], []
    for directions in cells:
        outs = []
        for reverse, cell in enumerate(directions):
            c = None if c0 is None else c0[len(hs)]
            out, h, c = run_layer(kind, x, h0[len(hs)], c, cell, engine, bool(reverse))
            outs.append(out)
            hs.append(h)
            cs.append(c)
        x = np.concatenate(outs, axis=-1)
    return x, np.stack(hs), None if c0 is None else np.stack(cs)


def requantize(
    acc: Array,
    x_scale: float,
    weight_scale: Array,
    bias: Array | None,
    out: tuple[float, int],
    engine: str = "fbgemm",
    relu: bool = False,
) -> Array:
    """Static epilogue: acc [..., N] with the channel last -> quint8."""
    s_o, z_o = F32(out[0]), out[1]
    s_w = weight_scale.astype(F32)
    product = F32(x_scale) * s_w
    if engine == "qnnpack":
        multiplier = product * inv(s_o)
        v = acc if bias is None else acc + np.rint(bias * inv(product)).astype(np.int64)
        v = v.astype(F32)
    else:
        multiplier = product / s_o
        v = acc.astype(F32)
        if bias is not None:
            v = v + (bias * inv(product) if len(s_w) == 1 else bias / product)
    q = np.rint(v * multiplier).astype(np.int64) + z_o
    return q.clip(z_o if relu else 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Geometry:
    """Sizes of a convolution, one entry per spatial dimension."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


def conv_accumulate(xq: Array, zx: int, wq: Array, zw: Array, geo: Geometry) -> Array:
    """Exact sums of a convolution: x [B, C, ...], w [O, C/groups, k...] -> [B, O, ...]."""
    x = xq.astype(np.int64) - zx
    w = wq.astype(np.int64) - along(np.atleast_1d(zw), wq.ndim, 0)
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in geo.padding)])
    kernel = w.shape[2:]
    size = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[2:], kernel, geo.stride, geo.dilation, strict=True)
    ]
    out = np.zeros((len(x), geo.groups, len(w) // geo.groups, *size), np.int64)
    x = x.reshape(len(x), geo.groups, -1, *x.shape[2:])
    w = w.reshape(geo.groups, -1, *w.shape[1:])
    for tap in itertools.product(*map(range, kernel)):
        window = tuple(
            slice(t * d, t * d + s * (n - 1) + 1, s)
            for t, d, s, n in zip(tap, geo.dilation, geo.stride, size, strict=True)
        )
        out += np.einsum("bgc...,goc->bgo...", x[(..., *window)], w[(..., *tap)])
    return out.reshape(len(x), -1, *size)


def conv_transpose_accumulate(
    xq: Array, zx: int, wq: Array, zw: Array, geo: Geometry, output_padding: tuple[int, ...]
) -> Array:
    """Exact sums of a transposed convolution: w [C, O/groups, k...]."""
    x = xq.astype(np.int64) - zx
    w = wq.astype(np.int64) - zw
    kernel = w.shape[2:]
    full = [
        (n - 1) * s + d * (k - 1) + 1 + o
        for n, s, d, k, o in zip(
            x.shape[2:], geo.stride, geo.dilation, kernel, output_padding, strict=True
        )
    ]
    out = np.zeros((len(x), geo.groups, w.shape[1], *full), np.int64)
    x = x.reshape(len(x), geo.groups, -1, *x.shape[2:])
    w = w.reshape(geo.groups, -1, *w.shape[1:])
    for tap in itertools.product(*map(range, kernel)):
        window = tuple(
            slice(t * d, t * d + s * (n - 1) + 1, s)
            for t, d, s, n in zip(tap, geo.dilation, geo.stride, x.shape[3:], strict=True)
        )
        out[(..., *window)] += np.einsum("bgc...,gco->bgo...", x, w[(..., *tap)])
    crop = tuple(slice(p, n - p) for p, n in zip(geo.padding, full, strict=True))
    return out.reshape(len(x), -1, *full)[(..., *crop)]
