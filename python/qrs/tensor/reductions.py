"""Reductions along dimensions.

`dim` is an int, several ints or None for all dimensions, negative ones counted from the end;
`keepdim` keeps reduced dimensions with extent 1. A dimension out of range raises ShapeError.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.rules import elementwise
from qrs.autograd.rules import reduction as rules
from qrs.dtypes import dtype as Dtype
from qrs.errors import DtypeError
from qrs.tensor.core import Dim, apply, normalized, normalized_one, on_tensor, wrap

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "count_nonzero",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "mean",
    "norm",
    "prod",
    "softmax",
    "std",
    "sum",
    "var",
    "var_mean",
]


def _cast(input: Tensor, dtype: Dtype | None) -> Tensor:
    if dtype is None or dtype.numpy == input._array.dtype:
        return input
    return apply(elementwise.CAST, input, dtype=dtype.numpy)


def _floats(where: str, input: Tensor) -> None:
    if input._array.dtype.kind != "f":
        raise DtypeError(
            f"{where}: a tensor of {input._array.dtype} came, a float type was expected; convert "
            "it with float()"
        )


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
def norm(input: Tensor, p: float | str = "fro", dim: Dim = None, keepdim: bool = False) -> Tensor:
    """`sum(|x| ** p) ** (1 / p)`, the vector norm over the given dimensions.

    Parameters
    ----------
    input : Tensor of a float type
    p : float or "fro"
        "fro" is 2; `inf` and `-inf` give the largest and smallest |x|, 0 the number of nonzero
        elements.
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
