"""Marks of where a model changes between float and quantized values; `qrs.quantization` has them.

They are defined here because layers that are observed inside hold some.
"""

from __future__ import annotations

from typing import Any

from qrs.nn.module import Module

__all__ = ["DeQuantStub", "QuantStub"]


class _Stub(Module):
    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Any:
        """Return ``x`` itself."""
        return x


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


class DeQuantStub(_Stub):
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
