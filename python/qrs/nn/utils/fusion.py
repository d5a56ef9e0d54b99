"""Folding a batch normalisation into the layer before it."""

from __future__ import annotations

import numpy as np

from qrs.tensor import Tensor

__all__ = ["fuse_conv_bn_weights"]


def fuse_conv_bn_weights(
    weight: Tensor,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    eps: float,
    gamma: Tensor | None,
    beta: Tensor | None,
    groups: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer with a batch normalisation folded in.

    W' = W * (gamma * r) and b' = (b - mean) * r * gamma + beta, with r = 1 / sqrt(var + eps), per
    output channel, in this order in float32.

    Parameters
    ----------
    weight : Tensor, shape (O, ...), or (I, O / groups, ...) of a transposed convolution
    bias : Tensor, shape (O,), or None
        None counts as 0.
    running_mean, running_var : Tensor, shape (O,)
    eps : float
    gamma, beta : Tensor, shape (O,), or None
        None count as 1 and 0.
    groups : int, optional
        Number of groups, if the weight is that of a transposed convolution.

    Returns
    -------
    tuple of Tensor
        ``(W', b')``.

    Examples
    --------
    >>> import qrs
    >>> one, zero = qrs.ones(1), qrs.zeros(1)
    >>> from qrs.nn.utils import fuse_conv_bn_weights
    >>> fuse_conv_bn_weights(qrs.ones(1, 1), None, one, qrs.tensor([0.25]), 0.0, one, zero)
    (tensor([[2.]]), tensor([-2.]))
    """
    w, mean = weight._array, running_mean._array
    scale = np.float32(1) if gamma is None else gamma._array
    shift = np.float32(0) if beta is None else beta._array
    b = np.zeros_like(mean) if bias is None else bias._array
    r = np.float32(1) / np.sqrt(running_var._array + np.float32(eps))
    factor = np.broadcast_to(scale * r, mean.shape)
    if groups is None:
        factor = factor.reshape(-1, *[1] * (w.ndim - 1))
    else:
        # Inputs and outputs of one group go together.
        per_group = factor.reshape(groups, 1, -1)
        rows = np.broadcast_to(per_group, (groups, w.shape[0] // groups, w.shape[1]))
        factor = rows.reshape(w.shape[0], w.shape[1], *[1] * (w.ndim - 2))
    return Tensor._wrap(w * factor), Tensor._wrap((b - mean) * r * scale + shift)
