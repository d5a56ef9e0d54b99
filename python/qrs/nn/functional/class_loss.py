"""Losses of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrs.autograd.arrays import Array
from qrs.errors import DtypeError, ShapeError, type_name
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.loss import check_same_shape, reduced
from qrs.tensor import Tensor, where

__all__ = ["cross_entropy", "nll_loss"]


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
    _check_classes("nll_loss", input, target, weight)
    return _nll(input, target, weight, ignore_index, reduction, "nll_loss")


def _check_classes(where: str, input: Tensor, target: Any, weight: Tensor | None) -> None:
    check_floats(where, input=input, weight=weight)
    shape = tuple(input.shape)
    if not shape:
        raise ShapeError(f"{where}: input without dimensions came, expected (N, C, *) or (C,)")
    axis = _class_axis(input)
    expected = (*shape[:axis], *shape[axis + 1 :])
    if not isinstance(target, Tensor):
        raise DtypeError(
            f"{where}: target is a {type_name(target)}, expected a Tensor; make one with "
            "qrs.as_tensor()"
        )
    if tuple(target.shape) != expected:
        raise ShapeError(
            f"{where}: target of shape {tuple(target.shape)} came for an input of shape {shape}, "
            f"expected {expected}"
        )
    if target._array.dtype.kind not in "iu":
        raise DtypeError(
            f"{where}: target of dtype {target.dtype} came, expected integers; use .long()"
        )
    if weight is not None and tuple(weight.shape) != (shape[axis],):
        raise ShapeError(
            f"{where}: weight of shape {tuple(weight.shape)} came for {shape[axis]} classes, "
            f"expected ({shape[axis]},)"
        )


def _class_axis(input: Tensor) -> int:
    return 1 if input.dim() > 1 else 0


def _nll(
    logs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    where_: str,
) -> Tensor:
    axis = _class_axis(logs)
    keep = target._array != ignore_index
    classes = Tensor._wrap(np.where(keep, target._array, 0).astype(np.int64))
    _check_numbers(where_, classes._array, logs.shape[axis])
    kind = logs._array.dtype
    factors = keep.astype(kind)
    if weight is not None:
        factors = factors * weight._array[classes._array]
    picked = logs.gather(axis, classes.unsqueeze(axis)).squeeze(axis)
    # Not a product: what is ignored may be infinite.
    loss = where(Tensor._wrap(np.asarray(keep)), -picked, Tensor._wrap(np.zeros((), kind)))
    loss = loss * Tensor._wrap(np.asarray(factors))
    if reduction == "mean":
        mean: Tensor = loss.sum() / float(factors.sum())
        return mean
    return reduced(loss, reduction, where_)


def _check_numbers(where: str, classes: Array, count: int) -> None:
    if classes.size and (classes.min() < 0 or classes.max() >= count):
        raise ShapeError(
            f"{where}: targets from {classes.min()} to {classes.max()} came, expected 0 to "
            f"{count - 1}, the numbers of {count} classes"
        )


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
    axis = _class_axis(input)
    if isinstance(target, Tensor) and tuple(target.shape) == tuple(input.shape) and target.dim():
        check_same_shape("cross_entropy", input, target)
        logs = input.log_softmax(axis)
        return _soft_cross_entropy(logs, target, weight, reduction, label_smoothing, axis)
    _check_classes("cross_entropy", input, target, weight)
    logs = input.log_softmax(axis)
    loss = _nll(logs, target, weight, ignore_index, reduction, "cross_entropy")
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
        even = reduced(even, reduction, "cross_entropy")
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
    if smoothing:
        target = target * (1 - smoothing) + smoothing / logs.shape[axis]
    terms = logs * target
    if weight is not None:
        terms = terms * weight.reshape(-1, *(1,) * (logs.dim() - axis - 1))
    loss = -terms.sum(axis)
    if reduction == "mean":
        return loss.sum() / max(loss.numel(), 1)
    return reduced(loss, reduction, "cross_entropy")
