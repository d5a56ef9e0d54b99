"""Normalisation of quantized tensors: statistics of exact integer sums, the rest in float32."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qrs import _kernels
from qrs.errors import DtypeError, ShapeError, type_name
from qrs.nn.functional.norm import check_channels, check_normalized
from qrs.nn.quantized.images import TO_FIRST, TO_LAST
from qrs.nn.quantized.output import byte_tensor, pair_of
from qrs.qtensor import QTensor
from qrs.qtensor.qparams import PerTensor, per_tensor
from qrs.tensor import Tensor

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm"]

Array = np.ndarray[Any, Any]


def _array(tensor: Any) -> Array:
    if not isinstance(tensor, Tensor):
        raise DtypeError(
            f"quantized normalization: a {type_name(tensor)} came for a parameter, expected a "
            "Tensor; make one with qrs.as_tensor()"
        )
    return tensor._array


def _floats(tensor: Any) -> Array | None:
    return None if tensor is None else _array(tensor)


def _checked(where: str, x: Any, scale: float, zero_point: int) -> tuple[QTensor, PerTensor]:
    where = f"quantized.{where}"
    x = byte_tensor(where, x)
    return x, per_tensor(scale, zero_point, x._dtype, where)


def _by_channel(x: QTensor, output: PerTensor, run: Callable[[Array, bool], Array]) -> QTensor:
    """`run` on (N, C, P), or on (N, P, C) where the channels are last in memory."""
    ints = x._ints
    n, c, *rest = ints.shape
    last = TO_LAST.get(len(rest))
    if last is None:
        # Without positions the channels are last.
        is_last = not rest
        out = run(ints.reshape(n, 1, c) if is_last else ints.reshape(n, c, -1), is_last)
        return QTensor._wrap(out.reshape(ints.shape), output, x._dtype)
    view = ints.transpose(last)
    if view.flags.c_contiguous:
        out = run(view.reshape(n, math.prod(rest), c), True).reshape(view.shape)
        return QTensor._wrap(out.transpose(TO_FIRST[len(rest)]), output, x._dtype)
    out = run(_kernels.contiguous(ints).reshape(n, c, math.prod(rest)), False)
    return QTensor._wrap(out.reshape(ints.shape), output, x._dtype)


def batch_norm(
    x: QTensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    eps: float,
    scale: float,
    zero_point: int,
    relu: bool = False,
) -> QTensor:
    """Normalise every channel by given statistics.

    Parameters
    ----------
    x : QTensor, quint8 or qint8, shape (N, C, *)
    weight, bias : Tensor, float32, shape (C,), or None
    running_mean, running_var : Tensor, float32, shape (C,)
    eps : float
        Added to the variance.
    scale, zero_point : float, int
        Of the result.
    relu : bool
        Negative results become 0.

    Raises
    ------
    DtypeError, ShapeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[1.0, 4.0]]), 0.5, 10, qrs.quint8)
    >>> mean, var = qrs.tensor([1.0, 2.0]), qrs.tensor([1.0, 4.0])
    >>> F = qrs.nn.quantized.functional
    >>> F.batch_norm(x, None, None, mean, var, 0.0, 0.5, 0).dequantize()
    tensor([[0., 1.]])
    """
    x, output = _checked("batch_norm", x, scale, zero_point)
    check_channels("quantized.batch_norm", x.shape, len(running_mean))

    def run(ints: Array, channels_last: bool) -> Array:
        return _kernels.batch_norm(
            ints,
            _array(running_mean),
            _array(running_var),
            _floats(weight),
            _floats(bias),
            eps,
            pair_of(x),
            output,
            relu,
            channels_last,
        )

    return _by_channel(x, output, run)


def layer_norm(
    x: QTensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    scale: float,
    zero_point: int,
) -> QTensor:
    """Normalise over the last axes.

    Parameters
    ----------
    x : QTensor, quint8 or qint8, shape (*, *normalized_shape)
    normalized_shape : sequence of int
    weight, bias : Tensor, float32, shape normalized_shape, or None
    eps : float
        Added to the variance.
    scale, zero_point : float, int
        Of the result.

    Raises
    ------
    DtypeError, ShapeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[1.0, 3.0]]), 0.5, 10, qrs.quint8)
    >>> F = qrs.nn.quantized.functional
    >>> F.layer_norm(x, [2], None, None, 1e-5, 0.5, 10).dequantize()
    tensor([[-1.,  1.]])
    """
    x, output = _checked("layer_norm", x, scale, zero_point)
    sizes = tuple(normalized_shape)
    check_normalized("quantized.layer_norm", x.shape, sizes)
    ints = _kernels.quantized_layer_norm(
        _kernels.contiguous(x._ints),
        math.prod(sizes),
        _floats(weight),
        _floats(bias),
        eps,
        pair_of(x),
        output,
    )
    return QTensor._wrap(ints, output, x._dtype)


def group_norm(
    x: QTensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    scale: float,
    zero_point: int,
) -> QTensor:
    """Normalise groups of channels of every sample.

    Parameters
    ----------
    x : QTensor, quint8 or qint8, shape (N, C, *)
    num_groups : int
        Divides C.
    weight, bias : Tensor, float32, shape (C,), or None
    eps : float
        Added to the variance.
    scale, zero_point : float, int
        Of the result.

    Raises
    ------
    DtypeError, ShapeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[1.0, 3.0]]), 0.5, 10, qrs.quint8)
    >>> F = qrs.nn.quantized.functional
    >>> F.group_norm(x, 1, None, None, 1e-5, 0.5, 10).dequantize()
    tensor([[-1.,  1.]])
    """
    return _grouped("group_norm", x, num_groups, (weight, bias, eps), (scale, zero_point))


def instance_norm(
    x: QTensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    scale: float,
    zero_point: int,
) -> QTensor:
    """Normalise every channel of every sample: `group_norm` with a group for each channel.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[[1.0, 3.0]]]), 0.5, 10, qrs.quint8)
    >>> F = qrs.nn.quantized.functional
    >>> F.instance_norm(x, None, None, 1e-5, 0.5, 10).dequantize()
    tensor([[[-1.,  1.]]])
    """
    where = "quantized.instance_norm"
    check_channels(where, byte_tensor(where, x).shape, None)
    return _grouped("instance_norm", x, x.shape[1], (weight, bias, eps), (scale, zero_point))


def _grouped(
    name: str,
    x: Any,
    groups: int,
    affine: tuple[Tensor | None, Tensor | None, float],
    pair: tuple[float, int],
) -> QTensor:
    x, output = _checked(name, x, *pair)
    weight, bias, eps = affine
    where = f"quantized.{name}"
    check_channels(where, x.shape, None if weight is None else len(weight))
    channels = x.shape[1]
    if groups < 1 or channels % groups:
        raise ShapeError(
            f"{where}: {channels} channels came, expected a multiple of {groups} groups"
        )

    def run(ints: Array, channels_last: bool) -> Array:
        return _kernels.group_norm(
            ints,
            groups,
            _floats(weight),
            _floats(bias),
            eps,
            pair_of(x),
            output,
            channels_last,
        )

    return _by_channel(x, output, run)
