"""Functions that move channels and pixels without changing a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qrs.errors import ShapeError
from qrs.nn.functional.dispatch import also_quantized
from qrs.tensor import Tensor

__all__ = [
    "channel_shuffle",
    "check_channel_shuffle",
    "check_pixel_shuffle",
    "check_pixel_unshuffle",
    "cosine_similarity",
    "pixel_shuffle",
    "pixel_unshuffle",
]


def check_pixel_shuffle(shape: Sequence[int], factor: int) -> None:
    """Raise `ShapeError` if the channels do not divide into blocks."""
    if len(shape) < 3 or factor < 1 or shape[-3] % (factor * factor):
        raise ShapeError(
            f"pixel_shuffle: input of shape {tuple(shape)} came, expected (*, C, H, W) with "
            f"C a multiple of {factor * factor}"
        )


def check_pixel_unshuffle(shape: Sequence[int], factor: int) -> None:
    """Raise `ShapeError` if the pixels do not divide into blocks."""
    if len(shape) < 3 or factor < 1 or shape[-2] % factor or shape[-1] % factor:
        raise ShapeError(
            f"pixel_unshuffle: input of shape {tuple(shape)} came, expected (*, C, H, W) "
            f"with H and W multiples of {factor}"
        )


def check_channel_shuffle(shape: Sequence[int], groups: int) -> None:
    """Raise `ShapeError` if the channels do not divide into groups."""
    if len(shape) < 3 or groups < 1 or shape[1] % groups:
        raise ShapeError(
            f"channel_shuffle: input of shape {tuple(shape)} came, expected (N, C, *) with "
            f"C a multiple of {groups} groups"
        )


@also_quantized
def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """Move groups of r² channels into r x r blocks of pixels.

    Source: Shi et al. 2016, arXiv:1609.05158.

    Parameters
    ----------
    input : Tensor or QTensor, shape (*, C r², H, W)
    upscale_factor : int
        r.

    Returns
    -------
    Tensor, shape (*, C, H r, W r)

    Raises
    ------
    ShapeError
        If the channels do not divide by r².

    Examples
    --------
    >>> import qrs
    >>> tuple(pixel_shuffle(qrs.zeros(1, 8, 2, 3), 2).shape)
    (1, 2, 4, 6)
    """
    r = upscale_factor
    check_pixel_shuffle(input.shape, r)
    *lead, c, h, w = input.shape
    n = len(lead)
    blocks = input.reshape(*lead, c // (r * r), r, r, h, w)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return blocks.permute(*order).reshape(*lead, c // (r * r), h * r, w * r)


@also_quantized
def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """Undo `pixel_shuffle`.

    Parameters
    ----------
    input : Tensor or QTensor, shape (*, C, H r, W r)
    downscale_factor : int
        r.

    Returns
    -------
    Tensor, shape (*, C r², H, W)

    Raises
    ------
    ShapeError
        If height or width do not divide by r.

    Examples
    --------
    >>> import qrs
    >>> tuple(pixel_unshuffle(qrs.zeros(1, 2, 4, 6), 2).shape)
    (1, 8, 2, 3)
    """
    r = downscale_factor
    check_pixel_unshuffle(input.shape, r)
    *lead, c, h, w = input.shape
    n = len(lead)
    blocks = input.reshape(*lead, c, h // r, r, w // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return blocks.permute(*order).reshape(*lead, c * r * r, h // r, w // r)


@also_quantized
def channel_shuffle(input: Any, groups: int) -> Any:
    """Interleave groups of channels. Source: Zhang et al. 2017, arXiv:1707.01083.

    Parameters
    ----------
    input : Tensor or QTensor, shape (N, C, *)
    groups : int
        Divides C.

    Raises
    ------
    ShapeError
        If it does not.

    Examples
    --------
    >>> import qrs
    >>> channel_shuffle(qrs.arange(4.0).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    check_channel_shuffle(input.shape, groups)
    n, c, *rest = input.shape
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(n, c, *rest)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Compute the cosine of the angle between vectors along an axis.

    Parameters
    ----------
    x1, x2 : Tensor
        Shapes that broadcast.
    dim : int
    eps : float
        The least value of each norm.

    Examples
    --------
    >>> import qrs
    >>> cosine_similarity(qrs.tensor([[1.0, 0.0]]), qrs.tensor([[2.0, 0.0]]))
    tensor([1.])
    """
    norms = [x.norm(2, dim).clamp(min=eps) for x in (x1, x2)]
    return (x1 * x2).sum(dim) / (norms[0] * norms[1])
