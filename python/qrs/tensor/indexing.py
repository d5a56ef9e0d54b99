"""Choosing, ordering and writing elements by index.

Indices are tensors of integers; one out of range raises ShapeError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.in_place import apply_in_place
from qrs.autograd.rules import indexing as rules
from qrs.errors import DtypeError, ShapeError
from qrs.tensor.core import Operand, apply, array_of, normalized_one, on_tensor, wrap
from qrs.tensor.extremes import ValuesIndices

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "argsort",
    "gather",
    "get_item",
    "index_add",
    "index_select",
    "masked_select",
    "nonzero",
    "scatter",
    "scatter_add",
    "set_item",
    "sort",
    "take_along_dim",
    "topk",
    "unique",
]


def _plain_index(index: Any) -> Any:
    """`index` with tensors replaced by their arrays."""
    if isinstance(index, tuple):
        return tuple([_plain_index(part) for part in index])
    if isinstance(index, list):
        # A list that holds tensors or lists is one index for each dimension of an index array.
        return (
            np.asarray([_plain_index(part) for part in index]) if index else np.zeros(0, np.int64)
        )
    return array_of(index)


def get_item(input: Tensor, index: Any) -> Tensor:
    """`input[index]`: ints, slices, None, ..., and tensors, arrays or lists of ints or bools."""
    if type(index) is not int and type(index) is not slice:
        index = _plain_index(index)
    return apply(rules.GETITEM, input, index=index)


def set_item(input: Tensor, index: Any, value: Any) -> None:
    """`input[index] = value`, recorded."""
    if not isinstance(value, (int, float)) and not hasattr(value, "_array"):
        value = np.asarray(value)
    apply_in_place(rules.SETITEM, input, value, index=_plain_index(index))


def _index_array(where: str, index: Any) -> Any:
    array = array_of(index)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        raise DtypeError(
            f"{where}: an index of type {getattr(array, 'dtype', type(array).__name__)} came, a "
            "tensor of integers was expected; convert it with long()"
        )
    return array


def _index_vector(where: str, index: Any) -> Any:
    array = _index_array(where, index)
    if array.ndim > 1:
        raise ShapeError(
            f"{where}: an index of shape {array.shape} came, one dimension was expected; use "
            "take_along_dim or x[index] for more"
        )
    return array.reshape(-1)


@on_tensor
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The given indices of one dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.index_select(qrs.tensor([[1, 2], [3, 4]]), 1, qrs.tensor([1, 1]))
    tensor([[2, 2],
            [4, 4]])
    """
    axis = normalized_one("index_select", dim, input._array.ndim)
    return apply(rules.INDEX_SELECT, input, _index_vector("index_select", index), axis=axis)


@on_tensor
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """`out[i][j] = input[index[i][j]][j]` for `dim` 0, and likewise for other dimensions.

    Examples
    --------
    >>> import qrs
    >>> qrs.gather(qrs.tensor([[1, 2], [3, 4]]), 1, qrs.tensor([[0], [1]]))
    tensor([[1],
            [4]])
    """
    axis = normalized_one("gather", dim, input._array.ndim)
    places = _index_array("gather", index)
    if places.ndim != input._array.ndim:
        raise ShapeError(
            f"gather: an index of shape {places.shape} came for shape {input._array.shape}, as "
            "many dimensions were expected"
        )
    return apply(rules.GATHER, input, places, axis=axis)


@on_tensor
def take_along_dim(input: Tensor, indices: Tensor, dim: int) -> Tensor:
    """`gather` with the index broadcast against the other dimensions.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([[3, 1, 2]])
    >>> qrs.take_along_dim(x, x.argsort(1), 1)
    tensor([[1, 2, 3]])
    """
    axis = normalized_one("take_along_dim", dim, input._array.ndim)
    places = _index_array("take_along_dim", indices)
    shape = list(
        np.broadcast_shapes(
            input._array.shape, (*places.shape[:axis], 1, *places.shape[axis + 1 :])
        )
    )
    shape[axis] = places.shape[axis]
    return apply(rules.GATHER, input, np.broadcast_to(places, shape), axis=axis)


@on_tensor
def scatter(input: Tensor, dim: int, index: Tensor, src: Operand) -> Tensor:
    """A copy with `out[index[i][j]][j] = src[i][j]` for `dim` 0, and likewise for others.

    Examples
    --------
    >>> import qrs
    >>> qrs.scatter(qrs.zeros(1, 3), 1, qrs.tensor([[2]]), 5.0)
    tensor([[0., 0., 5.]])
    """
    axis = normalized_one("scatter", dim, input._array.ndim)
    return apply(rules.SCATTER, input, _index_array("scatter", index), src, axis=axis)


@on_tensor
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy with `out[index[i][j]][j] += src[i][j]` for `dim` 0, and likewise for others.

    Examples
    --------
    >>> import qrs
    >>> qrs.scatter_add(qrs.zeros(3), 0, qrs.tensor([0, 2, 0]), qrs.ones(3))
    tensor([2., 0., 1.])
    """
    axis = normalized_one("scatter_add", dim, input._array.ndim)
    return apply(rules.SCATTER_ADD, input, _index_array("scatter_add", index), src, axis=axis)


@on_tensor
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy with the slices of `source` added at the given indices of one dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.index_add(qrs.zeros(3), 0, qrs.tensor([0, 0]), qrs.ones(2))
    tensor([2., 0., 0.])
    """
    axis = normalized_one("index_add", dim, input._array.ndim)
    return apply(rules.INDEX_ADD, input, _index_vector("index_add", index), source, axis=axis)


@on_tensor
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where a bool mask holds, in a row.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([1, 2, 3])
    >>> qrs.masked_select(x, x > 1)
    tensor([2, 3])
    """
    array = array_of(mask)
    shape = np.broadcast_shapes(input._array.shape, array.shape)
    return get_item(input.expand(*shape), np.broadcast_to(array, shape))


@on_tensor
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero.

    One row each, or with `as_tuple` one tensor for each dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.nonzero(qrs.tensor([0, 5, 7]))
    tensor([[1],
            [2]])
    """
    if as_tuple:
        return tuple([wrap(index) for index in np.nonzero(input._array)])
    return wrap(np.argwhere(input._array))


def _order(array: Any, axis: int, descending: bool) -> Any:
    """Indices that sort, equal elements in their order, NaN last (first if descending)."""
    if not descending:
        return np.argsort(array, axis=axis, kind="stable")
    # Sorting the reversed array and reversing twice keeps equal elements in their order.
    extent = array.shape[axis]
    back = np.argsort(np.flip(array, axis), axis=axis, kind="stable")
    return extent - 1 - np.flip(back, axis)


@on_tensor
def argsort(input: Tensor, dim: int = -1, descending: bool = False) -> Tensor:
    """The indices that sort a dimension; equal elements stay in order.

    Examples
    --------
    >>> import qrs
    >>> qrs.argsort(qrs.tensor([3, 1, 2]))
    tensor([1, 2, 0])
    """
    if input._array.ndim == 0:
        return wrap(np.zeros((), np.int64))
    axis = normalized_one("argsort", dim, input._array.ndim)
    return wrap(_order(input._array, axis, descending))


@on_tensor
def sort(
    input: Tensor,
    dim: int = -1,
    descending: bool = False,
    stable: bool = True,  # noqa: ARG001 (PyTorch's signature; sorting is always stable)
) -> ValuesIndices:
    """Sorted values along a dimension and the indices they came from; always stable.

    Examples
    --------
    >>> import qrs
    >>> values, indices = qrs.sort(qrs.tensor([3, 1, 2]))
    >>> values, indices
    (tensor([1, 2, 3]), tensor([1, 2, 0]))
    """
    order = argsort(input, dim, descending)
    if input._array.ndim == 0:
        return ValuesIndices(input.clone(), order)
    return ValuesIndices(gather(input, dim, order), order)


@on_tensor
def topk(
    input: Tensor,
    k: int,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,  # noqa: ARG001 (PyTorch's signature; the values are always sorted)
) -> ValuesIndices:
    """The `k` largest (or smallest) values along a dimension, best first, and their indices.

    Raises
    ------
    ShapeError
        There are fewer than `k` values.

    Examples
    --------
    >>> import qrs
    >>> qrs.topk(qrs.tensor([3.0, 1.0, 2.0]), 2).indices
    tensor([0, 2])
    """
    array = input._array
    axis = normalized_one("topk", dim, array.ndim)
    extent = array.shape[axis] if array.ndim else 1
    if not 0 <= k <= extent:
        raise ShapeError(f"topk: k {k} came for extent {extent}, at most the extent was expected")
    if array.ndim == 0:
        return ValuesIndices(input.clone(), wrap(np.zeros((), np.int64)))
    order = np.take(_order(array, axis, largest), np.arange(k), axis=axis)
    return ValuesIndices(apply(rules.GATHER, input, order, axis=axis), wrap(order))


@on_tensor
def unique(input: Tensor, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """The distinct elements in ascending order, perhaps with inverse indices and counts.

    Examples
    --------
    >>> import qrs
    >>> qrs.unique(qrs.tensor([2, 1, 2]), return_counts=True)
    (tensor([1, 2]), tensor([1, 2]))
    """
    array = input._array
    values, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    found = [wrap(values)]
    if return_inverse:
        found.append(wrap(inverse.reshape(array.shape)))
    if return_counts:
        found.append(wrap(counts))
    return found[0] if len(found) == 1 else tuple(found)
