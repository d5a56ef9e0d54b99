"""Limiting gradients before an optimizer step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from qrs.errors import NonFiniteError
from qrs.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in given if p.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place, so that their joint norm is at most ``max_norm``.

    Source: Pascanu et al. 2012, arXiv:1211.5063.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient count for nothing.
    max_norm : float
    norm_type : float
        Order of the norm; ``inf`` for the largest absolute value.
    error_if_nonfinite : bool
        Raise if the norm is NaN or infinite. Otherwise nothing is scaled then, and the optimizer's
        step names the parameter.

    Returns
    -------
    Tensor
        The norm before scaling.

    Raises
    ------
    NonFiniteError
        See ``error_if_nonfinite``.

    Examples
    --------
    >>> import qrs
    >>> w = qrs.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> qrs.nn.utils.clip_grad_norm_([w], 1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    grads = _gradients(parameters)
    if math.isinf(norm_type):
        largest = [float(np.abs(g._array).max(initial=0)) for g in grads]
        total = float(np.max(largest, initial=0.0))
    else:
        powers = (float((np.abs(g._array.astype(np.float64)) ** norm_type).sum()) for g in grads)
        total = sum(powers) ** (1 / norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        bad = [i for i, g in enumerate(grads) if not np.isfinite(g._array).all()]
        raise NonFiniteError(
            f"clip_grad_norm_: gradients with a norm of {total} came, those of parameters "
            f"{bad or 'none'} hold NaN or infinity, expected finite numbers; training has "
            "diverged: lower lr"
        )
    # The small term is PyTorch's guard against a division by zero.
    factor = max_norm / (total + 1e-6)
    if factor < 1 and math.isfinite(total):
        for grad in grads:
            grad.mul_(factor)
    return Tensor._wrap(np.asarray(total, dtype=np.float32))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cut every gradient, in place, to [-clip_value, clip_value].

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    clip_value : float

    Examples
    --------
    >>> import qrs
    >>> w = qrs.tensor([3.0, -4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> qrs.nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1., -1.])
    """
    for grad in _gradients(parameters):
        grad.clamp_(-clip_value, clip_value)
