"""The formulas of quantization in plain NumPy, written apart from the package."""

from __future__ import annotations

from typing import Any

import numpy as np

RANGES = {
    "quint8": (0, 255, np.uint8),
    "qint8": (-128, 127, np.int8),
    "qint32": (-(2**31), 2**31 - 1, np.int32),
    "quint4x2": (0, 15, np.uint8),
}


def stored(x: Any, scale: Any, zero_point: Any, kind: str) -> Any:
    """`clamp(z + rne(f32(x * f32(1 / f32(s)))))`, NaN as the zero point."""
    low, high, storage = RANGES[kind]
    inverse = np.float32(1) / np.asarray(scale, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.rint((x * inverse).astype(np.float32)).astype(np.float64)
    rounded = np.where(np.isnan(x), 0.0, rounded)
    return np.clip(rounded + zero_point, low, high).astype(storage)


def real(q: Any, scale: Any, zero_point: Any) -> Any:
    """`f32(s) * f32(q - z)`."""
    difference = (q.astype(np.int64) - zero_point).astype(np.float32)
    return difference * np.asarray(scale, np.float32)
