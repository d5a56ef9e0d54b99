"""Changes of shape and order, joining and splitting.

Views share the memory of their input, as in PyTorch; `flip`, `roll`, `repeat`, `cat` and `stack` copy. A shape or dimension
that does not fit raises ShapeError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.rules import elementwise, joining
from qrs.autograd.rules import shape as rules
from qrs.errors import DtypeError, ShapeError
from qrs.tensor.core import (
    Dim,
    apply,
    array_of,
    integers,
    normalized,
    normalized_one,
    on_tensor,
    wrap,
)
from qrs.tensor.size import channels_last, contiguous_format, memory_format

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "broadcast_tensors",
    "broadcast_to",
    "cat",
    "chunk",
    "clone",
    "concat",
    "contiguous",
    "diag",
    "diagonal",
    "expand",
    "expand_as",
    "flatten",
    "flip",
    "meshgrid",
    "movedim",
    "narrow",
    "permute",
    "repeat",
    "repeat_interleave",
    "reshape",
    "reshape_as",
    "roll",
    "select",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "t",
    "tile",
    "transpose",
    "tril",
    "triu",
    "unbind",
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
    """The same elements in another shape, always sharing memory; a dtype of equal width reinterprets.

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
            f"view: shape {tuple(result._array.shape)} came for a tensor of shape {array.shape} whose strides "
            "do not allow it; use reshape()"
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
    return view(input, other._array.shape)


@on_tensor
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`input.reshape` with the shape of `other`.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(4).reshape_as(qrs.zeros(2, 2)).shape
    qrs.Size([2, 2])
    """
    return reshape(input, other._array.shape)


@on_tensor
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` made one.

    Examples
    --------
    >>> import qrs
    >>> qrs.zeros(2, 3, 4).flatten(1).shape
    qrs.Size([2, 12])
    """
    shape = input._array.shape
    first = normalized_one("flatten", start_dim, len(shape))
    last = normalized_one("flatten", end_dim, len(shape))
    if first > last:
        raise ShapeError(
            f"flatten: start_dim {start_dim} lies behind end_dim {end_dim} for shape {shape}"
        )
    if not shape:
        return apply(rules.RESHAPE, input, shape=(1,))
    middle = math.prod(shape[first : last + 1])
    return apply(rules.RESHAPE, input, shape=(*shape[:first], middle, *shape[last + 1 :]))


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
            f"unflatten: sizes {tuple(sizes)} came for dimension {dim} of extent {shape[axis]}, their "
            "product must be that extent"
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
    return apply(rules.EXPAND, input, shape=other._array.shape)


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
            f"repeat: {len(counts)} counts came for a tensor of {input._array.ndim} dimensions, one for "
            "each was expected"
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


@on_tensor
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The part on and above a diagonal, zero below.

    Examples
    --------
    >>> import qrs
    >>> qrs.ones(2, 2).triu()
    tensor([[1., 1.],
            [0., 1.]])
    """
    return apply(rules.TRIU, input, diagonal=diagonal)


@on_tensor
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The part on and below a diagonal, zero above.

    Examples
    --------
    >>> import qrs
    >>> qrs.ones(2, 2).tril()
    tensor([[1., 0.],
            [1., 1.]])
    """
    return apply(rules.TRIL, input, diagonal=diagonal)


@on_tensor
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The elements at equal places of two dimensions, as the last dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensor([[1, 2], [3, 4]]).diagonal()
    tensor([1, 4])
    """
    return apply(rules.DIAGONAL, input, offset=offset, axis1=dim1, axis2=dim2)


@on_tensor
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal.

    Examples
    --------
    >>> import qrs
    >>> qrs.diag(qrs.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    array = input._array
    if array.ndim == 2:
        return apply(rules.DIAGONAL, input, offset=diagonal, axis1=0, axis2=1)
    if array.ndim != 1:
        raise ShapeError(f"diag: shape {array.shape} came, a vector or a matrix was expected")
    size = array.shape[0] + abs(diagonal)
    rows = np.arange(array.shape[0]) + max(-diagonal, 0)
    result = wrap(np.zeros((size, size), array.dtype))
    result[wrap(rows), wrap(rows + diagonal)] = input
    return result


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


def _several(where: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    items = list(tensors)
    if not items:
        raise ShapeError(f"{where}: no tensors came, at least one was expected")
    for i, item in enumerate(items):
        if not isinstance(getattr(item, "_array", None), np.ndarray):
            raise DtypeError(
                f"{where}: item {i} is of type {type(item).__name__}, Tensors were expected"
            )
    return items


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
                f"split: sizes {sizes} came for extent {extent}, sizes that add up to it were expected"
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
    """The coordinates of a grid, given those along each side.

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
    items = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    grids = np.meshgrid(*(x._array for x in items), indexing=indexing)  # type: ignore[call-overload]
    return tuple([wrap(grid) for grid in grids])
