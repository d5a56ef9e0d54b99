"""Fake quantization as functions: to the stored integers and back, gradient straight through."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qrs.autograd import Function
from qrs.errors import DtypeError, ShapeError
from qrs.tensor import Tensor

__all__ = ["fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine"]


def fake_quantize_arrays(
    x: npt.NDArray[Any],
    scale: npt.NDArray[Any],
    zero_point: npt.NDArray[Any],
    qmin: int,
    qmax: int,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Fake-quantized values, and where the stored integer was inside the range.

    v = z + rne(x * inv(s)); y = (clamp(v, qmin, qmax) - z) * s; mask = qmin <= v <= qmax. The
    scale and the zero point broadcast against x and have its type. NaN gives zero, outside the
    mask.
    """
    v = np.rint(x * (1 / scale)) + zero_point
    mask = (v >= qmin) & (v <= qmax)
    v = np.where(np.isnan(v), zero_point, np.clip(v, qmin, qmax))
    return (v - zero_point) * scale, mask


class _FakeQuantize(Function):
    """The gradient passes where the stored integer lies inside the range."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: npt.NDArray[Any],
        zero_point: npt.NDArray[Any],
        qmin: int,
        qmax: int,
    ) -> Tensor:
        y, ctx.mask = fake_quantize_arrays(x._array, scale, zero_point, qmin, qmax)
        return Tensor._wrap(y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        return Tensor._wrap(grad._array * ctx.mask), None, None, None, None


def _check(where: str, x: Tensor, zero_point: npt.NDArray[Any], qmin: int, qmax: int) -> None:
    if not isinstance(x, Tensor) or not x.dtype.is_floating_point:
        came = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise DtypeError(f"{where}: {came} came, expected a float Tensor")
    if not qmin < qmax:
        raise ValueError(f"{where}: range {qmin}..{qmax} came, expected quant_min < quant_max")
    if zero_point.size and not (qmin <= zero_point.min() and zero_point.max() <= qmax):
        raise ValueError(
            f"{where}: zero point {zero_point.tolist()} came, expected one inside {qmin}..{qmax}"
        )


def fake_quantize_per_tensor_affine(
    input: Tensor, scale: float, zero_point: int, quant_min: int, quant_max: int
) -> Tensor:
    """Round a tensor to the values that one scale and zero point can represent.

    Parameters
    ----------
    input : Tensor, float, any shape
    scale : float
        Real units per step, positive.
    zero_point : int
        The stored integer that stands for zero, inside the range.
    quant_min, quant_max : int
        Range of the stored integers.

    Returns
    -------
    Tensor
        ``(clamp(z + rne(x * inv(s)), quant_min, quant_max) - z) * s``; the gradient passes
        unchanged where nothing was clamped and is zero elsewhere.

    Raises
    ------
    DtypeError
        If the input is not a float tensor.
    ValueError
        If the zero point lies outside the range or the range is empty.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([0.5, 1.5, 2.5, -0.5, -1.5])
    >>> qrs.fake_quantize_per_tensor_affine(x, 1.0, 1, 0, 255)
    tensor([ 0.,  2.,  2.,  0., -1.])
    """
    zero_points = np.asarray(zero_point)
    _check("fake_quantize_per_tensor_affine", input, zero_points, quant_min, quant_max)
    kind = input._array.dtype
    result: Tensor = _FakeQuantize.apply(
        input, np.asarray(scale, kind), zero_points.astype(kind), quant_min, quant_max
    )
    return result


def fake_quantize_per_channel_affine(
    input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    """Round a tensor to the values that a scale and zero point per channel can represent.

    Parameters
    ----------
    input : Tensor, float, with C entries along ``axis``
    scale : Tensor, float, shape (C,)
    zero_point : Tensor, integer, shape (C,)
    axis : int
    quant_min, quant_max : int
        Range of the stored integers.

    Returns
    -------
    Tensor
        As `fake_quantize_per_tensor_affine`, slice by slice.

    Raises
    ------
    ShapeError
        If the axis or the number of channels does not fit.
    DtypeError
        If the input is not a float tensor.
    ValueError
        If a zero point lies outside the range or the range is empty.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([[0.26, 0.26], [0.26, 0.26]])
    >>> s, z = qrs.tensor([0.1, 0.5]), qrs.tensor([0, 0])
    >>> qrs.fake_quantize_per_channel_affine(x, s, z, 0, 0, 255)
    tensor([[0.3000, 0.3000],
            [0.5000, 0.5000]])
    """
    where = "fake_quantize_per_channel_affine"
    scales, zero_points = scale._array, zero_point._array
    _check(where, input, zero_points, quant_min, quant_max)
    shape = input._array.shape
    if not -len(shape) <= axis < len(shape) or scales.shape != (shape[axis],):
        raise ShapeError(
            f"{where}: input {shape} and scale {scales.shape} came with axis {axis}, expected one "
            "scale for each entry along the axis"
        )
    if zero_points.shape != scales.shape:
        raise ShapeError(
            f"{where}: zero_point {zero_points.shape} came, expected {scales.shape} as scale"
        )
    kind = input._array.dtype
    along = [1] * len(shape)
    along[axis] = -1
    result: Tensor = _FakeQuantize.apply(
        input,
        scales.astype(kind).reshape(along),
        zero_points.astype(kind).reshape(along),
        quant_min,
        quant_max,
    )
    return result
