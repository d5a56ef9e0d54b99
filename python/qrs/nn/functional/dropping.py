"""Dropout of elements and of whole channels. Source: Srivastava et al. 2014."""

from __future__ import annotations

from typing import Any

from qrs.errors import ShapeError
from qrs.nn.functional.dispatch import also_quantized
from qrs.tensor import Tensor, rand

__all__ = ["dropout", "dropout1d", "dropout2d", "dropout3d"]


def _drop(
    input: Tensor, p: float, training: bool, inplace: bool, mask_shape: tuple[int, ...]
) -> Tensor:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p {p} came, expected a probability from 0 to 1")
    if not training or p == 0:
        return input
    # What stays is scaled up so that the expected value stays.
    keep = (rand(mask_shape) >= p).to(input.dtype)
    mask = keep / (1 - p) if p < 1 else keep
    out: Tensor = input.mul_(mask) if inplace else input * mask
    return out


@also_quantized
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Zero elements at random and scale the others by ``1 / (1 - p)``.

    Parameters
    ----------
    input : Tensor, any shape
    p : float
        Probability of zero.
    training : bool
        Return the input unchanged if False.
    inplace : bool
        Overwrite ``input``.

    Raises
    ------
    ValueError
        If ``p`` is no probability.

    Examples
    --------
    >>> import qrs
    >>> dropout(qrs.ones(2), 1.0)
    tensor([0., 0.])
    """
    return _drop(input, p, training, inplace, tuple(input.shape))


def _channels(
    where: str, rank: int, input: Tensor, p: float, training: bool, inplace: bool
) -> Tensor:
    if input.dim() not in (rank + 1, rank + 2):
        raise ShapeError(
            f"{where}: input of shape {tuple(input.shape)} came, expected (N, C) and {rank} "
            "spatial axes, or the same without N"
        )
    mask = (*tuple(input.shape[: input.dim() - rank]), *(1,) * rank)
    return _drop(input, p, training, inplace, mask)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, L) at random; arguments as `dropout`.

    Examples
    --------
    >>> import qrs
    >>> dropout1d(qrs.ones(1, 1, 2), 1.0)
    tensor([[[0., 0.]]])
    """
    return _channels("dropout1d", 1, input, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, H, W) at random; arguments as `dropout`.

    Examples
    --------
    >>> import qrs
    >>> float(dropout2d(qrs.ones(1, 1, 2, 2), 1.0).sum())
    0.0
    """
    return _channels("dropout2d", 2, input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, D, H, W) at random; arguments as `dropout`.

    Examples
    --------
    >>> import qrs
    >>> float(dropout3d(qrs.ones(1, 1, 2, 2, 2), 1.0).sum())
    0.0
    """
    return _channels("dropout3d", 3, input, p, training, inplace)
