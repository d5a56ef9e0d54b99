"""What modules share that are observed and quantized part by part."""

from __future__ import annotations

from typing import Any

from qrs.nn import qat
from qrs.nn.intrinsic import LinearReLU
from qrs.nn.intrinsic import qat as intrinsic_qat
from qrs.nn.intrinsic import quantized as intrinsic_quantized
from qrs.nn.layers.linear import Linear
from qrs.nn.layers.norm import LayerNorm
from qrs.nn.module import Module
from qrs.nn.quantized.functional_modules import FloatFunctional, QFunctional
from qrs.nn.quantized.linear import Linear as QuantizedLinear
from qrs.nn.quantized.norm import LayerNorm as QuantizedLayerNorm
from qrs.nn.quantized.stubs import DeQuantize, Quantize
from qrs.nn.stubs import DeQuantStub, QuantStub

__all__ = ["Observable"]

# The parts that such modules are made of, and what each becomes.
_PARTS: dict[type[Module], Any] = {
    Linear: QuantizedLinear,
    qat.Linear: QuantizedLinear,
    LinearReLU: intrinsic_quantized.LinearReLU,
    intrinsic_qat.LinearReLU: intrinsic_quantized.LinearReLU,
    LayerNorm: QuantizedLayerNorm,
    FloatFunctional: QFunctional,
    QuantStub: Quantize,
    DeQuantStub: DeQuantize,
}


class Observable(Module):
    """A module that `prepare` looks into and `convert` converts part by part."""

    # Read by `prepare`: the observers belong inside, not behind the module.
    observes_inside = True

    @classmethod
    def from_observed(cls, other: Any) -> Any:
        """Quantize the parts of an observed module, which is changed and returned."""
        for name, part in list(other.named_children()):
            if type(part) in _PARTS:
                other.add_module(name, _PARTS[type(part)].from_float(part))
            else:
                Observable.from_observed(part)
        return other
