"""Multi-head attention. Source: Vaswani et al. 2017, arXiv:1706.03762."""

from __future__ import annotations

from typing import Any

from qrs.errors import ShapeError
from qrs.nn import init
from qrs.nn.functional.affine import check_floats, linear
from qrs.nn.functional.attention import additive_mask, attention_weights
from qrs.nn.functional.dropping import dropout as apply_dropout
from qrs.nn.layers.linear import Linear
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor, cat, empty, zeros

__all__ = ["AttentionBase", "MultiheadAttention", "projections"]


class AttentionBase(Module):
    """Attention in several heads, whatever projects inputs and output.

    A class below has an ``out_proj`` and says in `_project` how query, key and value are made.
    """

    # Learned keys and values that are added to the sequence.
    bias_k: Any
    bias_v: Any

    def _init_attention(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float,
        add_zero_attn: bool,
        kdim: int | None,
        vdim: int | None,
        batch_first: bool,
    ) -> None:
        """Check and keep the settings, named as the arguments of `MultiheadAttention`."""
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: embed_dim {embed_dim}, num_heads {num_heads} came, expected "
                "embed_dim to be a multiple of num_heads"
            )
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn

    def _add_bias_kv(self, wanted: bool) -> None:
        """Register the learned key and value, or None."""
        for name in ("bias_k", "bias_v"):
            extra = Parameter(empty(1, 1, self.embed_dim)) if wanted else None
            if extra is not None:
                init.normal_(extra, 0.0, (1.0 / self.embed_dim) ** 0.5)
            self.register_parameter(name, extra)

    def _project(self, query: Any, key: Any, value: Any) -> tuple[Tensor, ...]:
        """Queries, keys and values as float tensors, each of shape (length, B, E)."""
        raise NotImplementedError(
            f"{type(self).__name__}: no _project method, expected the class to define one"
        )

    def _finish(self, joined: Tensor) -> Any:
        """The output, from what the heads found, shape (T, B, E)."""
        return self.out_proj(joined)

    def _check(self, query: Any, key: Any, value: Any) -> None:
        expected = (self.embed_dim, self.kdim, self.vdim)
        came = tuple(t.shape[-1] if t.dim() else 0 for t in (query, key, value))
        ranks = {t.dim() for t in (query, key, value)}
        if came != expected or ranks not in ({2}, {3}) or key.shape[:-1] != value.shape[:-1]:
            raise ShapeError(
                f"MultiheadAttention: query {tuple(query.shape)}, key {tuple(key.shape)}, value "
                f"{tuple(value.shape)} came, expected last axes {expected}, two or three axes, and "
                "keys as long as values"
            )

    def _heads(self, x: Tensor) -> Tensor:
        """Cut (T, B, E) into (B, heads, T, E / heads)."""
        steps, batch, _ = x.shape
        return x.reshape(steps, batch, self.num_heads, self.head_dim).permute(1, 2, 0, 3)

    def _mask(
        self, attn_mask: Tensor | None, padding: Tensor | None, like: Tensor, source: int
    ) -> Tensor | None:
        """Join both masks to one that broadcasts over (B, heads, T, S)."""
        batch, extra = like.shape[1], like.shape[0] - source
        total = None
        if attn_mask is not None:
            total = additive_mask(attn_mask, like)
            if attn_mask.dim() == 3:
                total = total.reshape(batch, self.num_heads, *attn_mask.shape[1:])
            if attn_mask.dim() not in (2, 3) or attn_mask.shape[-1] != source:
                raise ShapeError(
                    f"MultiheadAttention: attn_mask of shape {tuple(attn_mask.shape)} came, "
                    f"expected (T, {source}) or (batch * heads, T, {source})"
                )
        if padding is not None:
            if tuple(padding.shape) != (batch, source):
                raise ShapeError(
                    f"MultiheadAttention: key_padding_mask of shape {tuple(padding.shape)} came, "
                    f"expected (batch, source) = {(batch, source)}"
                )
            added = additive_mask(padding, like).reshape(batch, 1, 1, source)
            total = added if total is None else total + added
        if total is not None and extra:
            # Keys that the layer itself adds are never hidden.
            free = zeros(*total.shape[:-1], extra, dtype=total.dtype)
            total = cat([total, free], -1)
        return total

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from every query to all keys.

        Parameters
        ----------
        query : Tensor, shape (T, B, E), or (B, T, E) with ``batch_first``, or (T, E)
        key : Tensor, shape (S, B, kdim)
        value : Tensor, shape (S, B, vdim)
        key_padding_mask : Tensor, shape (B, S), optional
            True for keys to leave out, or numbers to add to their scores.
        need_weights : bool
            Return the attention weights.
        attn_mask : Tensor, shape (T, S) or (B * heads, T, S), optional
            True for pairs to leave out, or numbers to add to their scores.
        average_attn_weights : bool
            Return the mean of the weights over the heads.

        Returns
        -------
        tuple of (Tensor, Tensor or None)
            Output, laid out as ``query``, and weights (B, T, S) or (B, heads, T, S).

        Raises
        ------
        ShapeError, DtypeError
            If the arguments do not fit together.
        """
        self._check(query, key, value)
        batched = query.dim() == 3
        same = query is key and key is value
        if not batched or self.batch_first:
            turned = [x.transpose(0, 1) if batched else x.unsqueeze(1) for x in (query, key, value)]
            query, key, value = (turned[0],) * 3 if same else turned
        if not batched and key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
        q, k, v = self._project(query, key, value)
        batch = q.shape[1]
        if self.bias_k is not None:
            k = cat([k, self.bias_k.expand(1, batch, -1)], 0)
            v = cat([v, self.bias_v.expand(1, batch, -1)], 0)
        if self.add_zero_attn:
            nothing = zeros(1, batch, self.embed_dim, dtype=k.dtype)
            k, v = cat([k, nothing], 0), cat([v, nothing], 0)
        mask = self._mask(attn_mask, key_padding_mask, k, key.shape[0])
        weights = attention_weights(self._heads(q), self._heads(k), mask)
        if self.training and self.dropout:
            weights = apply_dropout(weights, self.dropout)
        joined = (weights @ self._heads(v)).permute(2, 0, 1, 3)
        output = self._finish(joined.reshape(*query.shape[:2], self.embed_dim))
        if not batched:
            output = output.squeeze(1)
        elif self.batch_first:
            output = output.transpose(0, 1)
        if not need_weights:
            return output, None
        shown = weights.mean(1) if average_attn_weights else weights
        return output, shown if batched else shown.squeeze(0)


class MultiheadAttention(AttentionBase):
    """Attention in several heads, each over its own projection of the input.

    Parameters
    ----------
    embed_dim : int
        Width E of query and output; a multiple of ``num_heads``.
    num_heads : int
    dropout : float
        Dropout of the attention weights, in training.
    bias : bool
        Biases of the projections.
    add_bias_kv : bool
        Add a learned key and value to the sequence.
    add_zero_attn : bool
        Add a key and value of zeros to the sequence.
    kdim, vdim : int, optional
        Widths of key and value, E by default.
    batch_first : bool
        Whether inputs and output are (B, T, E) rather than (T, B, E).

    Attributes
    ----------
    in_proj_weight : Parameter, shape (3 E, E)
        Projections of query, key, value; with other widths ``q_proj_weight``, ``k_proj_weight``,
        ``v_proj_weight`` instead.
    in_proj_bias : Parameter, shape (3 E,)
    out_proj : Linear
        Called as a module, so that it can be quantized like any other.

    Raises
    ------
    ValueError
        If ``embed_dim`` is no multiple of ``num_heads``.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.zeros(5, 2, 8)
    >>> output, weights = qrs.nn.MultiheadAttention(8, 2)(x, x, x)
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
        same = self.kdim == embed_dim and self.vdim == embed_dim
        widths = {"q": embed_dim, "k": self.kdim, "v": self.vdim}
        for letter, width in widths.items():
            weight = None if same else Parameter(empty(embed_dim, width))
            self.register_parameter(f"{letter}_proj_weight", weight)
        packed = Parameter(empty(3 * embed_dim, embed_dim)) if same else None
        self.register_parameter("in_proj_weight", packed)
        self.register_parameter("in_proj_bias", Parameter(zeros(3 * embed_dim)) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias)
        self._add_bias_kv(add_bias_kv)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name, param in self.named_parameters(recurse=False):
            if name.endswith("_weight"):
                init.xavier_uniform_(param)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        check_floats("MultiheadAttention", query=query, key=key, value=value)
        super()._check(query, key, value)

    def _parts(self) -> tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]:
        """Weights and biases of query, key and value."""
        weight, bias, e = self.in_proj_weight, self.in_proj_bias, self.embed_dim
        if weight is not None:
            weights = (weight[:e], weight[e : 2 * e], weight[2 * e :])
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases = (None,) * 3 if bias is None else (bias[:e], bias[e : 2 * e], bias[2 * e :])
        return weights, biases

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        weight = self.in_proj_weight
        if weight is not None and query is key and key is value:
            return tuple(linear(query, weight, self.in_proj_bias).chunk(3, -1))
        inputs = (query, key, value)
        return tuple(linear(x, w, b) for x, w, b in zip(inputs, *self._parts(), strict=True))


def projections(mod: MultiheadAttention) -> dict[str, Linear]:
    """Copies of the input projections of an attention as layers of their own.

    Returns
    -------
    dict of str to Linear
        ``linear_Q``, ``linear_K`` and ``linear_V``, in the mode of ``mod`` and with its qconfig, if
        it has one.

    Examples
    --------
    >>> import qrs
    >>> projections(qrs.nn.MultiheadAttention(4, 2))["linear_K"]
    Linear(in_features=4, out_features=4, bias=True)
    """
    layers = {}
    for letter, weight, bias in zip("QKV", *mod._parts(), strict=True):
        layer = Linear(weight.shape[1], weight.shape[0], bias is not None)
        layer.weight = Parameter(weight.detach().clone())
        if bias is not None:
            layer.bias = Parameter(bias.detach().clone())
        if hasattr(mod, "qconfig"):
            layer.qconfig = mod.qconfig
        layers[f"linear_{letter}"] = layer.train(mod.training)
    return layers
