"""Two 4-bit integers in a byte: elements 0, 2, 4, ... in the low halves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["pack_nibbles", "unpack_nibbles"]

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def pack_nibbles(values: Bytes) -> Bytes:
    """Integers 0 to 15 of any shape as bytes, in row-major order.

    Examples
    --------
    >>> pack_nibbles(np.array([1, 2, 3], np.uint8))
    array([33,  3], dtype=uint8)
    """
    flat = values.reshape(-1)
    low, high = flat[0::2], flat[1::2]
    packed = low.copy()
    packed[: high.size] |= high << 4
    return packed


def unpack_nibbles(packed: Bytes, shape: tuple[int, ...]) -> Bytes:
    """The integers of `pack_nibbles` in their shape.

    Examples
    --------
    >>> unpack_nibbles(np.array([33, 3], np.uint8), (3,))
    array([1, 2, 3], dtype=uint8)
    """
    count = math.prod(shape)
    pairs = np.empty((packed.size, 2), np.uint8)
    pairs[:, 0] = packed & 15
    pairs[:, 1] = packed >> 4
    return pairs.reshape(-1)[:count].reshape(shape)
