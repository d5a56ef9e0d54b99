"""A Transformer encoder layer, made of parts that can be observed and quantized."""

from __future__ import annotations

from typing import Any, Self

from qrs.nn.functional.activation import relu
from qrs.nn.intrinsic import LinearReLU
from qrs.nn.layers import attention, transformer
from qrs.nn.layers.activation import ReLU
from qrs.nn.layers.linear import Linear
from qrs.nn.module import Module
from qrs.nn.quantizable.attention import MultiheadAttention
from qrs.nn.quantizable.observable import Observable
from qrs.nn.quantized.functional_modules import FloatFunctional
from qrs.nn.stubs import DeQuantStub, QuantStub

__all__ = ["TransformerEncoderLayer"]


class TransformerEncoderLayer(Observable, transformer.TransformerEncoderLayer):
    """A layer like `nn.TransformerEncoderLayer` that `prepare` observes inside.

    `prepare` puts it in the place of every `nn.TransformerEncoderLayer` that has a qconfig, and
    `convert` quantizes its parts. A ReLU is fused with the layer before it; another activation is
    computed in float between its quantized neighbours.

    Parameters
    ----------
    *args, **kwargs
        As of `nn.TransformerEncoderLayer`.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.nn.quantizable.TransformerEncoderLayer(8, 2, dim_feedforward=16)
    >>> tuple(layer(qrs.zeros(5, 2, 8)).shape)
    (5, 2, 8)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open()

    @classmethod
    def from_float(cls, other: Any) -> Self:
        """Take the settings, parts and qconfig of an `nn.TransformerEncoderLayer`.

        Raises
        ------
        TypeError
            If another module came.
        """
        if type(other) is not transformer.TransformerEncoderLayer:
            raise TypeError(
                f"quantizable.TransformerEncoderLayer.from_float: a {type(other).__name__} came, "
                "expected an nn.TransformerEncoderLayer"
            )
        new = cls.__new__(cls)
        Module.__init__(new)
        new.norm_first, new.activation = other.norm_first, other.activation
        for name, part in other.named_children():
            new.add_module(name, part)
        if hasattr(other, "qconfig"):
            new.qconfig = other.qconfig
        new._open()
        return new.train(other.training)

    def _open(self) -> None:
        """Make modules of what an observer must see and has to be fused."""
        if type(self.self_attn) is attention.MultiheadAttention:
            self.self_attn = MultiheadAttention.from_float(self.self_attn)
        self.attended, self.fed = FloatFunctional(), FloatFunctional()
        self._is_fused = self.activation is relu and type(self.linear1) is Linear
        if self._is_fused:
            qconfig = getattr(self.linear1, "qconfig", None)
            self.linear1 = LinearReLU(self.linear1, ReLU())
            if qconfig is not None:
                self.linear1.qconfig = qconfig
        elif self.activation is not relu:
            self.dequant, self.quant = DeQuantStub(), QuantStub()

    def _activate(self, x: Any) -> Any:
        if self._is_fused:
            return x
        if self.activation is relu:
            return relu(x)
        return self.quant(self.activation(self.dequant(x)))

    def _add_attended(self, x: Any, attended: Any) -> Any:
        return self.attended.add(x, attended)

    def _add_fed(self, x: Any, fed: Any) -> Any:
        return self.fed.add(x, fed)

    def _get_name(self) -> str:
        return "QuantizableTransformerEncoderLayer"
