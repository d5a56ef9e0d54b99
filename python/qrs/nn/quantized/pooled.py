"""What poolings of quantized tensors share.

Kernels read images with their channels last. Others are brought into that order and back, so that a
tensor keeps its order in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qrs import _kernels
from qrs.errors import ShapeError
from qrs.nn.quantized.images import TO_FIRST, TO_LAST
from qrs.nn.quantized.output import byte_tensor
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Array", "ordered", "pooled"]

Array = np.ndarray[Any, Any]


def pooled(
    where: str, rank: int, input: Any, run: Callable[[Array, QTensor, bool], Array]
) -> QTensor:
    """`run` on the integers, [N, D, H, W, C], and on whether their channels were last before."""
    x = byte_tensor(f"quantized.{where}", input)
    ints = x._ints
    if ints.ndim == rank + 1:
        ints = ints[None]
    elif ints.ndim != rank + 2:
        axes = ", ".join("C" + "DHW"[3 - rank :])
        raise ShapeError(
            f"{where}: input of shape {tuple(x.shape)} came, expected (N, {axes}) or ({axes})"
        )
    view = ints.transpose(TO_LAST[rank])
    # That of one sample: no result may depend on how a batch was cut out of another.
    is_last = view[:1].flags.c_contiguous
    images = _kernels.contiguous(view)
    n, *sizes, c = images.shape
    out = run(images.reshape(n, *(1,) * (3 - rank), *sizes, c), x, is_last)
    out = out.reshape(n, *out.shape[4 - rank : 4], c).transpose(TO_FIRST[rank])
    if not is_last:
        out = _kernels.contiguous(out)
    return QTensor._wrap(out if x._ints is ints else out[0], x._qparams, x._dtype)


def ordered(x: QTensor) -> Tensor:
    """Floats in the order of the values of bytes: their integers, which floats hold exactly."""
    floats: Tensor = Tensor._wrap(x._ints.astype(np.float32))
    return floats
