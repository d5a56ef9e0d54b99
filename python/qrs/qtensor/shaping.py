"""Changes of shape and order. The integers move as those of a plain tensor; the scales follow.

With a scale for each channel, the same change is made to an array of channel numbers. Where the
result still depends on one axis only, that is the new axis, and the numbers along it say which
scale stands where. So slicing, flipping, repeating and permuting keep the right scales, and a
change after which no axis owns the scales is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

import numpy as np

from qrs.qtensor.core import Array, QuantizedBase
from qrs.qtensor.qparams import PerChannel, PerTensor, QParams
from qrs.tensor import Tensor
from qrs.tensor.core import flat_shape

__all__ = ["ShapeMethods", "located"]

Q = TypeVar("Q", bound="ShapeMethods")


def _one(name: str, like: str = "") -> Callable[..., Any]:
    """The method `name`, which gives one tensor as the method `like`, or `name`, of Tensor does."""
    plain = getattr(Tensor, like or name)

    def method(self: Q, *args: Any, **kwargs: Any) -> Q:
        return self._moved(name, lambda t: plain(t, *args, **kwargs))

    return _described(method, name, like)


def _several(name: str) -> Callable[..., Any]:
    """The method of Tensor called `name`, which gives several tensors."""
    plain = getattr(Tensor, name)

    def method(self: Q, *args: Any, **kwargs: Any) -> tuple[Q, ...]:
        parts = plain(self._plain(), *args, **kwargs)
        numbers = self._channel_numbers()
        channels = [None] * len(parts) if numbers is None else plain(numbers, *args, **kwargs)
        return tuple([self._placed(name, *pair) for pair in zip(parts, channels, strict=True)])

    return _described(method, name)


def _described(method: Callable[..., Any], name: str, like: str = "") -> Callable[..., Any]:
    method.__name__ = name
    method.__qualname__ = f"QTensor.{name}"
    method.__doc__ = (
        f"As `Tensor.{like or name}`; the quantization parameters follow their elements."
    )
    return method


class ShapeMethods(QuantizedBase):
    """Methods that move elements without changing them."""

    __slots__ = ()

    reshape = _one("reshape")
    reshape_as = _one("reshape_as")
    # Of tensors that do not change a copy is as good as a view, so no strides forbid one.
    view = _one("view", "reshape")
    view_as = _one("view_as", "reshape_as")
    unflatten = _one("unflatten")
    squeeze = _one("squeeze")
    unsqueeze = _one("unsqueeze")
    permute = _one("permute")
    transpose = _one("transpose")
    swapaxes = _one("swapaxes")
    movedim = _one("movedim")
    t = _one("t")
    expand = _one("expand")
    expand_as = _one("expand_as")
    broadcast_to = _one("broadcast_to")
    repeat = _one("repeat")
    repeat_interleave = _one("repeat_interleave")
    tile = _one("tile")
    flip = _one("flip")
    roll = _one("roll")
    narrow = _one("narrow")
    select = _one("select")
    diagonal = _one("diagonal")
    index_select = _one("index_select")
    masked_select = _one("masked_select")
    gather = _one("gather")
    contiguous = _one("contiguous")
    unfold = _one("unfold")
    as_strided = _one("as_strided")
    chunk = _several("chunk")
    split = _several("split")
    unbind = _several("unbind")

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """As `Tensor.flatten`; the quantization parameters follow their elements."""
        # Networks for images do this once. Through `_moved` it takes 30 us there: most of its code
        # and data have to come back into the caches, which the layers before have filled.
        if type(self._qparams) is PerTensor and self._shape is None:
            ints = self._ints.reshape(flat_shape(self._ints.shape, start_dim, end_dim))
            return self._wrap(ints, self._qparams, self._dtype)
        return self._moved("flatten", lambda t: t.flatten(start_dim, end_dim))

    @property
    def T(self) -> Self:  # noqa: N802 - PyTorch's name
        """The dimensions in reverse order."""
        return self._moved("T", lambda t: t.T)

    def __getitem__(self, index: Any) -> Self:
        return self._moved("indexing", lambda t: t[index])

    def __iter__(self) -> Iterator[Self]:
        return iter(self.unbind(0))

    def _moved(self, op: str, change: Callable[[Tensor], Tensor]) -> Self:
        """The tensor after `change`, which must move every kind of plain tensor in the same way."""
        numbers = self._channel_numbers()
        return self._placed(op, change(self._plain()), None if numbers is None else change(numbers))

    def _channel_numbers(self) -> Tensor | None:
        """For each element the number of its channel; None with one scale."""
        qparams = self._qparams
        if isinstance(qparams, PerTensor):
            return None
        numbers = qparams.broadcast(np.arange(qparams.scales.size), self.dim())
        # In order in memory, as `as_strided` takes them.
        return Tensor._wrap(np.broadcast_to(numbers, self.shape).copy())

    def _placed(self, op: str, ints: Tensor, numbers: Tensor | None) -> Self:
        """The tensor of moved integers, whose channels moved to `numbers`."""
        qparams = self._qparams
        if isinstance(qparams, PerChannel) and numbers is not None:
            found = located(qparams, numbers._array)
            if found is None:
                why = (
                    f"the scales of axis {qparams.axis} would not lie along one axis of the result"
                )
                self._refuse(op, why)
            qparams = found
        return self._make(ints._array, qparams, self._dtype)


def located(qparams: PerChannel, channels: Array) -> QParams | None:
    """The parameters of elements that belong to `channels`, if these depend on one axis only."""
    # The old axis comes first: where several would do, it stays.
    axes = sorted(range(channels.ndim), key=lambda axis: axis != qparams.axis)
    if channels.size == 0:
        return _located_in_nothing(qparams, axes, channels.shape)
    if (channels == channels.flat[0]).all():
        short = [axis for axis in axes if channels.shape[axis] == 1]
        only = channels.reshape(-1)[:1]
        if short:
            return qparams.take(only, short[0])
        if not qparams.scheme.has_float_qparams:
            return PerTensor(float(qparams.scales[only[0]]), int(qparams.zero_points[only[0]]))
    for axis in axes:
        along = np.moveaxis(channels, axis, -1)
        order = along[(0,) * (channels.ndim - 1)]
        if (along == order).all():
            return qparams.take(order, axis)
    return None


def _located_in_nothing(
    qparams: PerChannel, axes: list[int], shape: tuple[int, ...]
) -> PerChannel | None:
    """The parameters of a tensor without elements: any that have the right number."""
    count = qparams.scales.size
    for axis in axes:
        if shape[axis] in (0, count):
            return qparams.take(np.arange(shape[axis]), axis)
    return None
