"""Joining, splitting, repeating and reordering.

Parts are views of the whole; what joins or repeats copies. Shapes that do not fit raise ShapeError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.rules import elementwise, joining
from qrs.autograd.rules import shape as rules
from qrs.errors import DtypeError, ShapeError, type_name
from qrs.tensor.core import (
    Dim,
    apply,
    array_of,
    integers,
    normalized,
    normalized_one,
    on_tensor,
    on_tensors,
)

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "broadcast_tensors",
    "cat",
    "chunk",
    "concat",
    "flip",
    "meshgrid",
    "narrow",
    "repeat",
    "repeat_interleave",
    "roll",
    "select",
    "split",
    "stack",
    "tile",
    "unbind",
]


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape.

    Examples
    --------
    >>> import qrs
    >>> a, b = qrs.broadcast_tensors(qrs.zeros(3, 1), qrs.zeros(2))
    >>> a.shape, b.shape
    (qrs.Size([3, 2]), qrs.Size([3, 2]))
    """
    shapes = [x._array.shape for x in tensors]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ShapeError(f"broadcast_tensors: shapes {shapes} do not broadcast") from error
    return tuple([apply(rules.EXPAND, x, shape=common) for x in tensors])


@on_tensor
def repeat(input: Tensor, *sizes: Any) -> Tensor:
    """The tensor repeated along each dimension; leading counts add dimensions.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    counts = integers("repeat", sizes)
    if len(counts) < input._array.ndim:
        raise ShapeError(
            f"repeat: {len(counts)} counts came for a tensor of {input._array.ndim} dimensions, "
            "one for each was expected"
        )
    return apply(rules.REPEAT, input, counts=counts)


@on_tensor
def tile(input: Tensor, *dims: Any) -> Tensor:
    """As `repeat`, with missing leading counts taken as 1.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([[1, 2]]).tile(2)
    tensor([[1, 2, 1, 2]])
    """
    counts = integers("tile", dims)
    return apply(rules.REPEAT, input, counts=(1,) * (input._array.ndim - len(counts)) + counts)


@on_tensor
def repeat_interleave(input: Tensor, repeats: Any, dim: int | None = None) -> Tensor:
    """Each element repeated in place; `repeats` is a count or one count for each index.

    Examples
    --------
    >>> import qrs
    >>> qrs.repeat_interleave(qrs.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if dim is None:
        input, dim = input.reshape(-1), 0
    axis = normalized_one("repeat_interleave", dim, input._array.ndim)
    return apply(rules.REPEAT_INTERLEAVE, input, counts=array_of(repeats), axis=axis)


@on_tensor
def flip(input: Tensor, *dims: Any) -> Tensor:
    """A copy with the order along some dimensions reversed.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([1, 2, 3]).flip(0)
    tensor([3, 2, 1])
    """
    axes = normalized("flip", integers("flip", dims), input._array.ndim)
    return apply(rules.FLIP, input, axes=() if axes is None else axes)


@on_tensor
def roll(input: Tensor, shifts: int | Sequence[int], dims: Dim = None) -> Tensor:
    """A copy with elements moved along dimensions, around the end; without `dims`, as one row.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([1, 2, 3]).roll(1)
    tensor([3, 1, 2])
    """
    axis = normalized("roll", dims, input._array.ndim)
    moves = tuple(shifts) if isinstance(shifts, Sequence) else shifts
    if axis is None and isinstance(moves, tuple):
        (moves,) = moves
    return apply(rules.ROLL, input, shifts=moves, axis=axis)


def _several(where: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    items = list(tensors)
    if not items:
        raise ShapeError(f"{where}: no tensors came, at least one was expected")
    for i, item in enumerate(items):
        if not isinstance(getattr(item, "_array", None), np.ndarray):
            raise DtypeError(
                f"{where}: item {i} is of type {type_name(item)}, Tensors were expected"
            )
    return items


@on_tensors
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along an existing dimension.

    Parameters
    ----------
    tensors : sequence of Tensor
        Of equal shapes but for `dim`; empty tensors of one dimension are passed over.
    dim : int

    Examples
    --------
    >>> import qrs
    >>> qrs.cat([qrs.zeros(1, 2), qrs.ones(1, 2)])
    tensor([[0., 0.],
            [1., 1.]])
    """
    items = _several("cat", tensors)
    # PyTorch lets torch.tensor([]) stand for "nothing yet".
    kept = [x for x in items if x._array.shape != (0,)]
    if not kept:
        return apply(elementwise.CLONE, items[0])
    axis = normalized_one("cat", dim, kept[0]._array.ndim)
    return apply(joining.CAT, *kept, axis=axis)


concat = cat


@on_tensors
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors of one shape side by side along a new dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.stack([qrs.zeros(2), qrs.ones(2)], dim=1)
    tensor([[0., 1.],
            [0., 1.]])
    """
    items = _several("stack", tensors)
    axis = normalized_one("stack", dim, items[0]._array.ndim + 1)
    return apply(joining.STACK, *items, axis=axis)


@on_tensor
def split(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of consecutive parts, of one size (the last may be smaller) or of the sizes listed.

    Examples
    --------
    >>> import qrs
    >>> [part.tolist() for part in qrs.arange(5).split(2)]
    [[0, 1], [2, 3], [4]]
    """
    axis = normalized_one("split", dim, input._array.ndim)
    extent = input._array.shape[axis] if input._array.ndim else 0
    if isinstance(split_size, int):
        if split_size <= 0:
            raise ShapeError(f"split: split_size {split_size} came, a positive one was expected")
        bounds = tuple(range(split_size, extent, split_size))
    else:
        sizes = integers("split", (list(split_size),))
        if math.fsum(sizes) != extent or min(sizes, default=0) < 0:
            raise ShapeError(
                f"split: sizes {sizes} came for extent {extent}, sizes that add up to it were "
                "expected"
            )
        bounds = tuple(int(b) for b in np.cumsum(sizes)[:-1])
    result: Any = apply(rules.SPLIT, input, bounds=bounds, axis=axis)
    parts: tuple[Tensor, ...] = result
    return parts


@on_tensor
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size, the last one perhaps smaller.

    Examples
    --------
    >>> import qrs
    >>> [part.tolist() for part in qrs.arange(5).chunk(2)]
    [[0, 1, 2], [3, 4]]
    """
    if chunks < 1:
        raise ShapeError(f"chunk: {chunks} chunks came, at least 1 was expected")
    axis = normalized_one("chunk", dim, input._array.ndim)
    return split(input, max(1, -(-input._array.shape[axis] // chunks)), axis)


@on_tensor
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """A view for each index of a dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([[1, 2], [3, 4]]).unbind(1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    ndim = input._array.ndim
    if ndim == 0:
        raise ShapeError("unbind: a tensor without dimensions came, at least one was expected")
    result: Any = apply(rules.UNBIND, input, axis=normalized_one("unbind", dim, ndim))
    parts: tuple[Tensor, ...] = result
    return parts


@on_tensor
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """The `length` indices from `start` on along a dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    axis = normalized_one("narrow", dim, input._array.ndim)
    extent = input._array.shape[axis]
    first = start + extent if start < 0 else start
    if length < 0 or first < 0 or first + length > extent:
        raise ShapeError(
            f"narrow: start {start} and length {length} came, a range inside extent {extent} was "
            "expected"
        )
    return input[(slice(None),) * axis + (slice(first, first + length),)]


@on_tensor
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One index of a dimension, without that dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])
    """
    axis = normalized_one("select", dim, input._array.ndim)
    return input[(slice(None),) * axis + (index,)]


def meshgrid(*tensors: Tensor, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, given those along each side, as views.

    Raises
    ------
    ValueError
        If `indexing` is neither "ij" nor "xy".
    ShapeError
        If a tensor has more than one dimension.

    Examples
    --------
    >>> import qrs
    >>> rows, columns = qrs.meshgrid(qrs.arange(2), qrs.arange(3))
    >>> rows
    tensor([[0, 0, 0],
            [1, 1, 1]])
    """
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing {indexing!r} came, 'ij' or 'xy' was expected")
    first: Any = tensors[0] if tensors else ()
    items = first if len(tensors) == 1 and isinstance(first, (list, tuple)) else tensors
    for i, item in enumerate(items):
        if item.dim() > 1:
            raise ShapeError(
                f"meshgrid: tensor {i} of shape {tuple(item.shape)} came, one dimension was "
                "expected"
            )
    sizes = [item.numel() for item in items]
    grids = [
        item.reshape(*(n if i == k else 1 for k, n in enumerate(sizes))).expand(*sizes)
        for i, item in enumerate(items)
    ]
    turned = indexing == "xy" and len(grids) > 1
    return tuple([grid.transpose(0, 1) if turned else grid for grid in grids])
