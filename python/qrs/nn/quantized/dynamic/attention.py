"""Dynamically quantized multi-head attention."""

from __future__ import annotations

from typing import Any, Self

from qrs.dtypes import dtype as Dtype
from qrs.nn.functional.affine import check_floats
from qrs.nn.layers import attention as floats
from qrs.nn.layers.linear import Linear as FloatLinear
from qrs.nn.quantized.dynamic.linear import Linear
from qrs.tensor import Tensor

__all__ = ["MultiheadAttention"]


class MultiheadAttention(floats.AttentionBase):
    """Attention whose four projections have quantized weights; scores and softmax are float.

    Made by `from_float`. PyTorch's dynamic quantization leaves attention in float.

    Attributes
    ----------
    linear_Q, linear_K, linear_V, out_proj : nn.quantized.dynamic.Linear
        The projections of query, key and value, and of the output.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.quantization.quantize_dynamic(qrs.nn.MultiheadAttention(8, 2))
    >>> type(layer.linear_Q) is qrs.nn.quantized.dynamic.Linear
    True
    >>> x = qrs.zeros(5, 2, 8)
    >>> tuple(layer(x, x, x)[0].shape)
    (5, 2, 8)
    """

    weight_dtypes = Linear.weight_dtypes

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Quantize a float attention that has a ``qconfig``.

        Its ``out_proj`` follows its own qconfig; None leaves it in float.

        Raises
        ------
        TypeError
            If it is not exactly an `nn.MultiheadAttention`.
        DtypeError
            If the qconfig's weights are neither qint8 nor float16.
        """
        if type(mod) is not floats.MultiheadAttention:
            raise TypeError(
                f"DynamicQuantizedMultiheadAttention.from_float: a {type(mod).__name__} came, "
                "expected an nn.MultiheadAttention"
            )
        new = cls()
        new._init_attention(
            mod.embed_dim,
            mod.num_heads,
            mod.dropout,
            mod.add_zero_attn,
            mod.kdim,
            mod.vdim,
            mod.batch_first,
        )
        for name, layer in floats.projections(mod).items():
            new.add_module(name, Linear.from_float(layer))
        out = mod.out_proj
        is_plain = type(out) is FloatLinear and getattr(out, "qconfig", mod.qconfig) is not None
        if is_plain and not hasattr(out, "qconfig"):
            out.qconfig = mod.qconfig
        new.out_proj = Linear.from_float(out) if is_plain else out
        new.bias_k, new.bias_v = mod.bias_k, mod.bias_v
        return new

    def _check(self, query: Any, key: Any, value: Any) -> None:
        check_floats(self._get_name(), query=query, key=key, value=value)
        super()._check(query, key, value)

    def _project(self, query: Any, key: Any, value: Any) -> tuple[Tensor, ...]:
        return self.linear_Q(query), self.linear_K(key), self.linear_V(value)

    @property
    def dtype(self) -> Dtype:
        """Type of the weights."""
        kind: Dtype = self.linear_Q.dtype
        return kind

    def _get_name(self) -> str:
        return "DynamicQuantizedMultiheadAttention"
