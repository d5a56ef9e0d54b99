"""Products with a matrix that is stored as its transpose is used."""

from __future__ import annotations

import numpy as np

from qrs.autograd.arrays import Array

__all__ = ["times_transposed"]

# From two rows to so many the other order is faster.
_FEW = 32


def times_transposed(x: Array, weight: Array) -> Array:
    """``x @ weight.T``, shapes (M, K) and (N, K).

    BLAS copies all of a transposed matrix before it multiplies, which takes longer than the product
    with a few rows. ``weight @ x.T`` reads the matrix as it lies.

    Examples
    --------
    >>> times_transposed(np.ones((1, 2)), np.ones((3, 2)))
    array([[2., 2., 2.]])
    """
    if not 1 < len(x) <= _FEW:
        product: Array = x @ weight.T
        return product
    return np.ascontiguousarray((weight @ x.T).T, like=x)
