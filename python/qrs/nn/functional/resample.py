"""Resizing the spatial axes: nearest, linear and cubic interpolation, one axis after the other.

Linear and cubic interpolation are separable, so resizing an axis is a weighted sum of a few
selections along it, and every gradient follows from those of selection and sum.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs.autograd.arrays import Array
from qrs.errors import ShapeError
from qrs.nn.functional.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.dispatch import also_quantized
from qrs.tensor import Tensor

__all__ = ["interpolate", "target_size"]


_RANKS = {
    "nearest": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}
# The constant of the cubic kernel that PyTorch and OpenCV use. Source: Keys 1981.
_CUBIC = -0.75


def _positions(size: int, out: int, scale: float | None, align_corners: bool) -> Array:
    """Return where each output position lies on the input axis."""
    at = np.arange(out, dtype=np.float32)
    if align_corners:
        return at * np.float32((size - 1) / (out - 1) if out > 1 else 0)
    step = np.float32(1 / scale if scale else size / out)
    return (at + np.float32(0.5)) * step - np.float32(0.5)


def _cubic_weights(t: Array) -> list[Array]:
    """Return the weights of the neighbours at -1, 0, 1 and 2 for fractions ``t``."""

    def near(x: Array) -> Array:
        return ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1

    def far(x: Array) -> Array:
        return ((_CUBIC * x - 5 * _CUBIC) * x + 8 * _CUBIC) * x - 4 * _CUBIC

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _resize_axis(
    x: Tensor, axis: int, out: int, scale: float | None, mode: str, align_corners: bool
) -> Tensor:
    size = x.shape[axis]
    if mode == "nearest":
        step = np.float32(1 / scale if scale else size / out)
        source = np.floor(np.arange(out, dtype=np.float32) * step).astype(np.int64)
        return x.index_select(axis, Tensor._wrap(np.minimum(source, size - 1)))
    if size == out and not scale:
        return x
    at = _positions(size, out, scale, align_corners)
    if mode == "cubic":
        low = np.floor(at)
        weights, first = _cubic_weights(at - low), -1
    else:
        at = np.maximum(at, 0)
        low = np.floor(at)
        weights, first = [1 - (at - low), at - low], 0
    shape = [-1 if a == axis else 1 for a in range(x.dim())]
    parts = []
    for offset, weight in enumerate(weights, first):
        source = np.clip(low.astype(np.int64) + offset, 0, size - 1)
        factor = Tensor._wrap(weight.astype(x._array.dtype).reshape(shape))
        parts.append(x.index_select(axis, Tensor._wrap(source)) * factor)
    return functools.reduce(operator.add, parts)


def target_size(
    shape: Sequence[int],
    size: Any,
    scale_factor: Any,
    mode: str,
    align_corners: bool | None,
    recompute: bool | None,
) -> tuple[list[int], list[float | None]]:
    """Return output sizes and the scale to compute positions with (None: the ratio of sizes).

    Raises
    ------
    ShapeError, ValueError
        If the arguments do not fit an input of ``shape``, or each other.
    """
    if mode not in _RANKS:
        raise ValueError(f"interpolate: mode {mode!r} came, expected one of {', '.join(_RANKS)}")
    rank = len(shape) - 2
    if rank not in _RANKS[mode] or 0 in shape[2:]:
        wanted = " or ".join(str(r + 2) for r in _RANKS[mode])
        raise ShapeError(
            f"interpolate: input of shape {tuple(shape)} came with mode {mode!r}, expected "
            f"{wanted} dimensions, none empty"
        )
    if mode in ("nearest", "area") and align_corners is not None:
        raise ValueError(
            f"interpolate: align_corners came with mode {mode!r}, expected it with a linear or "
            "cubic one"
        )
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: expected exactly one of size and scale_factor")

    def each(value: Any, name: str) -> list[Any]:
        values = list(value) if isinstance(value, Sequence) else [value] * rank
        if len(values) != rank or min(values) <= 0:
            raise ShapeError(
                f"interpolate: {name} {value} came for an input of shape {tuple(shape)}, "
                f"expected one positive number or {rank}"
            )
        return values

    if size is not None:
        return [int(n) for n in each(size, "size")], [None] * rank
    scales = [float(s) for s in each(scale_factor, "scale_factor")]
    sizes = [math.floor(n * s) for n, s in zip(shape[2:], scales, strict=True)]
    return sizes, [None] * rank if recompute else list(scales)


@also_quantized
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Any:
    """Resize the spatial axes.

    Parameters
    ----------
    input : Tensor or QTensor, shape (N, C, *S) with one to three spatial axes
    size : int or sequence of int, optional
        Sizes of the output.
    scale_factor : float or sequence of float, optional
        Or how much larger the output is.
    mode : {"nearest", "linear", "bilinear", "bicubic", "trilinear", "area"}
    align_corners : bool, optional
        Map the centres of the corner elements onto each other rather than their edges.
    recompute_scale_factor : bool, optional
        Compute positions from the rounded sizes rather than from ``scale_factor``.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> interpolate(qrs.tensor([[[1.0, 3.0]]]), scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])
    >>> interpolate(qrs.tensor([[[1.0, 3.0]]]), size=3, mode="linear", align_corners=True)
    tensor([[[1., 2., 3.]]])
    """
    check_floats("interpolate", input=input)
    sizes, scales = target_size(
        input.shape, size, scale_factor, mode, align_corners, recompute_scale_factor
    )
    if mode == "area":
        return _AREA[input.dim() - 2](input, sizes)
    kind = {"nearest": "nearest", "bicubic": "cubic"}.get(mode, "linear")
    out = input
    for axis, (n, scale) in enumerate(zip(sizes, scales, strict=True), 2):
        out = _resize_axis(out, axis, n, scale, kind, bool(align_corners))
    return out
