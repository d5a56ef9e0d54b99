"""Activations of quantized tensors, under PyTorch's names: each is a table of 256 bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qrs.errors import DtypeError
from qrs.nn.functional import activation
from qrs.nn.quantized.output import byte_tensor, pair_of
from qrs.qtensor import QTensor
from qrs.qtensor.qparams import PerTensor, per_tensor
from qrs.qtensor.tables import by_table
from qrs.tensor import Tensor

__all__ = [
    "celu",
    "clamp",
    "dropout",
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "relu6",
    "sigmoid",
    "silu",
    "tanh",
    "threshold",
    "unary",
]


def _mapped(
    name: str,
    x: Any,
    function: Callable[..., Tensor],
    output: tuple[Any, Any],
    *arguments: Any,
    keep: bool = True,
) -> QTensor:
    where = f"quantized.{name}"
    x = byte_tensor(where, x)
    qparams = per_tensor(*output, x._dtype, where)
    result: QTensor = by_table(x, function, qparams, arguments, keep)
    return result


def unary(
    input: QTensor, function: Callable[[Tensor], Tensor], scale: float, zero_point: int
) -> QTensor:
    """Apply any function of one variable: it is called once, with the 256 values of a byte.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, any shape
    function : callable
        From a float32 tensor of shape (256,) to another, each element for itself.
    scale, zero_point : float, int
        Of the result.

    Raises
    ------
    DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-1.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.unary(x, lambda v: v * v, 0.25, 0).dequantize()
    tensor([1., 4.])
    """
    return _mapped("unary", input, function, (scale, zero_point), keep=False)


def hardswish(input: QTensor, scale: float, zero_point: int) -> QTensor:
    """Compute ``x * relu6(x + 3) / 6``.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, any shape
    scale, zero_point : float, int
        Of the result.

    Raises
    ------
    DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 3.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.hardswish(x, 0.5, 0).dequantize()
    tensor([0., 3.])
    """
    return _mapped("hardswish", input, activation.hardswish, (scale, zero_point))


def elu(input: QTensor, scale: float, zero_point: int, alpha: float = 1.0) -> QTensor:
    """Compute x above zero and ``alpha (exp(x) - 1)`` below; arguments as of `hardswish`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-9.0, 3.0]), 0.5, 20, qrs.quint8)
    >>> qrs.nn.quantized.functional.elu(x, 0.5, 4).dequantize()
    tensor([-1.,  3.])
    """
    return _mapped("elu", input, activation.elu, (scale, zero_point), float(alpha))


def celu(input: QTensor, scale: float, zero_point: int, alpha: float = 1.0) -> QTensor:
    """Compute x above zero and ``alpha (exp(x / alpha) - 1)`` below; as `hardswish`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-9.0, 3.0]), 0.5, 20, qrs.quint8)
    >>> qrs.nn.quantized.functional.celu(x, 0.5, 4, 0.5).dequantize()
    tensor([-0.5000,  3.0000])
    """
    return _mapped("celu", input, activation.celu, (scale, zero_point), float(alpha))


def gelu(input: QTensor, scale: float, zero_point: int, approximate: str = "none") -> QTensor:
    """Compute ``x * Phi(x)``; arguments as of `hardswish`, ``approximate`` as of `nn.GELU`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-9.0, 3.0]), 0.5, 20, qrs.quint8)
    >>> qrs.nn.quantized.functional.gelu(x, 0.5, 4).dequantize()
    tensor([0., 3.])
    """
    return _mapped("gelu", input, activation.gelu, (scale, zero_point), approximate)


def silu(input: QTensor, scale: float, zero_point: int) -> QTensor:
    """Compute ``x * sigmoid(x)``; arguments as of `hardswish`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-9.0, 3.0]), 0.5, 20, qrs.quint8)
    >>> qrs.nn.quantized.functional.silu(x, 0.5, 4).dequantize()
    tensor([0., 3.])
    """
    return _mapped("silu", input, activation.silu, (scale, zero_point))


def sigmoid(input: QTensor, scale: float, zero_point: int) -> QTensor:
    """Compute ``1 / (1 + exp(-x))``; arguments as of `hardswish`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([0.0, 3.0]), 0.5, 20, qrs.quint8)
    >>> qrs.nn.quantized.functional.sigmoid(x, 0.5, 4).dequantize()
    tensor([0.5000, 1.0000])
    """
    return _mapped("sigmoid", input, Tensor.sigmoid, (scale, zero_point))


def tanh(input: QTensor, scale: float, zero_point: int) -> QTensor:
    """Compute the hyperbolic tangent; arguments as of `hardswish`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-9.0, 0.0]), 0.5, 20, qrs.quint8)
    >>> qrs.nn.quantized.functional.tanh(x, 0.5, 4).dequantize()
    tensor([-1.,  0.])
    """
    return _mapped("tanh", input, Tensor.tanh, (scale, zero_point))


def _into(input: QTensor, result: QTensor, inplace: bool) -> QTensor:
    """The result, which `input` stands for too if it shall be overwritten."""
    return input._become(result) if inplace else result


def _own(where: str, x: Any) -> tuple[QTensor, tuple[float, int]]:
    """The tensor and its parameters, for functions that keep them."""
    x = byte_tensor(f"quantized.{where}", x)
    return x, pair_of(x)


def leaky_relu(
    input: QTensor,
    negative_slope: float = 0.01,
    inplace: bool = False,
    scale: float | None = None,
    zero_point: int | None = None,
) -> QTensor:
    """Compute x above zero and ``negative_slope * x`` below.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, any shape
    negative_slope : float
    inplace : bool
        Overwrite ``input``.
    scale, zero_point : float, int, optional
        Of the result; those of ``input`` unless both are given.

    Raises
    ------
    DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 3.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.leaky_relu(x, 0.25).dequantize()
    tensor([-1.,  3.])
    """
    input, output = _own("leaky_relu", input)
    if scale is not None and zero_point is not None:
        output = (scale, zero_point)
    result = _mapped("leaky_relu", input, activation.leaky_relu, output, float(negative_slope))
    return _into(input, result, inplace)


def relu6(input: QTensor, inplace: bool = False) -> QTensor:
    """Compute ``min(max(input, 0), 6)`` under the parameters of ``input``.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 8.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.relu6(x).dequantize()
    tensor([0., 6.])
    """
    return _into(input, byte_tensor("quantized.relu6", input).clamp(0.0, 6.0), inplace)


def clamp(input: QTensor, min_: float, max_: float) -> QTensor:
    """Compute ``min(max(input, min_), max_)`` under the parameters of ``input``.

    The bounds are quantized first; the upper one wins where they cross.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, any shape
    min_, max_ : float

    Raises
    ------
    DtypeError
        If ``input`` is not such.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 8.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.clamp(x, -1.0, 2.0).dequantize()
    tensor([-1.,  2.])
    """
    return byte_tensor("quantized.clamp", input).clamp(min_, max_)


def hardtanh(
    input: QTensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> QTensor:
    """As `clamp`, between -1 and 1 by default.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 8.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.hardtanh(x).dequantize()
    tensor([-1.,  1.])
    """
    return _into(input, byte_tensor("quantized.hardtanh", input).clamp(min_val, max_val), inplace)


def threshold(input: QTensor, threshold: float, value: float, inplace: bool = False) -> QTensor:
    """Compute x where it is greater than ``threshold``, else ``value``; keeps the parameters.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 8.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.threshold(x, 0.0, 1.0).dequantize()
    tensor([1., 8.])
    """
    input, output = _own("threshold", input)
    arguments = float(threshold), float(value)
    result = _mapped("threshold", input, activation.threshold, output, *arguments)
    return _into(input, result, inplace)


def hardsigmoid(input: QTensor, inplace: bool = False) -> QTensor:
    """Compute ``relu6(x + 3) / 6`` with scale 1/256 and the smallest zero point.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 0.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.hardsigmoid(x).dequantize()
    tensor([0.0000, 0.5000])
    """
    input = byte_tensor("quantized.hardsigmoid", input)
    kind: Any = input._dtype
    result: QTensor = by_table(input, activation.hardsigmoid, PerTensor(1 / 256, kind.qmin))
    return _into(input, result, inplace)


def dropout(
    input: QTensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> QTensor:
    """Return ``input``; in training a float tensor is expected.

    Raises
    ------
    DtypeError
        In training.
    """
    del p, inplace
    if training:
        raise DtypeError(
            "dropout: a quantized tensor came in training, expected a float one; call eval() on "
            "the model"
        )
    return input
