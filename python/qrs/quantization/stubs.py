"""Where a model changes between float and quantized values: stubs, and a wrapper with both."""

from __future__ import annotations

from typing import Any

from qrs.nn.module import Module
from qrs.nn.stubs import DeQuantStub, QuantStub

__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper"]


class QuantWrapper(Module):
    """A module between a `QuantStub` and a `DeQuantStub`.

    Parameters
    ----------
    module : Module
        Takes and returns one tensor.

    Examples
    --------
    >>> import qrs
    >>> wrapped = qrs.quantization.QuantWrapper(qrs.nn.Linear(2, 1))
    >>> [name for name, _ in wrapped.named_children()]
    ['quant', 'dequant', 'module']
    """

    quant: Module
    dequant: Module
    module: Module

    def __init__(self, module: Module) -> None:
        super().__init__()
        qconfig = getattr(module, "qconfig", None)
        self.quant = QuantStub(qconfig)
        self.dequant = DeQuantStub(qconfig)
        self.module = module
        self.train(module.training)

    def forward(self, x: Any) -> Any:
        """Quantize, run the module, dequantize."""
        return self.dequant(self.module(self.quant(x)))
