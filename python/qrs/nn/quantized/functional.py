"""Functions of quantized tensors, under PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qrs.nn.functional import activation, adaptive_pooling, norm, pooling, resample
from qrs.nn.functional.dispatch import QUANTIZED
from qrs.nn.quantized.functional_layers import conv1d, conv2d, conv3d, linear
from qrs.nn.quantized.output import refuse_input
from qrs.qtensor import PerTensor, QTensor
from qrs.qtensor.core import quantized
from qrs.tensor import Tensor
from qrs.tensor import cat as join

__all__ = [
    "add",
    "add_relu",
    "add_scalar",
    "batch_norm",
    "cat",
    "conv1d",
    "conv2d",
    "conv3d",
    "elu",
    "group_norm",
    "hardswish",
    "instance_norm",
    "layer_norm",
    "leaky_relu",
    "linear",
    "matmul",
    "mul",
    "mul_relu",
    "mul_scalar",
    "relu6",
    "sigmoid",
]


def _values(where: str, x: Any) -> Tensor:
    if type(x) is not QTensor or type(x._qparams) is not PerTensor:
        refuse_input(f"quantized.{where}", x)
    return x.dequantize()


def _stored(values: Tensor, like: QTensor, scale: float, zero_point: int) -> QTensor:
    qparams = PerTensor(scale, zero_point)
    array = np.ascontiguousarray(values._array, np.float32)
    return QTensor._wrap(quantized(array, qparams, like._dtype), qparams, like._dtype)


def add(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """The sum."""
    return _stored(_values("add", a) + _values("add", b), a, scale, zero_point)


def add_relu(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """The sum, cut at 0 from below."""
    return add(a, b, scale, zero_point).relu()


def mul(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """The product."""
    return _stored(_values("mul", a) * _values("mul", b), a, scale, zero_point)


def mul_relu(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """The product, cut at 0 from below."""
    return mul(a, b, scale, zero_point).relu()


def matmul(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """The product of matrices, or of batches of them."""
    return _stored(_values("matmul", a) @ _values("matmul", b), a, scale, zero_point)


def cat(
    tensors: Sequence[QTensor],
    dim: int = 0,
    scale: float | None = None,
    zero_point: int | None = None,
) -> QTensor:
    """The tensors joined along a dimension."""
    first = tensors[0]
    scale = first.q_scale() if scale is None else scale
    zero_point = first.q_zero_point() if zero_point is None else zero_point
    return _stored(join([_values("cat", x) for x in tensors], dim), first, scale, zero_point)


def add_scalar(x: QTensor, c: float) -> QTensor:
    """The sum with a number."""
    _values("add_scalar", x)
    low, high = (-128, 127) if x.int_repr()._array.dtype == np.int8 else (0, 255)
    scale, moved = x.q_scale(), x.q_zero_point() - round(c / x.q_scale())
    if low <= moved <= high:
        return QTensor._wrap(x._ints, PerTensor(scale, moved), x._dtype)
    edge = low if moved < low else high
    wide = scale * abs((high if moved < low else low) - moved) / (high - low)
    factor = np.float32(scale / wide)
    steps = np.rint((x._ints.astype(np.int64) - moved).astype(np.float32) * factor)
    ints = np.clip(steps + edge, low, high).astype(x._ints.dtype)
    return QTensor._wrap(ints, PerTensor(wide, edge), x._dtype)


def mul_scalar(x: QTensor, c: float) -> QTensor:
    """The product with a number."""
    _values("mul_scalar", x)
    low, high = (-128, 127) if x._ints.dtype == np.int8 else (0, 255)
    if c == 0:
        return QTensor.zeros(tuple(x.shape), 1.0, 0, x._dtype)
    if c > 0:
        return QTensor._wrap(x._ints, PerTensor(x.q_scale() * c, x.q_zero_point()), x._dtype)
    ints = (low + high - x._ints.astype(np.int64)).astype(x._ints.dtype)
    return QTensor._wrap(ints, PerTensor(-c * x.q_scale(), low + high - x.q_zero_point()), x._dtype)


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
    """Normalise every channel by given statistics."""
    values = norm.batch_norm(
        _values("batch_norm", x), running_mean, running_var, weight, bias, False, 0.1, eps
    )
    y = _stored(values, x, scale, zero_point)
    return y.relu() if relu else y


def layer_norm(
    x: QTensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    scale: float,
    zero_point: int,
) -> QTensor:
    """Normalise over the last axes."""
    values = norm.layer_norm(_values("layer_norm", x), normalized_shape, weight, bias, eps)
    return _stored(values, x, scale, zero_point)


def group_norm(
    x: QTensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    scale: float,
    zero_point: int,
) -> QTensor:
    """Normalise groups of channels of every sample."""
    values = norm.group_norm(_values("group_norm", x), num_groups, weight, bias, eps)
    return _stored(values, x, scale, zero_point)


def instance_norm(
    x: QTensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    scale: float,
    zero_point: int,
) -> QTensor:
    """Normalise every channel of every sample."""
    values = norm.instance_norm(
        _values("instance_norm", x), None, None, weight, bias, True, 0.1, eps
    )
    return _stored(values, x, scale, zero_point)


def hardswish(x: QTensor, scale: float, zero_point: int) -> QTensor:
    """``x * relu6(x + 3) / 6``."""
    return _stored(activation.hardswish(_values("hardswish", x)), x, scale, zero_point)


def elu(x: QTensor, scale: float, zero_point: int, alpha: float = 1.0) -> QTensor:
    """Values above zero, and ``alpha (exp(x) - 1)`` below."""
    return _stored(activation.elu(_values("elu", x), alpha), x, scale, zero_point)


def sigmoid(x: QTensor, scale: float, zero_point: int) -> QTensor:
    """``1 / (1 + exp(-x))``."""
    return _stored(_values("sigmoid", x).sigmoid(), x, scale, zero_point)


def leaky_relu(
    x: QTensor,
    negative_slope: float = 0.01,
    inplace: bool = False,
    scale: float | None = None,
    zero_point: int | None = None,
) -> QTensor:
    """Values above zero, and ``negative_slope * x`` below."""
    del inplace
    values = activation.leaky_relu(_values("leaky_relu", x), negative_slope)
    if scale is None or zero_point is None:
        scale, zero_point = x.q_scale(), x.q_zero_point()
    return _stored(values, x, scale, zero_point)


def relu6(x: QTensor, inplace: bool = False) -> QTensor:
    """``min(max(x, 0), 6)``."""
    del inplace
    _values("relu6", x)
    return x.clamp(0.0, 6.0)


def _keeping(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: QTensor, *args: Any, **kwargs: Any) -> QTensor:
        values = function(_values(function.__name__, x), *args, **kwargs)
        return _stored(values, x, x.q_scale(), x.q_zero_point())

    return run


_FLOAT = [
    *[getattr(pooling, f"{kind}_pool{rank}d") for kind in ("avg", "max") for rank in (1, 2, 3)],
    *[getattr(adaptive_pooling, f"adaptive_avg_pool{rank}d") for rank in (1, 2, 3)],
    activation.hardtanh,
    activation.threshold,
    activation.leaky_relu,
    resample.interpolate,
]
QUANTIZED.update({function.__name__: _keeping(function) for function in _FLOAT})


def _hardsigmoid(x: QTensor, inplace: bool = False) -> QTensor:
    del inplace
    low = -128 if x._ints.dtype == np.int8 else 0
    return _stored(activation.hardsigmoid(_values("hardsigmoid", x)), x, 1 / 256, low)


def _dropout(x: QTensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> QTensor:
    del p, inplace
    if training:
        refuse_input("dropout in training", x)
    return x


QUANTIZED.update(hardsigmoid=_hardsigmoid, relu6=relu6, dropout=_dropout)
