"""Normalisation: subtract a mean, divide by a standard deviation, then scale and shift.

Batch, instance, group and layer normalisation differ only in the axes of the mean, so one primitive
computes them all:

    y = (x - m) / sqrt(v + eps) * weight + bias,  m and v the mean and biased variance.

With n elements per mean, h = (x - m) / sqrt(v + eps) and d = weight g, the gradient of x is
(d - mean(d) - h mean(d h)) / sqrt(v + eps). Sources: Ioffe and Szegedy 2015, arXiv:1502.03167; Ba
et al. 2016, arXiv:1607.06450; Wu and He 2018, arXiv:1803.08494.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrs import _kernels
from qrs.autograd import Sample, define_fused, no_grad
from qrs.autograd.arrays import Array
from qrs.errors import ShapeError
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.channel_norm import BATCH_NORM
from qrs.tensor import Tensor, apply

__all__ = [
    "batch_norm",
    "check_channels",
    "check_normalized",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "normalize",
]


def _moments(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    centred = x - _mean(x, axes)
    return centred, _mean(np.square(centred), axes)


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    """The mean along axes; zero where there is nothing."""
    mean: Array = (x.mean if x.size else x.sum)(axis=axes, keepdims=True)
    return mean


def _forward(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    *,
    save: bool,
    axes: tuple[int, ...],
    eps: float,
) -> tuple[Array, Any]:
    rows = _are_rows(x, weight, bias, axes)
    if rows:
        y = _kernels.layer_norm(x, math.prod(x.shape[axes[0] :]), weight, bias, eps)
        if not save:
            return y, None
    hat, variance = _moments(x, axes)
    inverse = 1 / np.sqrt(variance + x.dtype.type(eps))
    hat *= inverse
    if not rows:
        y = hat * weight if weight is not None else hat.copy() if save else hat
        if bias is not None:
            y += bias
    return y, (hat, inverse, weight, None if bias is None else bias.shape) if save else None


def _are_rows(x: Array, weight: Array | None, bias: Array | None, axes: tuple[int, ...]) -> bool:
    """Whether this is the layer normalisation of float32 that a kernel computes."""
    shape = x.shape[-len(axes) :]
    return (
        x.dtype == np.float32
        and axes == tuple(range(-len(axes), 0))
        and all(p is None or (p.dtype == x.dtype and p.shape == shape) for p in (weight, bias))
    )


def _sum_to(grad: Array, shape: tuple[int, ...]) -> Array:
    axes = tuple(range(grad.ndim - len(shape)))
    axes += tuple(
        i + len(axes) for i, n in enumerate(shape) if n == 1 and grad.shape[i + len(axes)] != 1
    )
    out: Array = grad.sum(axis=axes).reshape(shape)
    return out


def _backward(
    grads: Sequence[Array],
    saved: Any,
    needs: Sequence[bool],
    *,
    axes: tuple[int, ...],
    eps: float,
) -> Sequence[Array | None]:
    del eps
    g = grads[0]
    hat, inverse, weight, bias_shape = saved
    dx = d_weight = d_bias = None
    if needs[0]:
        d = g if weight is None else g * weight
        dx = d - d.mean(axis=axes, keepdims=True)
        dx -= hat * (d * hat).mean(axis=axes, keepdims=True)
        dx *= inverse
    if needs[1]:
        d_weight = _sum_to(g * hat, weight.shape)
    if needs[2]:
        d_bias = _sum_to(g, bias_shape)
    return dx, d_weight, d_bias


def _samples(rng: np.random.Generator) -> Iterable[Sample]:
    normal = rng.standard_normal
    yield Sample(normal((4, 3)), normal(3), normal(3), axes=(1,), eps=0.1)
    yield Sample(normal((4, 3, 2)), normal((3, 1)), normal((3, 1)), axes=(0, 2), eps=0.1)
    yield Sample(normal((2, 2, 5)), None, None, axes=(2,), eps=0.1)


NORMALIZE = define_fused("normalize", _forward, _backward, samples=_samples)


def _per_channel(tensor: Tensor | None, rank: int) -> Tensor | None:
    """View (C,) so that it broadcasts over (N, C, *S)."""
    return None if tensor is None else tensor.reshape(-1, *(1,) * (rank - 2))


def check_channels(where: str, shape: Sequence[int], channels: int | None) -> None:
    """Raise `ShapeError` if the second of two axes or more has not ``channels`` entries."""
    if len(shape) < 2:
        raise ShapeError(f"{where}: input of shape {tuple(shape)} came, expected at least (N, C)")
    if channels is not None and shape[1] != channels:
        raise ShapeError(
            f"{where}: input of shape {tuple(shape)} came, expected {channels} channels in "
            "its second axis"
        )


def check_normalized(where: str, shape: Sequence[int], normalized_shape: tuple[int, ...]) -> None:
    """Raise `ShapeError` if the last axes are not ``normalized_shape``."""
    if not normalized_shape or tuple(shape[-len(normalized_shape) :]) != normalized_shape:
        raise ShapeError(
            f"{where}: input of shape {tuple(shape)} came, expected its last axes to be "
            f"{normalized_shape}"
        )


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise every channel over the batch and the spatial axes.

    Parameters
    ----------
    input : Tensor, shape (N, C, *)
    running_mean, running_var : Tensor, shape (C,), optional
        Used when not training; when training they move towards the batch's mean and unbiased
        variance: r = (1 - momentum) r + momentum batch.
    weight, bias : Tensor, shape (C,), optional
    training : bool
        Use the batch's own statistics.
    momentum : float
    eps : float
        Added to the variance.

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together, or a channel has one value only while training.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.batch_norm(qrs.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    check_floats("batch_norm", input=input, weight=weight, bias=bias)
    check_channels("batch_norm", input.shape, None if running_mean is None else len(running_mean))
    if not training:
        if running_mean is None or running_var is None:
            raise ShapeError(
                "batch_norm: no running statistics came, expected them outside of training"
            )
        return _with_statistics(input, running_mean, running_var, weight, bias, eps)
    axes = (0, *range(2, input.dim()))
    count = math.prod(input.shape[axis] for axis in axes)
    if count <= 1:
        raise ShapeError(
            f"batch_norm: input of shape {tuple(input.shape)} came, expected more than one value "
            "per channel when training; use a larger batch or eval()"
        )
    results: Any = apply(BATCH_NORM, input, weight, bias, eps=eps)
    output, mean, variance = results
    if running_mean is not None and running_var is not None:
        unbiased = variance._array * (count / (count - 1))
        with no_grad():
            for running, batch in ((running_mean, mean._array), (running_var, unbiased)):
                moved = running._array * (1 - momentum) + batch * momentum
                running.copy_(Tensor._wrap(np.asarray(moved, running._array.dtype)))
    return output  # type: ignore[no-any-return]  # an operation is untyped


def _with_statistics(
    input: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    """Apply fixed statistics: one product and one sum over the input."""
    rank = input.dim()
    scale = (variance + eps).rsqrt()
    shape = (-1, *(1,) * (rank - 2))
    scale = scale.reshape(shape) if weight is None else scale.reshape(shape) * weight.reshape(shape)
    shift = -mean.reshape(shape) * scale
    if bias is not None:
        shift = shift + bias.reshape(shape)
    return input * scale + shift


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise every channel of every sample over the spatial axes.

    Parameters
    ----------
    input : Tensor, shape (N, C, *S)
    running_mean, running_var : Tensor, shape (C,), optional
        Updated by the mean over the batch of each sample's statistics, or used instead of them.
    weight, bias : Tensor, shape (C,), optional
    use_input_stats : bool
        Normalise by the sample's own statistics.
    momentum, eps : float

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together, or there is one spatial value only.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.instance_norm(qrs.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """
    check_floats("instance_norm", input=input, weight=weight, bias=bias)
    check_channels("instance_norm", input.shape, None if weight is None else len(weight))
    weight, bias = _per_channel(weight, input.dim()), _per_channel(bias, input.dim())
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ShapeError(
                "instance_norm: no running statistics came, expected them without use_input_stats"
            )
        return _with_statistics(input, running_mean, running_var, weight, bias, eps)
    axes = tuple(range(2, input.dim()))
    count = math.prod(input.shape[2:])
    if count <= 1:
        raise ShapeError(
            f"instance_norm: input of shape {tuple(input.shape)} came, expected more than one "
            "spatial value"
        )
    if running_mean is not None and running_var is not None:
        with no_grad():
            _, variance = _moments(input._array, axes)
            batch_var = variance.mean(axis=0).reshape(-1) * (count / (count - 1))
            batch_mean = input._array.mean(axis=(0, *axes))
            for running, batch in ((running_mean, batch_mean), (running_var, batch_var)):
                moved = running._array * (1 - momentum) + batch * momentum
                running.copy_(Tensor._wrap(np.asarray(moved, running._array.dtype)))
    return apply(NORMALIZE, input, weight, bias, axes=axes, eps=eps)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over the last axes.

    Parameters
    ----------
    input : Tensor, shape (*, *normalized_shape)
    normalized_shape : sequence of int
    weight, bias : Tensor, shape normalized_shape, optional
    eps : float
        Added to the variance.

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.layer_norm(qrs.tensor([[1.0, 3.0]]), [2])
    tensor([[-1.0000,  1.0000]])
    """
    check_floats("layer_norm", input=input, weight=weight, bias=bias)
    shape = tuple(normalized_shape)
    check_normalized("layer_norm", input.shape, shape)
    axes = tuple(range(-len(shape), 0))
    return apply(NORMALIZE, input, weight, bias, axes=axes, eps=eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise groups of channels of every sample.

    Parameters
    ----------
    input : Tensor, shape (N, C, *)
    num_groups : int
        Divides C.
    weight, bias : Tensor, shape (C,), optional
    eps : float
        Added to the variance.

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.group_norm(qrs.tensor([[1.0, 3.0]]), 1)
    tensor([[-1.0000,  1.0000]])
    """
    check_floats("group_norm", input=input, weight=weight, bias=bias)
    check_channels("group_norm", input.shape, None if weight is None else len(weight))
    n, channels = input.shape[:2]
    if channels % num_groups:
        raise ShapeError(
            f"group_norm: {channels} channels came, expected a multiple of {num_groups} groups"
        )
    grouped = input.reshape(n, num_groups, math.prod(input.shape[1:]) // num_groups)
    out = apply(NORMALIZE, grouped, None, None, axes=(-1,), eps=eps).reshape(input.shape)
    scale, shift = _per_channel(weight, input.dim()), _per_channel(bias, input.dim())
    if scale is not None:
        out = out * scale
    return out if shift is None else out + shift


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Divide by the norm along an axis, or by ``eps`` where the norm is smaller.

    Parameters
    ----------
    input : Tensor
    p : float
        Order of the norm.
    dim : int
    eps : float

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.normalize(qrs.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)
