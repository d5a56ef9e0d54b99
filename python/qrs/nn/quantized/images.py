"""The order of axes: tensors are (N, C, *S), the kernels read [N, D, H, W, C].

A tensor of quantized images is kept in memory as the kernels write it, so that both ways are views.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["channels_first", "channels_last"]

Array = np.ndarray[Any, np.dtype[Any]]


def channels_last(x: Array) -> Array:
    """A view of (N, C, *S), of one to three spatial axes, as [N, D, H, W, C]."""
    if x.ndim == 4:
        return x.transpose(0, 2, 3, 1)[:, None]
    return x.transpose(0, 2, 1)[:, None, None] if x.ndim == 3 else x.transpose(0, 2, 3, 4, 1)


def channels_first(x: Array, rank: int) -> Array:
    """A view of [N, D, H, W, C] as (N, C, *S) with ``rank`` spatial axes; those left out are 1."""
    if rank == 2:
        return x[:, 0].transpose(0, 3, 1, 2)
    return x[:, 0, 0].transpose(0, 2, 1) if rank == 1 else x.transpose(0, 4, 1, 2, 3)
