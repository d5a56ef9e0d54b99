"""Reductions along dimensions.

`dim` is an int, several ints or None for all dimensions, negative ones counted from the end; `keepdim` keeps reduced dimensions with
extent 1. A dimension out of range raises ShapeError.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qrs.autograd.rules import elementwise, indexing
from qrs.autograd.rules import reduction as rules
from qrs.dtypes import dtype as Dtype
from qrs.errors import DtypeError, ShapeError
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
    "count_nonzero",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "median",
    "min",
    "norm",
    "prod",
    "softmax",
    "std",
    "sum",
    "var",
    "var_mean",
]


class ValuesIndices(NamedTuple):
    """Values and the indices at which they were found."""

    values: Tensor
    indices: Tensor


class MinMax(NamedTuple):
    """The smallest and the largest values."""

    min: Tensor
    max: Tensor


def _cast(input: Tensor, dtype: Dtype | None) -> Tensor:
    if dtype is None or dtype.numpy == input._array.dtype:
        return input
    return apply(elementwise.CAST, input, dtype=dtype.numpy)


def _floats(where: str, input: Tensor) -> None:
    if input._array.dtype.kind != "f":
        raise DtypeError(
            f"{where}: a tensor of {input._array.dtype} came, a float type was expected; convert it "
            "with float()"
        )


def _filled(where: str, input: Tensor, axis: Any) -> None:
    shape = input._array.shape
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if any(shape[a] == 0 for a in axes):
        raise ShapeError(f"{where}: shape {shape} came, which has no elements to choose from")


@on_tensor
def sum(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Dtype | None = None
) -> Tensor:
    """The sum; integers are summed in int64.

    Examples
    --------
    >>> import qrs
    >>> qrs.sum(qrs.tensor([[1.0, 2.0], [3.0, 4.0]]), 0)
    tensor([4., 6.])
    """
    axis = normalized("sum", dim, input._array.ndim)
    return apply(rules.SUM, _cast(input, dtype), axis=axis, keepdims=keepdim)


@on_tensor
def mean(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Dtype | None = None
) -> Tensor:
    """The arithmetic mean; NaN of no elements.

    Raises
    ------
    DtypeError
        For integers, unless `dtype` names a float type.

    Examples
    --------
    >>> import qrs
    >>> qrs.mean(qrs.tensor([[1.0, 2.0], [3.0, 4.0]]), -1)
    tensor([1.5000, 3.5000])
    """
    input = _cast(input, dtype)
    _floats("mean", input)
    axis = normalized("mean", dim, input._array.ndim)
    return apply(rules.MEAN, input, axis=axis, keepdims=keepdim)


@on_tensor
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Dtype | None = None
) -> Tensor:
    """The product.

    Examples
    --------
    >>> import qrs
    >>> qrs.prod(qrs.tensor([2.0, 3.0]))
    tensor(6.)
    """
    axis = normalized("prod", dim, input._array.ndim)
    return apply(rules.PROD, _cast(input, dtype), axis=axis, keepdims=keepdim)


def _spread_arguments(
    where: str, input: Tensor, dim: Any, unbiased: bool, correction: float | None
) -> tuple[Any, float]:
    # `var(False)` means unbiased=False, as in PyTorch.
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    _floats(where, input)
    axis = normalized(where, dim, input._array.ndim)
    return axis, (float(unbiased) if correction is None else correction)


@on_tensor
def var(
    input: Tensor,
    dim: Dim = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The variance: the sum of squared distances from the mean, divided by `count - correction`.

    Parameters
    ----------
    input : Tensor of a float type
    dim, keepdim
        See the module.
    unbiased : bool
        Correction 1 (True, the default) or 0.
    correction : float, optional
        Overrides `unbiased`.

    Examples
    --------
    >>> import qrs
    >>> qrs.var(qrs.tensor([1.0, 3.0])), qrs.var(qrs.tensor([1.0, 3.0]), unbiased=False)
    (tensor(2.), tensor(1.))
    """
    axis, correction = _spread_arguments("var", input, dim, unbiased, correction)
    return apply(rules.VAR, input, axis=axis, keepdims=keepdim, correction=correction)


@on_tensor
def std(
    input: Tensor,
    dim: Dim = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The square root of `var`.

    Examples
    --------
    >>> import qrs
    >>> qrs.std(qrs.tensor([1.0, 3.0]), unbiased=False)
    tensor(1.)
    """
    axis, correction = _spread_arguments("std", input, dim, unbiased, correction)
    return apply(rules.STD, input, axis=axis, keepdims=keepdim, correction=correction)


@on_tensor
def var_mean(
    input: Tensor, dim: Dim = None, unbiased: bool = True, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """`var` and `mean` together.

    Examples
    --------
    >>> import qrs
    >>> qrs.var_mean(qrs.tensor([1.0, 3.0]))
    (tensor(2.), tensor(2.))
    """
    return var(input, dim, unbiased, keepdim), mean(input, dim, keepdim)


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
        None: a tensor of one element. An int: values and indices along that dimension. A tensor: as `maximum`.
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


@on_tensor
def count_nonzero(input: Tensor, dim: Dim = None) -> Tensor:
    """The number of elements that are not zero.

    Examples
    --------
    >>> import qrs
    >>> qrs.count_nonzero(qrs.tensor([0.0, 1.0, 2.0]))
    tensor(2)
    """
    axis = normalized("count_nonzero", dim, input._array.ndim)
    return wrap(np.count_nonzero(input._array, axis=axis))


@on_tensor
def norm(
    input: Tensor, p: float | str = "fro", dim: Dim = None, keepdim: bool = False
) -> Tensor:
    """`sum(|x| ** p) ** (1 / p)`, the vector norm over the given dimensions.

    Parameters
    ----------
    input : Tensor of a float type
    p : float or "fro"
        "fro" is 2; `inf` and `-inf` give the largest and smallest |x|, 0 the number of nonzero elements.
    dim, keepdim
        See the module.

    Examples
    --------
    >>> import qrs
    >>> qrs.norm(qrs.tensor([3.0, 4.0]))
    tensor(5.)
    """
    _floats("norm", input)
    if isinstance(p, str):
        if p not in ("fro", "inf", "-inf"):
            raise ValueError(f"norm: p {p!r} came, a number or 'fro' was expected")
        p = 2.0 if p == "fro" else math.inf if p == "inf" else -math.inf
    axis = normalized("norm", dim, input._array.ndim)
    return apply(rules.NORM, input, axis=axis, keepdims=keepdim, p=float(p))


@on_tensor
def cumsum(input: Tensor, dim: int, *, dtype: Dtype | None = None) -> Tensor:
    """The running sum along a dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.cumsum(qrs.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    return _running("cumsum", rules.CUMSUM, _cast(input, dtype), dim)


@on_tensor
def cumprod(input: Tensor, dim: int, *, dtype: Dtype | None = None) -> Tensor:
    """The running product along a dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.cumprod(qrs.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.])
    """
    return _running("cumprod", rules.CUMPROD, _cast(input, dtype), dim)


def _running(where: str, primitive: Any, input: Tensor, dim: int) -> Tensor:
    axis = normalized_one(where, dim, input._array.ndim)
    if input._array.ndim == 0:
        return apply(primitive, input.reshape(1), axis=0).reshape(())
    return apply(primitive, input, axis=axis)


@on_tensor
def logsumexp(input: Tensor, dim: Dim, keepdim: bool = False) -> Tensor:
    """`log(sum(exp(x)))`, without overflow.

    Examples
    --------
    >>> import qrs
    >>> qrs.logsumexp(qrs.tensor([100.0, 100.0]), 0)
    tensor(100.6931)
    """
    axis = normalized("logsumexp", dim, input._array.ndim)
    return apply(rules.LOGSUMEXP, input, axis=axis, keepdims=keepdim)


@on_tensor
def softmax(input: Tensor, dim: int, dtype: Dtype | None = None) -> Tensor:
    """`exp(x) / sum(exp(x))` along a dimension.

    Examples
    --------
    >>> import qrs
    >>> qrs.softmax(qrs.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return _running("softmax", rules.SOFTMAX, _cast(input, dtype), dim)


@on_tensor
def log_softmax(input: Tensor, dim: int, dtype: Dtype | None = None) -> Tensor:
    """The logarithm of `softmax`, computed without forming it.

    Examples
    --------
    >>> import qrs
    >>> qrs.log_softmax(qrs.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    return _running("log_softmax", rules.LOG_SOFTMAX, _cast(input, dtype), dim)
