"""Changes of shape and order, joining and splitting.

Views share the memory of their input, as in PyTorch; `flip`, `roll`, `repeat`, `cat` and `stack`
copy. A shape or dimension that does not fit raises ShapeError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.rules import elementwise
from qrs.autograd.rules import shape as rules
from qrs.errors import ShapeError
from qrs.tensor.core import (
    Dim,
    apply,
    flat_shape,
    integers,
    normalized,
    normalized_one,
    on_tensor,
)
from qrs.tensor.size import channels_last, contiguous_format, memory_format

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "broadcast_to",
    "clone",
    "contiguous",
    "expand",
    "expand_as",
    "flatten",
    "movedim",
    "permute",
    "reshape",
    "reshape_as",
    "squeeze",
    "swapaxes",
    "t",
    "transpose",
    "unflatten",
    "unsqueeze",
    "view",
    "view_as",
]


@on_tensor
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one extent may be -1. A view where that is possible.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return apply(rules.RESHAPE, input, shape=integers("reshape", shape))


@on_tensor
def view(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape, always sharing memory.

    Raises
    ------
    ShapeError
        The strides do not allow a view; use `reshape`.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(6).view(3, 2).shape
    qrs.Size([3, 2])
    """
    array = input._array
    result = apply(rules.RESHAPE, input, shape=integers("view", shape))
    if array.size and not np.may_share_memory(result._array, array):
        raise ShapeError(
            f"view: shape {tuple(result._array.shape)} came for a tensor of shape {array.shape} "
            "whose strides do not allow it; use reshape()"
        )
    return result


@on_tensor
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`input.view` with the shape of `other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(4).view_as(qrs.zeros(2, 2)).shape
    qrs.Size([2, 2])
    """
    return view(input, tuple(other.shape))


@on_tensor
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`input.reshape` with the shape of `other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(4).reshape_as(qrs.zeros(2, 2)).shape
    qrs.Size([2, 2])
    """
    return reshape(input, tuple(other.shape))


@on_tensor
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` made one.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2, 3, 4).flatten(1).shape
    qrs.Size([2, 12])
    """
    return apply(rules.RESHAPE, input, shape=flat_shape(input._array.shape, start_dim, end_dim))


@on_tensor
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Dimension `dim` cut into several of the given sizes; one may be -1.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2, 12).unflatten(1, (3, 4)).shape
    qrs.Size([2, 3, 4])
    """
    shape = input._array.shape
    axis = normalized_one("unflatten", dim, len(shape))
    sizes = list(sizes)
    if sizes.count(-1) == 1:
        known = -math.prod(sizes)
        sizes[sizes.index(-1)] = shape[axis] // known if known else 0
    if math.prod(sizes) != shape[axis]:
        raise ShapeError(
            f"unflatten: sizes {tuple(sizes)} came for dimension {dim} of extent {shape[axis]}, "
            "their product must be that extent"
        )
    return apply(rules.RESHAPE, input, shape=(*shape[:axis], *sizes, *shape[axis + 1 :]))


@on_tensor
def squeeze(input: Tensor, dim: Dim = None) -> Tensor:
    """Without its dimensions of extent 1, or without those of them that `dim` names.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(1, 3, 1).squeeze(0).shape
    qrs.Size([3, 1])
    """
    shape = input._array.shape
    axis = normalized("squeeze", dim, len(shape))
    if axis is not None:
        named = axis if isinstance(axis, tuple) else (axis,)
        axis = tuple([a for a in named if shape[a] == 1])
    return apply(rules.SQUEEZE, input, axis=axis)


@on_tensor
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new dimension of extent 1 at `dim`.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(3).unsqueeze(-1).shape
    qrs.Size([3, 1])
    """
    axis = normalized_one("unsqueeze", dim, input._array.ndim + 1)
    return apply(rules.UNSQUEEZE, input, axis=axis)


@on_tensor
def permute(input: Tensor, *dims: Any) -> Tensor:
    """Its dimensions in another order.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2, 3, 4).permute(2, 0, 1).shape
    qrs.Size([4, 2, 3])
    """
    return apply(rules.PERMUTE, input, axes=integers("permute", dims))


@on_tensor
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """With two dimensions exchanged.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2, 3, 4).transpose(0, -1).shape
    qrs.Size([4, 3, 2])
    """
    ndim = input._array.ndim
    a, b = normalized_one("transpose", dim0, ndim), normalized_one("transpose", dim1, ndim)
    order = list(range(ndim))
    if ndim:
        order[a], order[b] = order[b], order[a]
    return apply(rules.PERMUTE, input, axes=tuple(order))


swapaxes = transpose


@on_tensor
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector or a scalar itself.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2, 3).t().shape
    qrs.Size([3, 2])
    """
    ndim = input._array.ndim
    if ndim > 2:
        raise ShapeError(f"t: a tensor of {ndim} dimensions came, at most 2 were expected")
    return apply(rules.PERMUTE, input, axes=tuple(range(ndim))[::-1])


@on_tensor
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """With dimensions moved from `source` to `destination`, the others in order.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2, 3, 4).movedim(0, -1).shape
    qrs.Size([3, 4, 2])
    """
    # The permutation is what NumPy does to the labels 0, 1, 2, ... of the dimensions.
    ndim = input._array.ndim
    labels = np.empty(tuple(range(1, ndim + 1)), np.bool_)
    try:
        order = tuple([extent - 1 for extent in np.moveaxis(labels, source, destination).shape])
    except ValueError as error:
        raise ShapeError(f"movedim: {error}") from error
    return apply(rules.PERMUTE, input, axes=order)


@on_tensor
def expand(input: Tensor, *sizes: Any) -> Tensor:
    """A read-only view with dimensions of extent 1 repeated; -1 keeps an extent.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([[1.0], [2.0]]).expand(-1, 2)
    tensor([[1., 1.],
            [2., 2.]])
    """
    wanted = integers("expand", sizes)
    shape = input._array.shape
    extra = len(wanted) - len(shape)
    full = [
        shape[i - extra] if size == -1 and i >= extra else size for i, size in enumerate(wanted)
    ]
    return apply(rules.EXPAND, input, shape=tuple(full))


@on_tensor
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of `other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(1, 3).expand_as(qrs.zeros(2, 3)).shape
    qrs.Size([2, 3])
    """
    return apply(rules.EXPAND, input, shape=tuple(other.shape))


@on_tensor
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """`expand` with one argument.

    Examples
    --------
    >>> import qrs
    >>> qrs.broadcast_to(qrs.zeros(3), (2, 3)).shape
    qrs.Size([2, 3])
    """
    return expand(input, tuple(size))


@on_tensor
def contiguous(input: Tensor, memory_format: memory_format = contiguous_format) -> Tensor:
    """Itself if its elements lie in memory in order, else a copy that does.

    Parameters
    ----------
    input : Tensor
    memory_format : memory_format
        `qrs.channels_last` puts the channels of an (N, C, H, W) tensor innermost.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2, 3).t().contiguous().is_contiguous()
    True
    """
    array = input._array
    if memory_format == channels_last and array.ndim == 4:
        inner = array.transpose(0, 2, 3, 1)
        if inner.flags.c_contiguous:
            return input
        rows = apply(rules.PERMUTE, input, axes=(0, 2, 3, 1))
        return apply(rules.PERMUTE, contiguous(rows), axes=(0, 3, 1, 2))
    return input if array.flags.c_contiguous else apply(elementwise.CLONE, input)


@on_tensor
def clone(input: Tensor, *, memory_format: memory_format | None = None) -> Tensor:
    """A copy, through which gradients flow.

    Examples
    --------
    >>> import qrs
    >>> qrs.ones(2).clone()
    tensor([1., 1.])
    """
    copy = apply(elementwise.CLONE, input)
    return copy if memory_format is None else contiguous(copy, memory_format)
