"""Fake quantization as functions: to the stored integers and back, gradient straight through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, define_fused
from qrs.autograd.arrays import Array, arrayed, is_array
from qrs.errors import DtypeError, ShapeError, type_name
from qrs.tensor import Tensor, apply

__all__ = [
    "FAKE_QUANTIZE",
    "fake_quantize_per_channel_affine",
    "fake_quantize_per_tensor_affine",
]


def _along(values: Any, x: Array, axis: int | None) -> Any:
    """One number, or one for each index of an axis, in the type and for the shape of ``x``."""
    values = values.astype(x.dtype) if is_array(values) else np.asarray(values, x.dtype, like=x)
    if axis is None:
        return values.reshape(())
    shape = [1] * x.ndim
    shape[axis] = -1
    return values.reshape(shape)


def _forward(
    x: Array,
    scale: Array | float,
    zero_point: Array | float,
    *,
    save: bool,
    qmin: int,
    qmax: int,
    axis: int | None,
    real: bool = False,
    learn: bool = False,
    grad_factor: float = 1.0,
) -> tuple[Array, Any]:
    """Return y and, for the gradient, where the stored integer was inside the range.

    v = z + rne(x * inv(s)), or rne(x * inv(s) + z) with real zero points; y = (clamp(v, qmin, qmax)
    - z) * s; mask = qmin <= v <= qmax. NaN gives zero, outside the mask.
    """
    del grad_factor
    s, z = _along(scale, x, axis), _along(zero_point, x, axis)
    if not real:
        z = np.clip(np.rint(z), qmin, qmax)
    y = arrayed(x * (1 / s))
    if real:
        y += z
        np.rint(y, out=y)
    else:
        np.rint(y, out=y)
        y += z
    mask = arrayed((y >= qmin) & (y <= qmax))
    if not mask.all():
        y.clip(qmin, qmax, out=y)
        np.copyto(y, z, where=np.isnan(y))
    y -= z
    y *= s
    if not save:
        return y, None
    return y, (mask, (x, y, s) if learn else None)


def _backward(
    grads: Sequence[Array],
    saved: Any,
    needs: Sequence[bool],
    *,
    qmin: int,
    qmax: int,
    axis: int | None,
    real: bool = False,
    learn: bool = False,
    grad_factor: float = 1.0,
) -> Sequence[Array | None]:
    """The gradient of x passes inside the mask.

    Rounding counts as the identity, so inside the mask dy/ds = (y - x) / s and dy/dz = 0; outside,
    y = (clamp(v) - z) s gives dy/ds = y / s and dy/dz = -s. Source: Esser et al. 2020, "Learned
    step size quantization", arXiv:1902.08153; zero points: Jain et al. 2020, arXiv:1903.08066.
    """
    del qmin, qmax, real, learn
    g = grads[0]
    mask, kept = saved
    d_x = g * mask
    if kept is None:
        return d_x, None, None
    x, y, s = kept
    others = tuple(i for i in range(x.ndim) if axis is None or i != axis % x.ndim)
    shape = (1,) if axis is None else (-1,)
    d_scale = d_zero = None
    if needs[1]:
        d_scale = (g * (y - mask * x) / s).sum(axis=others).reshape(shape) * grad_factor
    if needs[2]:
        d_zero = -(g * ~mask * s).sum(axis=others).reshape(shape) * grad_factor
    return d_x, d_scale, d_zero


def _samples(rng: np.random.Generator) -> Iterable[Sample]:
    # So fine a grid that the steps do not show in finite differences.
    fine = 2.0**-40
    x = rng.uniform(-1, 1, (3, 4))
    yield Sample(x, fine, 0.0, qmin=-(2**39), qmax=2**39, axis=None)
    yield Sample(x, np.float32(fine), 0.5, qmin=-(2**39), qmax=2**39, axis=None, real=True)
    # Values beyond the range: there the gradient of scale and zero point is exact.
    far = np.array([[90.0, -90.0, 80.0], [-50.0, 50.0, 60.0]])
    scale, zero_point = np.array([0.5, 0.25]), np.array([3.0, -2.0])
    settings = {"qmin": -8, "qmax": 7, "learn": True}
    yield Sample(far, scale, zero_point.astype(np.float32), axis=0, **settings)
    yield Sample(far, scale[:1], np.zeros(1, np.float32), axis=None, **settings)
    # Zero points that are not rounded have a true gradient too.
    yield Sample(far, scale, zero_point + 0.25, axis=0, real=True, **settings)


FAKE_QUANTIZE = define_fused("fake_quantize", _forward, _backward, samples=_samples)
"""Arguments x, scale, zero_point; settings ``qmin``, ``qmax``, ``axis`` (None: one scale), ``real``
(zero points are not rounded), ``learn`` (scale and zero point get gradients), ``grad_factor``."""


def check_float(where: str, x: Any) -> None:
    """Refuse what cannot be rounded to a grid and go on as what it is.

    Raises
    ------
    DtypeError
        If it is no float tensor.
    """
    if not isinstance(x, Tensor) or not x.dtype.is_floating_point:
        came = x.dtype if isinstance(x, Tensor) else f"a {type_name(x)}"
        raise DtypeError(f"{where}: {came} came, expected a float Tensor; use .float() before")


def _check(where: str, x: Any, zero_point: Array, qmin: int, qmax: int) -> None:
    check_float(where, x)
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
    points = np.asarray(zero_point)
    _check("fake_quantize_per_tensor_affine", input, points, quant_min, quant_max)
    settings = {"qmin": quant_min, "qmax": quant_max, "axis": None}
    return apply(FAKE_QUANTIZE, input, scale, zero_point, **settings)


def fake_quantize_per_channel_affine(
    input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    """Round a tensor to the values that a scale and zero point per channel can represent.

    Parameters
    ----------
    input : Tensor, float, with C entries along ``axis``
    scale : Tensor, float, shape (C,)
    zero_point : Tensor, shape (C,)
        Integers; or floats, which need not lie inside the range and are added before rounding, as
        embeddings store them.
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
    scales, points = scale._array, zero_point._array
    real = points.dtype.kind == "f"
    _check(where, input, points[:0] if real else points, quant_min, quant_max)
    shape = input._array.shape
    if not -len(shape) <= axis < len(shape) or scales.shape != (shape[axis],):
        raise ShapeError(
            f"{where}: input {shape} and scale {scales.shape} came with axis {axis}, expected one "
            "scale for each entry along the axis"
        )
    if points.shape != scales.shape:
        raise ShapeError(
            f"{where}: zero_point {points.shape} came, expected {scales.shape} as scale"
        )
    settings = {"qmin": quant_min, "qmax": quant_max, "axis": axis, "real": real}
    return apply(FAKE_QUANTIZE, input, scales, points, **settings)
