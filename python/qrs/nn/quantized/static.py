"""What quantized convolutions and linear layers share: making them from float and calling them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from qrs.backends import quantized
from qrs.dtypes import qint8
from qrs.nn.layers.container import Sequential
from qrs.nn.quantized.output import Converted, observed_output
from qrs.nn.quantized.packed import WeightAndBias
from qrs.nn.quantized.weights import quantize_weight, weight_observer
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["StaticLayer", "float_parts"]


def float_parts(mod: Any) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a float or fused layer, or of one in quantization-aware training.

    A layer that holds a batch normalisation has a method ``folded``, which gives both with the
    normalisation folded in.
    """
    if hasattr(mod, "folded"):
        weight, bias = mod.folded()
        return weight, bias
    inner = mod[0] if isinstance(mod, Sequential) else mod
    return inner.weight, inner.bias


class StaticLayer(WeightAndBias, Converted):
    """A layer with int8 weights from quantized inputs to quantized outputs.

    Attributes
    ----------
    engine : str
        The numeric profile, that of `qrs.backends.quantized.engine` when the layer was made.
    """

    # The axis of the weight that counts the output channels.
    channel_axis = 0

    def _init_weights(self, weight: tuple[int, ...], channels: int, bias: bool) -> None:
        """Start with zeros, under the profile in force."""
        self.engine = quantized.engine
        self._values = {"weight": QTensor.zeros(weight, 1.0, 0, qint8)}
        if bias:
            self._values["bias"] = Tensor._wrap(np.zeros(channels, np.float32))
        self._pack()

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Quantize a prepared layer: float, fused, or from quantization-aware training.

        Parameters
        ----------
        mod : Module
            With a ``qconfig`` and an observer ``activation_post_process`` that has seen data. Where
            it has a ``weight_fake_quant`` that observes the weight, else ``qconfig.weight()`` does.

        Raises
        ------
        TypeError
            If it is of another type.
        QrsError, NotCalibratedError
            If it was not prepared, or its observer has seen no data.
        DtypeError
            If the observers are not for 8 bits.
        """
        where = f"Quantized{cls.__name__}.from_float"
        inner = mod[0] if isinstance(mod, Sequential) else mod
        if type(inner) is not cls.float_class and not hasattr(inner, "weight_fake_quant"):
            raise TypeError(
                f"{where}: a {type(inner).__name__} came, expected a {cls.float_class.__name__}"
            )
        output = observed_output(mod, where)
        weight, bias = float_parts(mod)
        observer = getattr(inner, "weight_fake_quant", None) or weight_observer(mod, where)
        if cls.channel_axis:
            # A new observer looks along axis 0, and so does one inside a fake quantizer.
            for part in observer.modules():
                if hasattr(part, "ch_axis"):
                    part.ch_axis = cls.channel_axis
        new = cls._like(inner)
        new._set_output(*output)
        if bias is None:
            new._values.pop("bias", None)
        else:
            # Folding gives a bias to a layer that was made without one.
            new._values["bias"] = bias.detach()
        new.set_weight_bias(quantize_weight(weight, observer, where, cls.channel_axis), bias)
        return new
