"""Losses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from qrs.autograd import Sample, define, vjp
from qrs.errors import DtypeError, ShapeError
from qrs.nn.functional.activation import logsigmoid
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.lookup import check_indices
from qrs.tensor import Tensor, apply, where

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]


def _reduce(loss: Tensor, reduction: str, where: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction != "none":
        raise ValueError(f"{where}: reduction {reduction!r} came, expected 'mean', 'sum' or 'none'")
    return loss


def _same_shape(where: str, input: Tensor, target: Tensor) -> None:
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
    _same_shape("mse_loss", input, target)
    difference = input - target
    return _reduce(difference * difference, reduction, "mse_loss")


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Compute the absolute difference; arguments as `mse_loss`.

    Examples
    --------
    >>> import qrs
    >>> l1_loss(qrs.tensor([1.0, 3.0]), qrs.tensor([1.0, 1.0]))
    tensor(1.)
    """
    _same_shape("l1_loss", input, target)
    return _reduce((input - target).abs(), reduction, "l1_loss")


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
    _same_shape("huber_loss", input, target)
    size = (input - target).abs()
    near = size.clamp(max=delta)
    return _reduce(near * (size - near * 0.5), reduction, "huber_loss")


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
    if beta == 0:
        return l1_loss(input, target, reduction)
    loss = huber_loss(input, target, "none", beta) / beta
    return _reduce(loss, reduction, "smooth_l1_loss")


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute minus the log-probability of the target class.

    Parameters
    ----------
    input : Tensor, float, shape (N, C, *) or (C,)
        Log-probabilities.
    target : Tensor, integer, shape (N, *) or ()
        Class numbers.
    weight : Tensor, float, shape (C,), optional
        Weights of the classes.
    ignore_index : int
        A class number that counts for nothing.
    reduction : {"mean", "sum", "none"}
        The mean is over the weights of the targets.

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> nll_loss(qrs.tensor([[-1.0, -2.0]]), qrs.tensor([1]))
    tensor(2.)
    """
    check_floats("nll_loss", input=input, weight=weight)
    if input.dim() == 0:
        raise ShapeError("nll_loss: input without dimensions came, expected (N, C, *) or (C,)")
    axis = 1 if input.dim() > 1 else 0
    expected = (*tuple(input.shape[:axis]), *tuple(input.shape[axis + 1 :]))
    if not isinstance(target, Tensor) or tuple(target.shape) != expected:
        came = tuple(target.shape) if isinstance(target, Tensor) else type(target).__name__
        raise ShapeError(
            f"nll_loss: target of shape {came} came for an input of shape {tuple(input.shape)}, "
            f"expected {expected}"
        )
    if target._array.dtype.kind not in "iu":
        raise DtypeError(
            f"nll_loss: target of dtype {target.dtype} came, expected integers; use .long()"
        )
    keep = target._array != ignore_index
    classes = Tensor._wrap(np.where(keep, target._array, 0).astype(np.int64))
    check_indices("nll_loss target", classes, input.shape[axis])
    kind = input._array.dtype
    factors = keep.astype(kind)
    if weight is not None:
        factors = factors * weight._array[classes._array]
    picked = input.gather(axis, classes.unsqueeze(axis)).squeeze(axis)
    # Not a product: what is ignored may be infinite.
    loss = where(Tensor._wrap(np.asarray(keep)), -picked, Tensor._wrap(np.zeros((), kind)))
    loss = loss * Tensor._wrap(np.asarray(factors))
    if reduction == "mean":
        mean: Tensor = loss.sum() / float(factors.sum())
        return mean
    return _reduce(loss, reduction, "nll_loss")


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute `nll_loss` of ``log_softmax(input)``.

    Parameters
    ----------
    input : Tensor, float, shape (N, C, *) or (C,)
        Scores.
    target : Tensor
        Class numbers, shape (N, *) or (); or probabilities of the shape of ``input``.
    weight, ignore_index, reduction
        As in `nll_loss`.
    label_smoothing : float
        Move this share of each target evenly to all classes.

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> cross_entropy(qrs.zeros(1, 2), qrs.tensor([1]))
    tensor(0.6931)
    """
    check_floats("cross_entropy", input=input, weight=weight)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(
            f"cross_entropy: label_smoothing {label_smoothing} came, expected a number from 0 to 1"
        )
    axis = 1 if input.dim() > 1 else 0
    logs = input.log_softmax(axis)
    if target._array.dtype.kind == "f":
        return _soft_cross_entropy(logs, target, weight, reduction, label_smoothing, axis)
    loss = nll_loss(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    spread = logs if weight is None else logs * weight.reshape(-1, *(1,) * (logs.dim() - axis - 1))
    keep = target._array != ignore_index
    even = -spread.sum(axis) * Tensor._wrap(keep.astype(input._array.dtype))
    if reduction == "mean":
        classes = np.where(keep, target._array, 0)
        weights = keep if weight is None else weight._array[classes] * keep
        even = even.sum() / float(weights.sum())
    else:
        even = _reduce(even, reduction, "cross_entropy")
    mixed: Tensor = loss * (1 - label_smoothing) + even * (label_smoothing / input.shape[axis])
    return mixed


def _soft_cross_entropy(
    logs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    smoothing: float,
    axis: int,
) -> Tensor:
    _same_shape("cross_entropy", logs, target)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / logs.shape[axis]
    terms = logs * target
    if weight is not None:
        terms = terms * weight.reshape(-1, *(1,) * (logs.dim() - axis - 1))
    loss = -terms.sum(axis)
    if reduction == "mean":
        return loss.sum() / max(loss.numel(), 1)
    return _reduce(loss, reduction, "cross_entropy")


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
    _same_shape("binary_cross_entropy", input, target)
    values = input._array
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"binary_cross_entropy: input from {values.min()} to {values.max()} came, expected "
            "probabilities; apply sigmoid or use binary_cross_entropy_with_logits"
        )
    loss = apply(BCE, input, target)
    return _reduce(loss if weight is None else loss * weight, reduction, "binary_cross_entropy")


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
    _same_shape(name, input, target)
    log_p = logsigmoid(input)
    # log(1 - p) = log p - x, so the loss is (1 - t) x - (1 + (w - 1) t) log p.
    positive = log_p if pos_weight is None else log_p * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input - positive
    return _reduce(loss if weight is None else loss * weight, reduction, name)


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
    _same_shape("kl_div", input, target)
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
    return _reduce(loss, reduction, "kl_div")
