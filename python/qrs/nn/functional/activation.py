"""Activation functions.

For one whose slope needs the input an in-place call keeps a copy of it when a gradient is recorded.
"""

from __future__ import annotations

import math
from typing import Any

from qrs.autograd import Primitive
from qrs.autograd.rules.elementwise import GELU
from qrs.nn.functional.activation_rules import (
    ELU,
    HARDSIGMOID,
    HARDSWISH,
    HARDTANH,
    LEAKY_RELU,
    LOGSIGMOID,
    MISH,
    SILU,
    SOFTPLUS,
    THRESHOLD,
)
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.dispatch import also_quantized
from qrs.tensor import Tensor, apply, apply_in_place

__all__ = [
    "celu",
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _call(primitive: Primitive, input: Any, inplace: bool, **params: Any) -> Tensor:
    if not isinstance(input, Tensor):
        check_floats(primitive.name, input=input)
    if not inplace:
        return apply(primitive, input, **params)
    rule = primitive.rules[0]
    if input.requires_grad and rule is not None and "x" in rule.uses:
        changed: Tensor = input.copy_(apply(primitive, input.clone(), **params))
        return changed
    return apply_in_place(primitive, input, **params)


def relu(input: Any, inplace: bool = False) -> Any:
    """Compute ``max(x, 0)``.

    Parameters
    ----------
    input : Tensor or QTensor, any shape
    inplace : bool
        Overwrite ``input``.

    Examples
    --------
    >>> import qrs
    >>> relu(qrs.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    if not inplace:
        return input.relu()
    return input.relu_() if isinstance(input, Tensor) else input._become(input.relu())


@also_quantized
def relu6(input: Any, inplace: bool = False) -> Any:
    """Compute ``min(max(x, 0), 6)``.

    Examples
    --------
    >>> import qrs
    >>> relu6(qrs.tensor([-1.0, 7.0]))
    tensor([0., 6.])
    """
    return _call(HARDTANH, input, inplace, low=0.0, high=6.0)


@also_quantized
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """Compute ``min(max(x, min_val), max_val)``.

    Examples
    --------
    >>> import qrs
    >>> hardtanh(qrs.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    return _call(HARDTANH, input, inplace, low=float(min_val), high=float(max_val))


@also_quantized
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """Compute x above zero and ``negative_slope * x`` below.

    Examples
    --------
    >>> import qrs
    >>> leaky_relu(qrs.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    if inplace and negative_slope <= 0 and input.requires_grad:
        # The sign of the output no longer tells that of the input.
        return input.copy_(apply(LEAKY_RELU, input.clone(), slope=float(negative_slope)))
    return _call(LEAKY_RELU, input, inplace, slope=float(negative_slope))


@also_quantized
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """Compute x above zero and ``alpha (exp(x) - 1)`` below.

    Source: Clevert et al. 2015, arXiv:1511.07289.

    Examples
    --------
    >>> import qrs
    >>> elu(qrs.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return _call(ELU, input, inplace, alpha=float(alpha), rate=1.0, gain=1.0)


@also_quantized
def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """Compute x above zero and ``alpha (exp(x / alpha) - 1)`` below.

    Source: Barron 2017, arXiv:1704.07483.

    Examples
    --------
    >>> import qrs
    >>> celu(qrs.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])
    """
    return _call(ELU, input, inplace, alpha=float(alpha), rate=1.0 / alpha, gain=1.0)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Compute ``scale * elu(x, alpha)`` with the fixed point of mean 0 and variance 1.

    Source: Klambauer et al. 2017, arXiv:1706.02515.

    Examples
    --------
    >>> import qrs
    >>> selu(qrs.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return _call(ELU, input, inplace, alpha=SELU_ALPHA, rate=1.0, gain=SELU_SCALE)


@also_quantized
def hardswish(input: Any, inplace: bool = False) -> Any:
    """Compute ``x * relu6(x + 3) / 6``. Source: Howard et al. 2019, arXiv:1905.02244.

    Examples
    --------
    >>> import qrs
    >>> hardswish(qrs.tensor([-4.0, 0.0, 3.0]))
    tensor([-0., 0., 3.])
    """
    return _call(HARDSWISH, input, inplace)


@also_quantized
def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """Compute ``relu6(x + 3) / 6``.

    Examples
    --------
    >>> import qrs
    >>> hardsigmoid(qrs.tensor([-4.0, 0.0, 3.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _call(HARDSIGMOID, input, inplace)


@also_quantized
def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """Compute x where it is greater than ``threshold``, else ``value``.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.threshold(qrs.tensor([0.0, 2.0]), 1.0, -5.0)
    tensor([-5.,  2.])
    """
    return _call(THRESHOLD, input, inplace, threshold=float(threshold), value=float(value))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Compute ``x * sigmoid(x)``.

    Examples
    --------
    >>> import qrs
    >>> silu(qrs.tensor([0.0, 2.0]))
    tensor([0.0000, 1.7616])
    """
    return _call(SILU, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Compute ``x * tanh(softplus(x))``. Source: Misra 2019, arXiv:1908.08681.

    Examples
    --------
    >>> import qrs
    >>> mish(qrs.tensor([0.0, 2.0]))
    tensor([0.0000, 1.9440])
    """
    return _call(MISH, input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Compute ``log(1 + exp(beta x)) / beta``; x itself where ``beta x > threshold``.

    Examples
    --------
    >>> import qrs
    >>> softplus(qrs.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """
    return _call(SOFTPLUS, input, False, beta=float(beta), threshold=float(threshold))


def logsigmoid(input: Tensor) -> Tensor:
    """Compute ``log(sigmoid(x))`` without underflow.

    Examples
    --------
    >>> import qrs
    >>> logsigmoid(qrs.tensor([0.0]))
    tensor([-0.6931])
    """
    return _call(LOGSIGMOID, input, False)


@also_quantized
def softsign(input: Tensor) -> Tensor:
    """Compute ``x / (1 + |x|)``.

    Examples
    --------
    >>> import qrs
    >>> softsign(qrs.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    return input / (input.abs() + 1)


@also_quantized
def tanhshrink(input: Tensor) -> Tensor:
    """Compute ``x - tanh(x)``.

    Examples
    --------
    >>> import qrs
    >>> tanhshrink(qrs.tensor([0.0]))
    tensor([0.])
    """
    return input - input.tanh()


@also_quantized
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Compute x above zero and ``weight * x`` below. Source: He et al. 2015, arXiv:1502.01852.

    Parameters
    ----------
    input : Tensor, shape (N, C, *)
    weight : Tensor, shape (1,) or (C,)

    Examples
    --------
    >>> import qrs
    >>> prelu(qrs.tensor([-2.0, 2.0]), qrs.tensor([0.25]))
    tensor([-0.5000,  2.0000])
    """
    if weight.numel() > 1 and input.dim() > 1:
        weight = weight.reshape(-1, *(1,) * (input.dim() - 2))
    return input.clamp(min=0) + weight * input.clamp(max=0)


def sigmoid(input: Any) -> Any:
    """Compute ``1 / (1 + exp(-x))``.

    Examples
    --------
    >>> import qrs
    >>> sigmoid(qrs.tensor([0.0]))
    tensor([0.5000])
    """
    return input.sigmoid()


def tanh(input: Any) -> Any:
    """Compute the hyperbolic tangent.

    Examples
    --------
    >>> import qrs
    >>> tanh(qrs.tensor([0.0]))
    tensor([0.])
    """
    return input.tanh()


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Compute ``x Phi(x)``, Phi the normal distribution function.

    Parameters
    ----------
    input : Tensor
    approximate : {"none", "tanh"}
        Exact, or 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

    Raises
    ------
    ValueError
        For another ``approximate``. Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.

    Examples
    --------
    >>> import qrs
    >>> gelu(qrs.tensor([1.0]))
    tensor([0.8413])
    """
    if approximate == "none":
        return _call(GELU, input, False)
    if approximate != "tanh":
        raise ValueError(f"gelu: approximate {approximate!r} came, expected 'none' or 'tanh'")
    inner = (input + input * input * input * 0.044715) * math.sqrt(2 / math.pi)
    return input * 0.5 * (inner.tanh() + 1)


def _default_dim(rank: int) -> int:
    # The axis that PyTorch picks when none is given.
    return 0 if rank in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Compute ``exp(x) / sum(exp(x))`` along an axis.

    Parameters
    ----------
    input : Tensor
    dim : int, optional
        The axis; without it 0 for one or three dimensions, otherwise 1.
    dtype : dtype, optional
        Convert the input first.

    Examples
    --------
    >>> import qrs
    >>> softmax(qrs.zeros(1, 2), dim=1)
    tensor([[0.5000, 0.5000]])
    """
    x = input if dtype is None else input.to(dtype)
    return x.softmax(_default_dim(x.dim()) if dim is None else dim)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Compute ``log(softmax(x))`` along an axis, without underflow; arguments as `softmax`.

    Examples
    --------
    >>> import qrs
    >>> log_softmax(qrs.zeros(1, 2), dim=1)
    tensor([[-0.6931, -0.6931]])
    """
    x = input if dtype is None else input.to(dtype)
    return x.log_softmax(_default_dim(x.dim()) if dim is None else dim)
