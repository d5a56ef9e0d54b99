"""Losses between numbers; those of classes are in `class_loss`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from qrs.autograd import Sample, define, vjp
from qrs.errors import ShapeError
from qrs.nn.functional.activation import logsigmoid
from qrs.nn.functional.affine import check_floats
from qrs.tensor import Tensor, apply, where

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "check_same_shape",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "reduced",
    "smooth_l1_loss",
]


def reduced(loss: Tensor, reduction: str, where: str) -> Tensor:
    """The loss of each element as ``reduction`` asks for it."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction != "none":
        raise ValueError(f"{where}: reduction {reduction!r} came, expected 'mean', 'sum' or 'none'")
    return loss


def check_same_shape(where: str, input: Tensor, target: Tensor) -> None:
    """Refuse what is no pair of float tensors of one shape."""
    check_floats(where, input=input, target=target)
    if input.shape != target.shape:
        raise ShapeError(
            f"{where}: input of shape {tuple(input.shape)} and target of shape "
            f"{tuple(target.shape)} came, expected equal shapes; reshape one of them"
        )


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Compute the squared difference.

    Parameters
    ----------
    input, target : Tensor, float, equal shapes
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> mse_loss(qrs.tensor([1.0, 3.0]), qrs.tensor([1.0, 1.0]))
    tensor(2.)
    """
    check_same_shape("mse_loss", input, target)
    difference = input - target
    return reduced(difference * difference, reduction, "mse_loss")


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Compute the absolute difference; arguments as `mse_loss`.

    Examples
    --------
    >>> import qrs
    >>> l1_loss(qrs.tensor([1.0, 3.0]), qrs.tensor([1.0, 1.0]))
    tensor(1.)
    """
    check_same_shape("l1_loss", input, target)
    return reduced((input - target).abs(), reduction, "l1_loss")


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """Compute d²/2 for differences d below ``delta`` and ``delta (|d| - delta / 2)`` above.

    Source: Huber 1964. Arguments as `mse_loss`.

    Examples
    --------
    >>> import qrs
    >>> huber_loss(qrs.tensor([0.0, 3.0]), qrs.tensor([1.0, 0.0]))
    tensor(1.5000)
    """
    check_same_shape("huber_loss", input, target)
    return reduced(_huber(input, target, delta), reduction, "huber_loss")


def _huber(input: Tensor, target: Tensor, delta: float) -> Tensor:
    size = (input - target).abs()
    near = size.clamp(max=delta)
    return near * (size - near * 0.5)


def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """Compute ``d² / (2 beta)`` for differences d below ``beta`` and ``|d| - beta / 2`` above.

    Arguments as `mse_loss`; a ``beta`` of 0 gives `l1_loss`.

    Examples
    --------
    >>> import qrs
    >>> smooth_l1_loss(qrs.tensor([0.0, 3.0]), qrs.tensor([1.0, 0.0]))
    tensor(1.5000)
    """
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta {beta} came, expected at least 0")
    check_same_shape("smooth_l1_loss", input, target)
    loss = _huber(input, target, beta) / beta if beta else (input - target).abs()
    return reduced(loss, reduction, "smooth_l1_loss")


def _bce(x: Any, t: Any) -> Any:
    # Logarithms are cut at -100, so that a wrong certainty costs much but not infinitely much.
    with np.errstate(divide="ignore"):
        return -(t * np.maximum(np.log(x), -100) + (1 - t) * np.maximum(np.log1p(-x), -100))


def _bce_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield Sample(rng.uniform(0.1, 0.9, (3, 2)), rng.uniform(0.1, 0.9, (3, 2)))


BCE = define(
    "binary_cross_entropy",
    _bce,
    vjp(lambda g, ans, x, t: g * (x - t) / np.maximum(x * (1 - x), 1e-12), "x", "t"),
    vjp(lambda g, ans, x, t: g * (np.log1p(-x) - np.log(x)), "x"),
    samples=_bce_samples,
)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Compute ``-(t log x + (1 - t) log(1 - x))``.

    Parameters
    ----------
    input : Tensor, float
        Probabilities.
    target : Tensor, float, shape of ``input``
    weight : Tensor, optional
        Factor of each element; broadcasts.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together or ``input`` leaves [0, 1].

    Examples
    --------
    >>> import qrs
    >>> binary_cross_entropy(qrs.tensor([0.5]), qrs.tensor([1.0]))
    tensor(0.6931)
    """
    check_same_shape("binary_cross_entropy", input, target)
    values = input._array
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"binary_cross_entropy: input from {values.min()} to {values.max()} came, expected "
            "probabilities; apply sigmoid or use binary_cross_entropy_with_logits"
        )
    loss = apply(BCE, input, target)
    return reduced(loss if weight is None else loss * weight, reduction, "binary_cross_entropy")


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Compute `binary_cross_entropy` of ``sigmoid(input)`` without overflow.

    Parameters
    ----------
    input : Tensor, float
        Scores.
    target : Tensor, float, shape of ``input``
    weight : Tensor, optional
        Factor of each element; broadcasts.
    reduction : {"mean", "sum", "none"}
    pos_weight : Tensor, optional
        Factor of the positive term; broadcasts.

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> binary_cross_entropy_with_logits(qrs.tensor([0.0]), qrs.tensor([1.0]))
    tensor(0.6931)
    """
    name = "binary_cross_entropy_with_logits"
    check_same_shape(name, input, target)
    log_p = logsigmoid(input)
    # log(1 - p) = log p - x, so the loss is (1 - t) x - (1 + (w - 1) t) log p.
    positive = log_p if pos_weight is None else log_p * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input - positive
    return reduced(loss if weight is None else loss * weight, reduction, name)


def kl_div(
    input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Compute the Kullback-Leibler divergence ``t (log t - input)``.

    Parameters
    ----------
    input : Tensor, float
        Log-probabilities.
    target : Tensor, float, shape of ``input``
        Probabilities, or their logarithms with ``log_target``.
    reduction : {"mean", "batchmean", "sum", "none"}
        "batchmean" divides the sum by the size of the first axis, as the definition does.
    log_target : bool

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> kl_div(qrs.zeros(1, 2), qrs.ones(1, 2), reduction="batchmean")
    tensor(0.)
    """
    check_same_shape("kl_div", input, target)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        # 0 log 0 counts as 0.
        positive = target > 0
        logs = where(positive, target, Tensor._wrap(np.ones((), target._array.dtype))).log()
        loss = target * logs - target * input
    if reduction == "batchmean":
        mean: Tensor = loss.sum() / input.shape[0]
        return mean
    return reduced(loss, reduction, "kl_div")
