"""Joining quantized tensors: `qrs.cat` and `qrs.stack`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qrs.errors import DtypeError
from qrs.qtensor.core import Array, quantized
from qrs.qtensor.qparams import PerChannel
from qrs.qtensor.shaping import ShapeMethods, located
from qrs.tensor import Tensor

__all__ = ["JoinMethods"]


class JoinMethods(ShapeMethods):
    """What the functions on several tensors call when the first one is quantized."""

    __slots__ = ()

    def _joined(
        self, where: str, tensors: Sequence[Any], dim: int, join: Callable[..., Tensor]
    ) -> Any:
        """`join`, which is `qrs.cat` or `qrs.stack`, on `tensors`, the first of which is this one.

        The result has the parameters of the first tensor; the others are quantized anew where
        theirs differ (PyTorch 1.8.1). Scales for each channel stay with their elements.
        """
        for i, item in enumerate(tensors):
            if not isinstance(item, JoinMethods) or item._dtype is not self._dtype:
                came = getattr(item, "dtype", type(item).__name__)
                raise DtypeError(
                    f"{where}: item {i} is {came}, expected {self._dtype!r} as the first item"
                )
        if any(isinstance(item._qparams, PerChannel) for item in tensors):
            return self._joined_channels(where, tensors, dim, join)
        ints = join([Tensor._wrap(item._as(self)) for item in tensors], dim)
        return self._like(ints._array)

    def _as(self, like: JoinMethods) -> Array:
        """The integers that stand for the same values under the parameters of `like`."""
        if self._qparams == like._qparams:
            return self._values()
        return quantized(self.dequantize()._array, like._qparams, like._dtype)

    def _joined_channels(
        self, where: str, tensors: Sequence[Any], dim: int, join: Callable[..., Tensor]
    ) -> Any:
        each = [item._qparams for item in tensors]
        own = each[0]
        if not all(isinstance(q, PerChannel) and q.scheme is own.scheme for q in each):
            self._refuse(where, "tensors with one scale and with a scale for each channel came")
        numbers = [item._channel_numbers() for item in tensors]
        if any(q != own for q in each):
            # Every tensor brings channels of its own: their numbers go on from those before.
            firsts = np.cumsum([0, *(q.scales.size for q in each[:-1])])
            numbers = [n + int(first) for n, first in zip(numbers, firsts, strict=True)]
            own = PerChannel(
                np.concatenate([q.scales for q in each]),
                np.concatenate([q.zero_points for q in each]),
                own.axis,
            )
        qparams = located(own, join(numbers, dim)._array)
        if qparams is None:
            self._refuse(where, "the scales of these tensors do not lie along one axis together")
        ints = join([item._plain() for item in tensors], dim)
        return self._make(ints._array, qparams, self._dtype)
