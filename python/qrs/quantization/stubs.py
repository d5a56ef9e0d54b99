"""Where a model changes between float and quantized values: stubs, and a wrapper with both."""

from __future__ import annotations

from typing import Any

from qrs.nn.module import Module

__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper"]


class QuantStub(Module):
    """Marks where a float tensor becomes a quantized one.

    Passes its input on; `prepare` observes it, `convert` replaces it by `nn.quantized.Quantize`.

    Parameters
    ----------
    qconfig : QConfig, optional
        A qconfig of its own.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.zeros(2)
    >>> qrs.quantization.QuantStub()(x) is x
    True
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Any:
        """Return ``x`` itself."""
        return x


class DeQuantStub(Module):
    """Marks where a quantized tensor becomes a float one.

    Passes its input on; `convert` replaces it by `nn.quantized.DeQuantize`.

    Parameters
    ----------
    qconfig : QConfig, optional
        A qconfig of its own.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.zeros(2)
    >>> qrs.quantization.DeQuantStub()(x) is x
    True
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Any:
        """Return ``x`` itself."""
        return x


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
