"""Multi-head attention, made of layers that can be observed and quantized."""

from __future__ import annotations

from typing import Any, Self

from qrs.nn.layers import attention as floats
from qrs.nn.layers.linear import Linear
from qrs.nn.quantizable.observable import Observable
from qrs.nn.stubs import DeQuantStub, QuantStub
from qrs.tensor import Tensor

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Observable, floats.AttentionBase):
    """Attention like `nn.MultiheadAttention` whose projections `prepare` observes.

    `prepare` puts it in the place of every `nn.MultiheadAttention` that has a qconfig, and
    `convert` quantizes its parts. Then query, key, value and output are quantized; scores, masks
    and softmax are computed in float between them, since the weight of one key among many may be
    far below the step of a byte. The weights that `forward` returns are float.

    Parameters
    ----------
    embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first
        As of `nn.MultiheadAttention`.

    Attributes
    ----------
    linear_Q, linear_K, linear_V, out_proj : Linear
        The projections of query, key and value, and of the output.
    quant_attn_output : QuantStub
        Between the heads and ``out_proj``.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.zeros(5, 2, 8)
    >>> output, weights = qrs.nn.quantizable.MultiheadAttention(8, 2)(x, x, x)
    >>> tuple(output.shape), tuple(weights.shape)
    ((5, 2, 8), (2, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        self._init_attention(embed_dim, num_heads, dropout, add_zero_attn, kdim, vdim, batch_first)
        self.linear_Q = Linear(embed_dim, embed_dim, bias)
        self.linear_K = Linear(self.kdim, embed_dim, bias)
        self.linear_V = Linear(self.vdim, embed_dim, bias)
        self.out_proj = Linear(embed_dim, embed_dim, bias)
        self.dequant_q, self.dequant_k, self.dequant_v = (DeQuantStub() for _ in range(3))
        self.quant_attn_output = QuantStub()
        self._add_bias_kv(add_bias_kv)

    @classmethod
    def from_float(cls, other: Any) -> Self:
        """Take settings, weights and qconfig of an `nn.MultiheadAttention`.

        Raises
        ------
        TypeError
            If another module came.
        """
        if type(other) is not floats.MultiheadAttention:
            raise TypeError(
                f"quantizable.MultiheadAttention.from_float: a {type(other).__name__} came, "
                "expected an nn.MultiheadAttention"
            )
        new = cls(
            other.embed_dim,
            other.num_heads,
            other.dropout,
            other.in_proj_bias is not None,
            False,
            other.add_zero_attn,
            other.kdim,
            other.vdim,
            other.batch_first,
        )
        for name, layer in floats.projections(other).items():
            setattr(new, name, layer)
        new.out_proj = other.out_proj
        new.bias_k, new.bias_v = other.bias_k, other.bias_v
        new.train(other.training)
        if hasattr(other, "qconfig"):
            new.qconfig = other.qconfig
        return new

    def _project(self, query: Any, key: Any, value: Any) -> tuple[Tensor, ...]:
        return (
            self.dequant_q(self.linear_Q(query)),
            self.dequant_k(self.linear_K(key)),
            self.dequant_v(self.linear_V(value)),
        )

    def _finish(self, joined: Tensor) -> Any:
        return self.out_proj(self.quant_attn_output(joined))

    def _get_name(self) -> str:
        return "QuantizableMultiheadAttention"

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.embed_dim}, {self.num_heads}"
