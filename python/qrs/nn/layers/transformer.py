"""The Transformer encoder. Source: Vaswani et al. 2017, arXiv:1706.03762."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from qrs.nn.functional.activation import gelu, relu
from qrs.nn.layers.attention import MultiheadAttention
from qrs.nn.layers.container import ModuleList
from qrs.nn.layers.dropout import Dropout
from qrs.nn.layers.linear import Linear
from qrs.nn.layers.norm import LayerNorm
from qrs.nn.module import Module
from qrs.tensor import Tensor

__all__ = ["TransformerEncoder", "TransformerEncoderLayer"]

_ACTIVATIONS: dict[str, Callable[..., Any]] = {"relu": relu, "gelu": gelu}


class TransformerEncoderLayer(Module):
    """Self-attention and a two-layer network, each with a residual and a layer normalisation.

    Parameters
    ----------
    d_model, nhead : int
        Width and number of heads.
    dim_feedforward : int
        Width of the hidden layer.
    dropout : float
    activation : {"relu", "gelu"} or callable
    layer_norm_eps : float
    batch_first : bool
        Whether the input is (B, T, E) rather than (T, B, E).
    norm_first : bool
        Normalise before each block rather than after its residual.
    bias : bool

    Raises
    ------
    ValueError
        For an unknown activation.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16)
    >>> tuple(layer(qrs.zeros(5, 2, 8)).shape)
    (5, 2, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in _ACTIVATIONS:
            raise ValueError(
                f"TransformerEncoderLayer: activation {activation!r} came, expected one of "
                f"{', '.join(_ACTIVATIONS)} or a function"
            )
        self.self_attn: Module = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first
        )
        self.linear1: Module = Linear(d_model, dim_feedforward, bias=bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias)
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.norm_first = norm_first
        self.activation = _ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def _attend(self, x: Tensor, mask: Tensor | None, padding: Tensor | None) -> Any:
        attended, _ = self.self_attn(
            x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=False
        )
        return self.dropout1(attended)

    def _feed(self, x: Tensor) -> Any:
        return self.dropout2(self.linear2(self.dropout(self._activate(self.linear1(x)))))

    # What is no module is a method, so that a class below can observe it.

    def _activate(self, x: Any) -> Any:
        return self.activation(x)

    def _add_attended(self, x: Any, attended: Any) -> Any:
        return x + attended

    def _add_fed(self, x: Any, fed: Any) -> Any:
        return x + fed

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Transform a sequence.

        Parameters
        ----------
        src : Tensor, shape (T, B, E), or (B, T, E) with ``batch_first``
        src_mask, src_key_padding_mask : Tensor, optional
            As ``attn_mask`` and ``key_padding_mask`` of `MultiheadAttention`.

        Returns
        -------
        Tensor
            Laid out as ``src``.
        """
        x = src
        if self.norm_first:
            attended = self._attend(self.norm1(x), src_mask, src_key_padding_mask)
            x = self._add_attended(x, attended)
            return self._add_fed(x, self._feed(self.norm2(x)))  # type: ignore[no-any-return]  # a module's call is untyped
        attended = self._attend(x, src_mask, src_key_padding_mask)
        x = self.norm1(self._add_attended(x, attended))
        return self.norm2(self._add_fed(x, self._feed(x)))  # type: ignore[no-any-return]  # a module's call is untyped


class TransformerEncoder(Module):
    """A stack of copies of one encoder layer.

    Parameters
    ----------
    encoder_layer : Module
        Copied ``num_layers`` times, with its values.
    num_layers : int
    norm : Module, optional
        Applied at the end.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16)
    >>> encoder = qrs.nn.TransformerEncoder(layer, num_layers=2)
    >>> tuple(encoder(qrs.zeros(5, 2, 8)).shape)
    (5, 2, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList(copy.deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Transform a sequence; arguments as `TransformerEncoderLayer`."""
        output: Any = src
        for layer in self.layers:
            output = layer(output, src_mask=mask, src_key_padding_mask=src_key_padding_mask)
        return output if self.norm is None else self.norm(output)  # type: ignore[no-any-return]  # a module's call is untyped
