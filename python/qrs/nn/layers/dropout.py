"""Dropout layers: active in training, the identity otherwise."""

from __future__ import annotations

from typing import Any

from qrs.nn.functional import dropping as functions
from qrs.nn.module import Module

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"]


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(
                f"{type(self).__name__}: p {p} came, expected a probability from 0 to 1"
            )
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """List the probability."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zero elements with probability ``p`` and scale the others by ``1 / (1 - p)``.

    Parameters
    ----------
    p : float
    inplace : bool
        Overwrite the input.

    Raises
    ------
    ValueError
        If ``p`` is no probability.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Dropout(0.5).eval()(qrs.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Any) -> Any:
        """Drop elements of ``input``, any shape."""
        if not self.training:
            return input
        return functions.dropout(input, self.p, True, self.inplace)


class Dropout1d(_Dropout):
    """Zero whole channels of (N, C, L) or (C, L); arguments as `Dropout`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Dropout1d()(qrs.ones(2, 3, 4)).shape)
    (2, 3, 4)
    """

    def forward(self, input: Any) -> Any:
        """Drop channels of ``input``."""
        return functions.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Zero whole channels of (N, C, H, W) or (C, H, W); arguments as `Dropout`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Dropout2d()(qrs.ones(2, 3, 4, 4)).shape)
    (2, 3, 4, 4)
    """

    def forward(self, input: Any) -> Any:
        """Drop channels of ``input``."""
        return functions.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W); arguments as `Dropout`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Dropout3d()(qrs.ones(2, 3, 2, 2, 2)).shape)
    (2, 3, 2, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """Drop channels of ``input``."""
        return functions.dropout3d(input, self.p, self.training, self.inplace)
