"""What poolings of quantized tensors share: images without a batch axis, and the order of bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrs.errors import ShapeError
from qrs.nn.quantized.output import byte_tensor
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Array", "images_of", "ordered", "pooled_from"]

Array = np.ndarray[Any, Any]


def images_of(where: str, rank: int, input: Any) -> tuple[QTensor, Array]:
    """The input, and its integers with a batch axis, (N, C, *S).

    Raises
    ------
    DtypeError, ShapeError
        If it is no quantized tensor of images.
    """
    x = byte_tensor(f"quantized.{where}", input)
    ints = x._ints
    if ints.ndim == rank + 2:
        return x, ints
    if ints.ndim == rank + 1:
        return x, ints[None]
    axes = ", ".join("C" + "DHW"[3 - rank :])
    raise ShapeError(
        f"{where}: input of shape {tuple(x.shape)} came, expected (N, {axes}) or ({axes})"
    )


def pooled_from(x: QTensor, ints: Array) -> QTensor:
    """The result for an input: integers (N, C, *S), without the batch axis if it had none."""
    return QTensor._wrap(ints if ints.ndim == x._ints.ndim else ints[0], x._qparams, x._dtype)


def ordered(x: QTensor) -> Tensor:
    """Floats in the order of the values of bytes: their integers, which floats hold exactly."""
    floats: Tensor = Tensor._wrap(x._ints.astype(np.float32))
    return floats
