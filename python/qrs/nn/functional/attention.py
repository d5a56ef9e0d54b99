"""Attention. Source: Vaswani et al. 2017, arXiv:1706.03762."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qrs.errors import DtypeError, ShapeError
from qrs.nn.functional.dropping import dropout
from qrs.tensor import Tensor

__all__ = ["additive_mask", "attention_weights", "scaled_dot_product_attention"]


def additive_mask(mask: Tensor, like: Tensor, true_means: float = -math.inf) -> Tensor:
    """Return a mask as numbers to add to attention scores.

    Parameters
    ----------
    mask : Tensor
        Boolean, or numbers to add already.
    like : Tensor
        Gives the dtype.
    true_means : float
        What a True of a boolean mask adds; False adds 0.

    Raises
    ------
    DtypeError
        For a mask of integers: whether 1 allows or forbids is not known.

    Examples
    --------
    >>> import qrs
    >>> additive_mask(qrs.tensor([True, False]), qrs.zeros(1))
    tensor([-inf, 0.])
    """
    kind = mask._array.dtype.kind
    if kind == "b":
        added = np.where(mask._array, true_means, 0.0)
        return Tensor._wrap(added.astype(like._array.dtype))
    if kind != "f":
        raise DtypeError(
            f"attention: mask of dtype {mask.dtype} came, expected a boolean or floating-point "
            "one; use .bool()"
        )
    return mask


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    """Compute ``softmax(query @ key.T / sqrt(E) + mask)``.

    Parameters
    ----------
    query : Tensor, shape (*, T, E)
    key : Tensor, shape (*, S, E)
    mask : Tensor, float, shape (*, T, S), optional

    Returns
    -------
    Tensor, shape (*, T, S)

    Examples
    --------
    >>> import qrs
    >>> attention_weights(qrs.zeros(1, 2), qrs.zeros(2, 2), None)
    tensor([[0.5000, 0.5000]])
    """
    scores = (query * (1.0 / math.sqrt(query.shape[-1]))) @ key.transpose(-2, -1)
    if mask is not None:
        scores = scores + mask
    return scores.softmax(-1)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Average the values, weighted by how well each key matches the query.

    Parameters
    ----------
    query : Tensor, shape (*, T, E)
    key : Tensor, shape (*, S, E)
    value : Tensor, shape (*, S, V)
    attn_mask : Tensor, shape broadcastable to (*, T, S), optional
        Boolean (True takes part) or numbers to add to the scores.
    dropout_p : float
        Dropout of the weights.
    is_causal : bool
        Position t sees positions up to t only; not together with ``attn_mask``.
    scale : float, optional
        Factor of the scores, 1 / sqrt(E) by default.

    Returns
    -------
    Tensor, shape (*, T, V)

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> x = qrs.ones(1, 2, 3)
    >>> F.scaled_dot_product_attention(x, x, x)[0, 0]
    tensor([1., 1., 1.])
    """
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            f"scaled_dot_product_attention: query {tuple(query.shape)}, key {tuple(key.shape)}, "
            f"value {tuple(value.shape)} came, expected (*, T, E), (*, S, E), (*, S, V)"
        )
    if is_causal and attn_mask is not None:
        raise ValueError(
            "scaled_dot_product_attention: attn_mask came with is_causal, expected one of the two"
        )
    mask: Tensor | None = None
    if is_causal:
        hidden = np.triu(np.ones((query.shape[-2], key.shape[-2]), dtype=bool), 1)
        mask = additive_mask(Tensor._wrap(hidden), query)
    elif attn_mask is not None:
        flip: Any = attn_mask._array.dtype.kind == "b"
        mask = additive_mask(Tensor._wrap(~attn_mask._array) if flip else attn_mask, query)
    if scale is not None:
        query = query * (scale * math.sqrt(query.shape[-1]))
    weights = attention_weights(query, key, mask)
    return dropout(weights, dropout_p) @ value if dropout_p else weights @ value
