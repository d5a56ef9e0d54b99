"""Dynamically quantized products without error: the oracle for what an engine's sums should be."""

from __future__ import annotations

import numpy as np

from comparison.model import Array


def exact_linear(
    x: Array,
    weight: tuple[Array, Array],
    bias: Array,
    top: int,
    by_row: bool,
    fused: bool = False,
) -> Array:
    """`x @ weight.T + bias` with x quantized to 0..top and the products summed in 64 bits.

    Parameters
    ----------
    x : array, float32, shape (M, K)
    weight : pair of arrays
        int8 of shape (N, K) and their scales, shape (N,) or ().
    bias : array, shape (N,)
    top : int
        Largest stored activation.
    by_row : bool
        Whether each row of x has a scale of its own.
    fused : bool
        Whether the zero point is added before rounding, in one fused operation.
    """
    axis = 1 if by_row else None
    low = np.minimum(x.min(axis=axis, keepdims=True), 0).astype(np.float64)
    high = np.maximum(x.max(axis=axis, keepdims=True), 0).astype(np.float64)
    scale = (high - low) / top
    zero = np.round(-low / scale)
    scale = scale.astype(np.float32)
    inverse = np.float32(1) / scale
    if fused:
        # The product of two floats is exact in double precision.
        shifted = np.rint((x.astype(np.float64) * inverse + zero).astype(np.float32))
    else:
        shifted = np.rint(x * inverse) + zero
    stored = np.clip(shifted, 0, top).astype(np.int64)
    values, scales = weight
    sums = (stored - zero.astype(np.int64)) @ values.T.astype(np.int64)
    return sums * (scale.astype(np.float64) * scales) + bias
