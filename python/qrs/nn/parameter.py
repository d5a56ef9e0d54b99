"""`Parameter`: the tensor that a module registers and an optimizer updates."""

from __future__ import annotations

from typing import Self

import numpy as np

from qrs.tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that becomes part of ``module.parameters()`` when it is assigned to a module.

    Parameters
    ----------
    data : Tensor or None
        The values; shared, not copied. None makes an empty float32 tensor.
    requires_grad : bool
        Whether `backward` collects a gradient for it.

    Examples
    --------
    >>> import qrs
    >>> weight = qrs.nn.Parameter(qrs.ones(2))
    >>> weight
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    >>> (weight * 3).sum().backward()
    >>> weight.grad
    tensor([3., 3.])
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Self:
        """Share the memory of ``data``, outside of any graph."""
        array = np.empty(0, dtype=np.float32) if data is None else data.detach()._array
        return cls._wrap(array, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
