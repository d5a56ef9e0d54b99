"""Statically quantized activations whose output has a scale of its own.

Those without one (ReLU, Hardtanh, Sigmoid, Tanh, ...) are the float modules: they take quantized
tensors too.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from qrs.nn.layers import activation, activation_settings
from qrs.nn.module import Module
from qrs.nn.quantized import functional as F
from qrs.nn.quantized.output import Converted
from qrs.qtensor import QTensor

__all__ = ["CELU", "ELU", "GELU", "Hardswish", "LeakyReLU", "ReLU6", "SiLU", "Sigmoid"]


class _Activation(Converted):
    # Names of the settings, which the constructor takes after scale and zero point.
    settings: ClassVar[tuple[str, ...]] = ()
    # Whether the input is overwritten, with scale and zero point.
    inplace = False

    @classmethod
    def _like(cls, mod: Any) -> Self:
        new = cls(1.0, 0, *[getattr(mod, name) for name in cls.settings])
        new.inplace = getattr(mod, "inplace", False)
        return new

    def _function(self, input: QTensor) -> QTensor:
        """The function of a checked input."""
        raise NotImplementedError(f"{type(self).__name__}: no _function method, expected one")

    def forward(self, input: Any) -> QTensor:
        """Apply the function to ``input``, any shape."""
        result = self._function(self._checked(input))
        return input._become(result) if self.inplace else result

    def extra_repr(self) -> str:
        """The parameters of the output, and the settings."""
        text = [super().extra_repr(), *[f"{name}={getattr(self, name)}" for name in self.settings]]
        return ", ".join(text)


class Hardswish(_Activation):
    """``x * relu6(x + 3) / 6``.

    Parameters
    ----------
    scale, zero_point : float, int
        Of the output.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 3.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.Hardswish(0.5, 0)(x).dequantize()
    tensor([0., 3.])
    """

    float_class = activation.Hardswish

    def __init__(self, scale: Any, zero_point: Any) -> None:
        super().__init__(scale, zero_point)

    def _function(self, input: QTensor) -> QTensor:
        return F.hardswish(input, *self._output)


class SiLU(_Activation):
    """``x * sigmoid(x)``.

    Parameters
    ----------
    scale, zero_point : float, int
        Of the output.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([0.0, 9.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.SiLU(0.5, 0)(x).dequantize()
    tensor([0., 9.])
    """

    float_class = activation.SiLU

    def __init__(self, scale: Any, zero_point: Any) -> None:
        super().__init__(scale, zero_point)

    def _function(self, input: QTensor) -> QTensor:
        return F.silu(input, *self._output)


class GELU(_Activation):
    """``x`` times the share of a normal distribution below it.

    Parameters
    ----------
    scale, zero_point : float, int
        Of the output.
    approximate : {"none", "tanh"}

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 3.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.GELU(0.5, 0)(x).dequantize()
    tensor([0., 3.])
    """

    float_class = activation_settings.GELU
    settings = ("approximate",)

    def __init__(self, scale: Any, zero_point: Any, approximate: str = "none") -> None:
        super().__init__(scale, zero_point)
        self.approximate = approximate

    def _function(self, input: QTensor) -> QTensor:
        return F.gelu(input, *self._output, self.approximate)


class CELU(_Activation):
    """x above zero and ``alpha (exp(x / alpha) - 1)`` below.

    Parameters
    ----------
    scale, zero_point : float, int
        Of the output.
    alpha : float

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-8.0, 3.0]), 0.5, 16, qrs.quint8)
    >>> qrs.nn.quantized.CELU(0.5, 4, alpha=2.0)(x).dequantize()
    tensor([-2.,  3.])
    """

    float_class = activation_settings.CELU
    settings = ("alpha",)

    def __init__(self, scale: Any, zero_point: Any, alpha: float = 1.0) -> None:
        super().__init__(scale, zero_point)
        self.alpha = alpha

    def _function(self, input: QTensor) -> QTensor:
        return F.celu(input, *self._output, self.alpha)


class ELU(_Activation):
    """x above zero and ``alpha (exp(x) - 1)`` below.

    Parameters
    ----------
    scale, zero_point : float, int
        Of the output.
    alpha : float

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 3.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.ELU(0.5, 4)(x).dequantize()
    tensor([-1.,  3.])
    """

    float_class = activation_settings.ELU
    settings = ("alpha",)

    def __init__(self, scale: Any, zero_point: Any, alpha: float = 1.0) -> None:
        super().__init__(scale, zero_point)
        self.alpha = alpha

    def _function(self, input: QTensor) -> QTensor:
        return F.elu(input, *self._output, self.alpha)


class LeakyReLU(_Activation):
    """x above zero and ``negative_slope * x`` below.

    Parameters
    ----------
    scale, zero_point : float, int
        Of the output.
    negative_slope : float
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-4.0, 3.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.LeakyReLU(0.5, 4, 0.25)(x).dequantize()
    tensor([-1.,  3.])
    """

    float_class = activation_settings.LeakyReLU
    settings = ("negative_slope",)

    def __init__(
        self, scale: Any, zero_point: Any, negative_slope: float = 1e-2, inplace: bool = False
    ) -> None:
        super().__init__(scale, zero_point)
        self.negative_slope = negative_slope
        self.inplace = inplace

    def _function(self, input: QTensor) -> QTensor:
        return F.leaky_relu(input, self.negative_slope, False, *self._output)


class Sigmoid(_Activation):
    """``1 / (1 + exp(-x))`` with chosen output parameters; `nn.Sigmoid` uses 1/256 and 0.

    Parameters
    ----------
    output_scale, output_zero_point : float, int

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([0.0, 9.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.Sigmoid(0.01, 0)(x).dequantize()
    tensor([0.5000, 1.0000])
    """

    float_class = activation.Sigmoid

    def __init__(self, output_scale: Any, output_zero_point: Any) -> None:
        super().__init__(output_scale, output_zero_point)

    def _function(self, input: QTensor) -> QTensor:
        return F.sigmoid(input, *self._output)


class ReLU6(Module):
    """``min(max(x, 0), 6)``, in the quantization of the input.

    Parameters
    ----------
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-1.0, 7.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.ReLU6()(x).dequantize()
    tensor([0., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """A module like the float one, which needs no observer."""
        return cls(mod.inplace)

    def forward(self, input: Any) -> QTensor:
        """Apply the function to ``input``, any shape."""
        return F.relu6(input, self.inplace)

    def _get_name(self) -> str:
        return "QuantizedReLU6"
