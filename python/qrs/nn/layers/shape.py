"""Layers that change the shape only, and resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qrs.nn.functional import resample, shape
from qrs.nn.module import Module
from qrs.tensor.core import normalized_one

__all__ = [
    "ChannelShuffle",
    "CosineSimilarity",
    "Flatten",
    "PixelShuffle",
    "PixelUnshuffle",
    "Unflatten",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]


class Flatten(Module):
    """Join neighbouring axes into one.

    Parameters
    ----------
    start_dim, end_dim : int
        First and last axis to join.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Flatten()(qrs.zeros(2, 3, 4)).shape)
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        """Flatten ``input``."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """List the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split one axis into several.

    Parameters
    ----------
    dim : int
    unflattened_size : sequence of int
        Sizes of the new axes; one may be -1.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Unflatten(1, (3, 4))(qrs.zeros(2, 12)).shape)
    (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: Any) -> Any:
        """Split the axis of ``input``."""
        sizes = tuple(input.shape)
        dim = normalized_one("Unflatten", self.dim, len(sizes))
        return input.reshape(*sizes[:dim], *self.unflattened_size, *sizes[dim + 1 :])

    def extra_repr(self) -> str:
        """List axis and sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class PixelShuffle(Module):
    """Move groups of r² channels into r x r blocks of pixels.

    Parameters
    ----------
    upscale_factor : int
        r.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.PixelShuffle(2)(qrs.zeros(1, 8, 2, 3)).shape)
    (1, 2, 4, 6)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Any) -> Any:
        """Rearrange ``input``, shape (*, C r², H, W)."""
        return shape.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """List the factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Undo `PixelShuffle`.

    Parameters
    ----------
    downscale_factor : int
        r.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.PixelUnshuffle(2)(qrs.zeros(1, 2, 4, 6)).shape)
    (1, 8, 2, 3)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Any) -> Any:
        """Rearrange ``input``, shape (*, C, H r, W r)."""
        return shape.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """List the factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Interleave groups of channels.

    Parameters
    ----------
    groups : int

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.ChannelShuffle(2)(qrs.arange(4.0).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Any) -> Any:
        """Rearrange ``input``, shape (N, C, *)."""
        return shape.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """List the groups."""
        return f"groups={self.groups}"


class CosineSimilarity(Module):
    """Compute the cosine of the angle between vectors along an axis.

    Parameters
    ----------
    dim : int
    eps : float
        The least value of each norm.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.CosineSimilarity()(qrs.tensor([[1.0, 0.0]]), qrs.tensor([[2.0, 0.0]]))
    tensor([1.])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Any, x2: Any) -> Any:
        """Compare ``x1`` and ``x2``."""
        return shape.cosine_similarity(x1, x2, self.dim, self.eps)


class Upsample(Module):
    """Resize the spatial axes.

    Parameters
    ----------
    size, scale_factor, mode, align_corners, recompute_scale_factor
        As in `qrs.nn.functional.interpolate`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Upsample(scale_factor=2)(qrs.zeros(1, 1, 2, 3)).shape)
    (1, 1, 4, 6)
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        # Floats, as PyTorch keeps and prints them.
        many = isinstance(scale_factor, Sequence)
        if scale_factor is not None:
            scale_factor = tuple(map(float, scale_factor)) if many else float(scale_factor)
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Any) -> Any:
        """Resize ``input``, shape (N, C, *S)."""
        return resample.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """List size and mode."""
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor}, mode={self.mode!r}"
        return f"size={self.size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Resize images by repetition.

    Parameters
    ----------
    size, scale_factor
        As in `Upsample`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.UpsamplingNearest2d(scale_factor=2)(qrs.zeros(1, 1, 2, 3)).shape)
    (1, 1, 4, 6)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Resize images linearly, corners onto corners.

    Parameters
    ----------
    size, scale_factor
        As in `Upsample`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.UpsamplingBilinear2d(scale_factor=2)(qrs.zeros(1, 1, 2, 3)).shape)
    (1, 1, 4, 6)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
