"""Windows over a dimension, and elements picked by strides. Both copy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qrs.errors import ShapeError
from qrs.tensor.core import integers, normalized_one, on_tensor, wrap
from qrs.tensor.joining import stack

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = ["as_strided", "unfold"]


@on_tensor
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """The windows of a dimension, each as a new last dimension.

    Parameters
    ----------
    input : Tensor, shape (..., L, ...)
    dimension : int
        The dimension of extent L.
    size : int
        Elements of a window.
    step : int
        Elements from the start of one window to that of the next.

    Returns
    -------
    Tensor, shape (..., (L - size) // step + 1, ..., size)

    Raises
    ------
    ShapeError
        If no window fits, or ``step`` is not positive.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    shape = input.shape
    axis = normalized_one("unfold", dimension, len(shape))
    if not 1 <= size <= shape[axis] or step < 1:
        raise ShapeError(
            f"unfold: size {size} and step {step} came for dimension {dimension} of extent "
            f"{shape[axis]}, expected a size from 1 to that extent and a positive step"
        )
    reach = shape[axis] - size + 1
    before = (slice(None),) * axis
    return stack([input[(*before, slice(k, k + reach, step))] for k in range(size)], -1)


@on_tensor
def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int = 0
) -> Tensor:
    """The elements at ``storage_offset + sum(index * stride)`` of the tensor as one row.

    Parameters
    ----------
    input : Tensor
        Contiguous.
    size, stride : sequence of int
        Extents of the result, and elements from one index of a dimension to the next.
    storage_offset : int
        The first element.

    Returns
    -------
    Tensor, shape size
        A copy, where PyTorch's is a view.

    Raises
    ------
    ShapeError
        If the input is not contiguous, the two differ in length, or an element lies outside.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(6).as_strided((2, 2), (3, 1), 1)
    tensor([[1, 2],
            [4, 5]])
    """
    sizes, strides = integers("as_strided", (size,)), integers("as_strided", (stride,))
    if len(sizes) != len(strides):
        raise ShapeError(
            f"as_strided: size {sizes} and stride {strides} came, expected equal lengths"
        )
    if not input.is_contiguous():
        raise ShapeError(
            f"as_strided: a tensor of shape {tuple(input.shape)} and stride {input.stride()} came, "
            "expected a contiguous one; call contiguous() before"
        )
    index = np.full(sizes, storage_offset)
    for axis, step in enumerate(strides):
        index += (np.arange(sizes[axis]) * step).reshape(-1, *[1] * (len(sizes) - 1 - axis))
    count = math.prod(input.shape)
    if index.size and not (index.min() >= 0 and index.max() < count):
        raise ShapeError(
            f"as_strided: size {sizes}, stride {strides} and storage_offset {storage_offset} reach "
            f"elements {index.min()} to {index.max()}, expected 0 to {count - 1}"
        )
    return input.reshape(-1)[wrap(index)]
