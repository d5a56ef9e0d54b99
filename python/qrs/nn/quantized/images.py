"""The order of axes: tensors are (N, C, *S), the kernels read (N, *S, C).

A tensor of quantized images is kept in memory as the kernels write it, so that both ways are views.
"""

from __future__ import annotations

__all__ = ["TO_FIRST", "TO_LAST"]

TO_LAST = {rank: (0, *range(2, rank + 2), 1) for rank in (1, 2, 3)}
"""For one to three spatial axes, the transposition to channels last."""

TO_FIRST = {rank: (0, rank + 1, *range(1, rank + 1)) for rank in (1, 2, 3)}
"""The way back."""
