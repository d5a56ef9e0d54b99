"""Marks of where a model changes between float and quantized values; `qrs.quantization` has them.

They are defined here because layers that are observed inside hold some.
"""

from __future__ import annotations

from typing import Any

from qrs.nn.module import Module
from qrs.qtensor import QTensor

__all__ = ["DeQuantStub", "QuantStub"]


class _Stub(Module):
    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig


class QuantStub(_Stub):
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

    def forward(self, x: Any) -> Any:
        """Return ``x`` itself."""
        return x


class DeQuantStub(_Stub):
    """Marks where a quantized tensor becomes a float one.

    Passes a float tensor on; `convert` replaces it by `nn.quantized.DeQuantize`, unless it has no
    qconfig: then it dequantizes what a converted part of the model gives it.

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

    def forward(self, x: Any) -> Any:
        """Return ``x`` itself, or its real values if it is quantized."""
        return x.dequantize() if isinstance(x, QTensor) else x
