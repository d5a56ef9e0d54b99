"""Moving and resizing of quantized images, under PyTorch's names.

The parameters stay those of the input, and channels that are last in memory stay there.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs import _kernels
from qrs.nn.functional import padding, resample, shape
from qrs.nn.quantized.functional_adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from qrs.nn.quantized.images import TO_FIRST, TO_LAST
from qrs.nn.quantized.output import byte_tensor
from qrs.qtensor import QTensor
from qrs.qtensor.core import quantized

__all__ = [
    "channel_shuffle",
    "interpolate",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

Array = np.ndarray[Any, Any]

_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> QTensor:
    """Resize the spatial axes.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, shape (N, C, *S) with one to three spatial axes
    size, scale_factor, mode, align_corners, recompute_scale_factor
        As of `nn.functional.interpolate`.

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Notes
    -----
    "nearest" moves integers; "bilinear" interpolates them in float32, in the order of PyTorch
    1.8.1. The other modes are those of float tensors between a dequantization and a quantization.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[[1.0, 3.0]]]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.interpolate(x, scale_factor=2).dequantize()
    tensor([[[1., 1., 3., 3.]]])
    """
    x = byte_tensor("quantized.interpolate", input)
    ints = x._ints
    sizes, scales = resample.target_size(
        ints.shape, size, scale_factor, mode, align_corners, recompute_scale_factor
    )
    if mode == "area":
        return _AREA[ints.ndim - 2](x, sizes)
    if mode == "nearest":
        triples = zip(ints.shape[2:], sizes, scales, strict=True)
        tables = {
            axis: np.array(_kernels.nearest(*triple), np.int64)
            for axis, triple in enumerate(triples, 2)
        }
        return QTensor._wrap(_kernels.select(ints, tables, 0), x._qparams, x._dtype)
    if mode == "bilinear":
        return _bilinear(x, (sizes[0], sizes[1]), (scales[0], scales[1]), bool(align_corners))
    floats = resample.interpolate(
        x.dequantize(), size, scale_factor, mode, align_corners, recompute_scale_factor
    )
    array = np.ascontiguousarray(floats._array)
    return QTensor._wrap(quantized(array, x._qparams, x._dtype), x._qparams, x._dtype)


def _bilinear(
    x: QTensor,
    sizes: tuple[int, int],
    scales: tuple[float | None, float | None],
    corners: bool,
) -> QTensor:
    view = x._ints.transpose(TO_LAST[2])
    images = _kernels.contiguous(view)
    out = _kernels.bilinear(images, sizes, scales, corners, x.q_zero_point())
    out = out.transpose(TO_FIRST[2])
    if images is not view:
        out = _kernels.contiguous(out)
    return QTensor._wrap(out, x._qparams, x._dtype)


def upsample(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> QTensor:
    """As `interpolate`, which is the name to use.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[[1.0, 3.0]]]), 0.5, 10, qrs.quint8)
    >>> with warnings.catch_warnings(action="ignore"):
    ...     tuple(qrs.nn.quantized.functional.upsample(x, 3).shape)
    (1, 1, 3)
    """
    _deprecated("upsample", f"mode={mode!r}")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> QTensor:
    """As `interpolate` with ``mode="bilinear", align_corners=True``, which is the form to use.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 4, 4), 0.5, 10, qrs.quint8)
    >>> with warnings.catch_warnings(action="ignore"):
    ...     tuple(qrs.nn.quantized.functional.upsample_bilinear(x, 7).shape)
    (1, 3, 7, 7)
    """
    _deprecated("upsample_bilinear", "mode='bilinear', align_corners=True")
    return interpolate(input, size, scale_factor, "bilinear", True)


def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> QTensor:
    """As `interpolate` with ``mode="nearest"``, which is the form to use.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 4, 4), 0.5, 10, qrs.quint8)
    >>> with warnings.catch_warnings(action="ignore"):
    ...     tuple(qrs.nn.quantized.functional.upsample_nearest(x, 7).shape)
    (1, 3, 7, 7)
    """
    _deprecated("upsample_nearest", "mode='nearest'")
    return interpolate(input, size, scale_factor, "nearest")


def _deprecated(name: str, settings: str) -> None:
    warnings.warn(f"quantized.{name} is deprecated; use interpolate with {settings}", stacklevel=3)


def pad(
    input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> QTensor:
    """Pad the last axes.

    Parameters
    ----------
    input : QTensor, quint8 or qint8
    pad, mode, value
        As of `nn.functional.pad`; the value is quantized, 0 becomes the zero point.

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([1.0, 3.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.pad(x, (1, 1)).dequantize()
    tensor([0., 1., 3., 0.])
    """
    x = byte_tensor("quantized.pad", input)
    ints = x._ints
    pairs = padding.padding_pairs(ints.shape, pad, mode, value)
    tables = {
        axis: padding.padding_sources(mode, ints.shape[axis], *pair).astype(np.int64)
        for axis, pair in enumerate(pairs)
        if any(pair)
    }
    fill = x.q_zero_point() if not value else int(x._stored(value))
    return QTensor._wrap(_kernels.select(ints, tables, fill), x._qparams, x._dtype)


def channel_shuffle(input: Any, groups: int) -> QTensor:
    """Interleave groups of channels; see `nn.functional.channel_shuffle`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.arange(4.0).reshape(1, 4, 1), 1.0, 0, qrs.quint8)
    >>> qrs.nn.quantized.functional.channel_shuffle(x, 2).dequantize().flatten()
    tensor([0., 2., 1., 3.])
    """
    x = byte_tensor("quantized.channel_shuffle", input)
    shape.check_channel_shuffle(x._ints.shape, groups)
    channels = x._ints.shape[1]
    table = np.arange(channels, dtype=np.int64).reshape(groups, -1).T.reshape(-1)
    return QTensor._wrap(_kernels.select(x._ints, {1: table}, 0), x._qparams, x._dtype)


def pixel_shuffle(input: Any, upscale_factor: int) -> QTensor:
    """Move groups of r² channels into r x r blocks; see `nn.functional.pixel_shuffle`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 8, 2, 3), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.pixel_shuffle(x, 2).shape)
    (1, 2, 4, 6)
    """
    x, r = byte_tensor("quantized.pixel_shuffle", input), upscale_factor
    shape.check_pixel_shuffle(x._ints.shape, r)
    *lead, c, h, w = x._ints.shape
    inner = c // (r * r)

    def moved(images: Array, is_last: bool) -> Array:
        if is_last:
            blocks = images.reshape(-1, h, w, inner, r, r).transpose(0, 1, 4, 2, 5, 3)
        else:
            blocks = images.reshape(-1, inner, r, r, h, w).transpose(0, 1, 4, 2, 5, 3)
        return _kernels.contiguous(blocks)

    return _shuffled(x, (*lead, inner, h * r, w * r), moved)


def pixel_unshuffle(input: Any, downscale_factor: int) -> QTensor:
    """Undo `pixel_shuffle`; see `nn.functional.pixel_unshuffle`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 2, 4, 6), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.pixel_unshuffle(x, 2).shape)
    (1, 8, 2, 3)
    """
    x, r = byte_tensor("quantized.pixel_unshuffle", input), downscale_factor
    shape.check_pixel_unshuffle(x._ints.shape, r)
    *lead, c, h, w = x._ints.shape
    h, w = h // r, w // r

    def moved(images: Array, is_last: bool) -> Array:
        if is_last:
            blocks = images.reshape(-1, h, r, w, r, c).transpose(0, 1, 3, 5, 2, 4)
        else:
            blocks = images.reshape(-1, c, h, r, w, r).transpose(0, 1, 3, 5, 2, 4)
        return _kernels.contiguous(blocks)

    return _shuffled(x, (*lead, c * r * r, h, w), moved)


def _shuffled(x: QTensor, new: tuple[int, ...], moved: Any) -> QTensor:
    """`moved` on the integers in the order in which they lie, and on whether channels are last."""
    ints = x._ints
    view = ints.transpose(TO_LAST[2]) if ints.ndim == 4 else ints
    is_last = view.flags.c_contiguous and not ints.flags.c_contiguous
    out = moved(view if is_last else _kernels.contiguous(ints), is_last)
    if is_last:
        n, c, h, w = new
        out = out.reshape(n, h, w, c).transpose(TO_FIRST[2])
    else:
        out = out.reshape(new)
    return QTensor._wrap(out, x._qparams, x._dtype)
