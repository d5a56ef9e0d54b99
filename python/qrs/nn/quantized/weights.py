"""Quantizing a float weight with the observer that a qconfig provides."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrs._kernels import PackedLinear
from qrs.dtypes import qint8
from qrs.errors import DtypeError, QrsError, ShapeError
from qrs.qtensor import QTensor, quantize_per_channel, quantize_per_tensor
from qrs.tensor import Tensor

__all__ = ["kernel_params", "pack_linear", "quantize_weight", "weight_observer"]

Array = np.ndarray[Any, np.dtype[Any]]


def weight_observer(mod: Any, where: str) -> Any:
    """What the qconfig of a float layer makes to observe a weight.

    Raises
    ------
    QrsError
        If it has none.
    """
    qconfig = getattr(mod, "qconfig", None)
    if qconfig is None:
        raise QrsError(
            f"{where}: a {type(mod).__name__} without qconfig came, expected one with it; set its "
            "qconfig, or call quantize_dynamic, which does"
        )
    return qconfig.weight()


def quantize_weight(weight: Tensor, observer: Any, where: str, axis: int = 0) -> QTensor:
    """A weight in qint8, under the range that its observer finds.

    Parameters
    ----------
    weight : Tensor, float
    observer : Module
        Has ``dtype``, ``qscheme``, ``calculate_qparams`` and, per channel, ``ch_axis``.
    where : str
        What errors start with.
    axis : int
        The axis of the output channels, the only one that may have scales of its own.

    Returns
    -------
    QTensor
        qint8, per tensor or per channel.

    Raises
    ------
    DtypeError
        If the observer is not for qint8.
    ValueError
        If its scales run along another axis.
    """
    kind, scheme = (getattr(observer, name, None) for name in ("dtype", "qscheme"))
    if kind is not qint8 or scheme is None:
        raise DtypeError(
            f"{where}: the weight observer {type(observer).__name__} has qscheme {scheme} and "
            f"dtype {kind}, expected qrs.qint8 with a qscheme; use default_weight_observer or "
            "default_per_channel_weight_observer"
        )
    weight = weight.detach()
    observer(weight)
    scale, zero_point = observer.calculate_qparams()
    weight = _within_range(weight, observer, scale._array, zero_point._array)
    if not observer.qscheme.is_per_channel:
        one: QTensor = quantize_per_tensor(weight, scale.item(), zero_point.item(), qint8)
        return one
    if observer.qscheme.has_float_qparams or observer.ch_axis not in (axis, axis - weight.dim()):
        raise ValueError(
            f"{where}: the weight observer has scheme {observer.qscheme} along axis "
            f"{observer.ch_axis}, expected integer zero points along axis {axis}, the output "
            "channels"
        )
    scales = Tensor._wrap(scale._array.astype(np.float64))
    return quantize_per_channel(weight, scales, zero_point, axis, qint8)


def _within_range(weight: Tensor, observer: Any, scale: Array, zero_point: Array) -> Tensor:
    """The weight, clamped to what the observer's integers represent if they are not all of qint8.

    A range that ``reduce_range`` halved is no limit: PyTorch stores the half step beyond it.
    """
    low, high = getattr(observer, "quant_min", None), getattr(observer, "quant_max", None)
    if low is None or high is None or getattr(observer, "reduce_range", False):
        return weight
    if (low, high) == (qint8.qmin, qint8.qmax):
        return weight
    if scale.size > 1:
        shape = [1] * weight.dim()
        shape[observer.ch_axis] = -1
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    ends = ((low - zero_point) * scale, (high - zero_point) * scale)
    return Tensor._wrap(np.clip(weight._array, *ends).astype(weight._array.dtype, copy=False))


def kernel_params(weight: QTensor, axis: int = 0) -> tuple[Array, Array | None]:
    """Scales and zero points of a weight as the kernels take them.

    Parameters
    ----------
    weight : QTensor, qint8
    axis : int
        The axis of the output channels.

    Returns
    -------
    tuple
        Scales, float32: one, or one for each output channel. Zero points, int32, one for each
        output channel; None if all are zero.

    Raises
    ------
    ShapeError
        If the scales lie along another axis.
    DtypeError
        If the zero points are not integers.
    """
    if weight.qscheme().has_float_qparams:
        raise DtypeError(
            "weight: a tensor with float zero points came, expected integer ones; use "
            "qrs.per_channel_affine or qrs.per_channel_symmetric"
        )
    if weight.qscheme().is_per_channel:
        if weight.q_per_channel_axis() != axis:
            raise ShapeError(
                f"weight: scales along axis {weight.q_per_channel_axis()} came, expected axis "
                f"{axis}, the output channels"
            )
        scales = weight.q_per_channel_scales()._array
        zero_points = weight.q_per_channel_zero_points()._array
    else:
        scales = np.array([weight.q_scale()])
        zero_points = np.full(weight.shape[axis], weight.q_zero_point())
    return (
        scales.astype(np.float32),
        zero_points.astype(np.int32) if zero_points.any() else None,
    )


def pack_linear(weight: QTensor, bias: Tensor | None) -> PackedLinear:
    """A weight, shape (out_features, in_features), and bias as the kernels read them."""
    scales, zero_points = kernel_params(weight)
    return PackedLinear(
        weight.int_repr()._array, scales, zero_points, None if bias is None else bias._array
    )
