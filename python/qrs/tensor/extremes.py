"""The largest, the smallest and the middle elements, and where they are.

`dim` and `keepdim` are as in `qrs.tensor.reductions`. No elements to choose from raise ShapeError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qrs.autograd.rules import elementwise, indexing
from qrs.autograd.rules import reduction as rules
from qrs.errors import ShapeError
from qrs.tensor.core import Dim, apply, normalized, normalized_one, on_tensor, wrap

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "ValuesIndices",
    "amax",
    "amin",
    "aminmax",
    "argmax",
    "argmin",
    "max",
    "median",
    "min",
]


class ValuesIndices(NamedTuple):
    """Values and the indices at which they were found."""

    values: Tensor
    indices: Tensor


class MinMax(NamedTuple):
    """The smallest and the largest values."""

    min: Tensor
    max: Tensor


def _filled(where: str, input: Tensor, axis: Any) -> None:
    shape = input._array.shape
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if any(shape[a] == 0 for a in axes):
        raise ShapeError(f"{where}: shape {shape} came, which has no elements to choose from")


@on_tensor
def amax(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The largest element; equal ones share the gradient.

    Raises
    ------
    ShapeError
        There is no element to choose.

    Examples
    --------
    >>> import qrs
    >>> qrs.amax(qrs.tensor([[1.0, 5.0], [7.0, 2.0]]), 1)
    tensor([5., 7.])
    """
    axis = normalized("amax", dim, input._array.ndim)
    _filled("amax", input, axis)
    return apply(rules.AMAX, input, axis=axis, keepdims=keepdim)


@on_tensor
def amin(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The smallest element; equal ones share the gradient.

    Raises
    ------
    ShapeError
        There is no element to choose.

    Examples
    --------
    >>> import qrs
    >>> qrs.amin(qrs.tensor([[1.0, 5.0], [7.0, 2.0]]), 1)
    tensor([1., 2.])
    """
    axis = normalized("amin", dim, input._array.ndim)
    _filled("amin", input, axis)
    return apply(rules.AMIN, input, axis=axis, keepdims=keepdim)


@on_tensor
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest element.

    Examples
    --------
    >>> import qrs
    >>> low, high = qrs.aminmax(qrs.tensor([3.0, 1.0, 2.0]))
    >>> low, high
    (tensor(1.), tensor(3.))
    """
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def _chosen(where: str, input: Tensor, dim: int, keepdim: bool, chooser: Any) -> ValuesIndices:
    """Values and indices along one dimension; the gradient goes to the chosen elements."""
    array = input._array
    axis = normalized_one(where, dim, array.ndim)
    if array.ndim == 0:
        return ValuesIndices(apply(elementwise.CLONE, input), wrap(np.zeros((), np.int64)))
    _filled(where, input, axis)
    index = np.expand_dims(chooser(array, axis=axis), axis)
    values = apply(indexing.GATHER, input, index, axis=axis)
    if not keepdim:
        index = index.squeeze(axis)
        values = values.squeeze(axis)
    return ValuesIndices(values, wrap(index))


@on_tensor
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element: of all, along a dimension, or of each pair with another tensor.

    Parameters
    ----------
    input : Tensor
    dim : int, Tensor or None
        None: a tensor of one element. An int: values and indices along that dimension. A tensor: as
        `maximum`.
    keepdim : bool

    Returns
    -------
    Tensor, or ValuesIndices for an int

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([[1.0, 5.0], [7.0, 2.0]])
    >>> qrs.max(x)
    tensor(7.)
    >>> values, indices = qrs.max(x, 1)
    >>> values, indices
    (tensor([5., 7.]), tensor([1, 0]))
    """
    if dim is None:
        return amax(input)
    if isinstance(dim, int):
        return _chosen("max", input, dim, keepdim, np.argmax)
    return input.maximum(dim)


@on_tensor
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element: of all, along a dimension, or of each pair with another tensor.

    Parameters and result are those of `max`.

    Examples
    --------
    >>> import qrs
    >>> qrs.min(qrs.tensor([[1.0, 5.0], [7.0, 2.0]]), 1).indices
    tensor([0, 1])
    """
    if dim is None:
        return amin(input)
    if isinstance(dim, int):
        return _chosen("min", input, dim, keepdim, np.argmin)
    return input.minimum(dim)


@on_tensor
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, the lower one of two.

    Returns
    -------
    Tensor, or ValuesIndices where `dim` is given

    Examples
    --------
    >>> import qrs
    >>> qrs.median(qrs.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """

    def middle(array: Any, axis: int) -> Any:
        order = np.argsort(array, axis=axis, kind="stable")
        return np.take(order, (array.shape[axis] - 1) // 2, axis=axis)

    if dim is None:
        return _chosen("median", input.reshape(-1), 0, False, middle).values
    return _chosen("median", input, dim, keepdim, middle)


@on_tensor
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest element, the first of equal ones.

    Examples
    --------
    >>> import qrs
    >>> qrs.argmax(qrs.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    axis = normalized("argmax", dim, input._array.ndim)
    _filled("argmax", input, axis)
    return wrap(np.argmax(input._array, axis=axis, keepdims=keepdim))


@on_tensor
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest element, the first of equal ones.

    Examples
    --------
    >>> import qrs
    >>> qrs.argmin(qrs.tensor([3.0, 1.0, 2.0]))
    tensor(1)
    """
    axis = normalized("argmin", dim, input._array.ndim)
    _filled("argmin", input, axis)
    return wrap(np.argmin(input._array, axis=axis, keepdims=keepdim))
