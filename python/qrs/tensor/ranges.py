"""New tensors of numbers at equal distances, and the identity matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qrs import dtypes
from qrs.dtypes import dtype as Dtype
from qrs.tensor.core import scalar_of
from qrs.tensor.creation import made, plain_dtype

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = ["arange", "eye", "linspace", "logspace"]


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from `start` (0 if only one is given) up to but not including `end`.

    Examples
    --------
    >>> import qrs
    >>> qrs.arange(1, 4)
    tensor([1, 2, 3])
    """
    start, end, step = scalar_of(start), scalar_of(end), scalar_of(step)
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("arange: step 0 came, another number was expected")
    if dtype is None and not any(isinstance(v, float) for v in (start, end, step)):
        dtype = dtypes.int64
    array = np.arange(start, end, step).astype(plain_dtype("arange", dtype))
    return made(array, requires_grad, device)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers at equal distances, both ends included.

    Examples
    --------
    >>> import qrs
    >>> qrs.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    array = np.linspace(scalar_of(start), scalar_of(end), steps)
    return made(array.astype(plain_dtype("linspace", dtype)), requires_grad, device)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: Dtype | None = None
) -> Tensor:
    """`base` to the powers of `linspace(start, end, steps)`.

    Examples
    --------
    >>> import qrs
    >>> qrs.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    array = np.logspace(scalar_of(start), scalar_of(end), steps, base=base)
    return made(array.astype(plain_dtype("logspace", dtype)), False)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The matrix with ones on its diagonal.

    Examples
    --------
    >>> import qrs
    >>> qrs.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return made(np.eye(n, m, dtype=plain_dtype("eye", dtype)), requires_grad, device)
