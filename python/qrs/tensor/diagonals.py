"""Diagonals of matrices, and the parts on either side of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qrs.autograd.rules import shape as rules
from qrs.errors import ShapeError
from qrs.tensor.core import apply, on_tensor, wrap

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = ["diag", "diagonal", "tril", "triu"]


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
