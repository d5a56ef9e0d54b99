"""In-place forms: each writes its result into the memory of its first argument and returns it.

A leaf that requires a gradient may only be changed under `no_grad`. The shape stays; a float result
does not go into an integer tensor. Both raise: GradientError, ShapeError, DtypeError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.graph import Variable
from qrs.autograd.mode import MODE
from qrs.autograd.primitive import Primitive
from qrs.autograd.rules import arithmetic, elementwise, indexing
from qrs.errors import GradientError
from qrs.tensor.core import Number, Operand, apply, apply_in_place, array_of
from qrs.tensor.elementwise import checked_mask
from qrs.tensor.random import Generator, generator_of

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = ["InPlace"]


def _binary(primitive: Primitive, what: str) -> Callable[[Any, Operand], Any]:
    def method(self: Any, other: Operand) -> Any:
        return apply_in_place(primitive, self, other)

    method.__doc__ = f"`{what}`, in place."
    return method


def _unary(primitive: Primitive) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        return apply_in_place(primitive, self)

    method.__doc__ = f"`{primitive.name}`, in place."
    return method


class InPlace(Variable):
    """The methods of a tensor whose names end with an underscore."""

    __slots__ = ()

    def add_(self: Any, other: Operand, *, alpha: Number = 1) -> Tensor:
        """`self += alpha * other`."""
        return apply_in_place(arithmetic.ADD, self, other if alpha == 1 else other * alpha)

    def sub_(self: Any, other: Operand, *, alpha: Number = 1) -> Tensor:
        """`self -= alpha * other`."""
        return apply_in_place(arithmetic.SUB, self, other if alpha == 1 else other * alpha)

    mul_ = _binary(arithmetic.MUL, "self * other")
    div_ = _binary(arithmetic.DIV, "self / other")
    pow_ = _binary(arithmetic.POW, "self ** other")
    floor_divide_ = _binary(arithmetic.FLOOR_DIVIDE, "self // other")
    remainder_ = _binary(arithmetic.REMAINDER, "self % other")
    fmod_ = _binary(arithmetic.FMOD, "fmod(self, other)")

    abs_ = _unary(elementwise.ABS)
    ceil_ = _unary(elementwise.CEIL)
    exp_ = _unary(elementwise.EXP)
    floor_ = _unary(elementwise.FLOOR)
    log_ = _unary(elementwise.LOG)
    neg_ = _unary(arithmetic.NEG)
    reciprocal_ = _unary(elementwise.RECIPROCAL)
    relu_ = _unary(elementwise.RELU)
    round_ = _unary(elementwise.ROUND)
    rsqrt_ = _unary(elementwise.RSQRT)
    sigmoid_ = _unary(elementwise.SIGMOID)
    sign_ = _unary(elementwise.SIGN)
    sqrt_ = _unary(elementwise.SQRT)
    square_ = _unary(elementwise.SQUARE)
    tanh_ = _unary(elementwise.TANH)
    trunc_ = _unary(elementwise.TRUNC)

    def clamp_(self: Any, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """`clamp`, in place."""
        if min is None and max is None:
            raise ValueError("clamp_: neither min nor max came, at least one of them was expected")
        return apply_in_place(elementwise.CLAMP, self, min, max)

    def clamp_min_(self: Any, min: Operand) -> Tensor:
        """`clamp_min`, in place."""
        return apply_in_place(elementwise.CLAMP, self, min, None)

    def clamp_max_(self: Any, max: Operand) -> Tensor:
        """`clamp_max`, in place."""
        return apply_in_place(elementwise.CLAMP, self, None, max)

    def addcmul_(self: Any, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """`self += value * tensor1 * tensor2`."""
        return apply_in_place(arithmetic.ADD, self, tensor1 * tensor2 * value)

    def addcdiv_(self: Any, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """`self += value * tensor1 / tensor2`."""
        return apply_in_place(arithmetic.ADD, self, tensor1 / tensor2 * value)

    def lerp_(self: Any, end: Tensor, weight: Operand) -> Tensor:
        """`self += weight * (end - self)`."""
        return apply_in_place(arithmetic.ADD, self, (end - self) * weight)

    def copy_(self: Any, src: Operand) -> Tensor:
        """The elements of `src`, broadcast and converted to this type."""
        array = array_of(src)
        if isinstance(array, np.ndarray) and array.dtype != self._array.dtype:
            src = apply(elementwise.CAST, src, dtype=self._array.dtype)
        return apply_in_place(elementwise.FILL, self, src)

    def fill_(self: Any, value: Operand) -> Tensor:
        """Every element set to `value`."""
        return apply_in_place(elementwise.FILL, self, value)

    def zero_(self: Any) -> Tensor:
        """Every element set to zero."""
        return apply_in_place(elementwise.FILL, self, 0)

    def masked_fill_(self: Any, mask: Tensor, value: Operand) -> Tensor:
        """`masked_fill`, in place."""
        return apply_in_place(indexing.MASKED_FILL, self, checked_mask("masked_fill_", mask), value)

    def scatter_(self: Any, dim: int, index: Tensor, src: Operand) -> Tensor:
        """`scatter`, in place."""
        axis = dim % max(self._array.ndim, 1)
        return apply_in_place(indexing.SCATTER, self, array_of(index), src, axis=axis)

    def scatter_add_(self: Any, dim: int, index: Tensor, src: Tensor) -> Tensor:
        """`scatter_add`, in place."""
        axis = dim % max(self._array.ndim, 1)
        return apply_in_place(indexing.SCATTER_ADD, self, array_of(index), src, axis=axis)

    def index_add_(self: Any, dim: int, index: Tensor, source: Tensor) -> Tensor:
        """`index_add`, in place."""
        axis = dim % max(self._array.ndim, 1)
        return apply_in_place(indexing.INDEX_ADD, self, array_of(index), source, axis=axis)

    def _refilled(
        self: Any, where: str, draw: Callable[[np.random.Generator], Any], generator: Any
    ) -> Any:
        """Random numbers in place of all elements, outside the graph."""
        if MODE.enabled and self.requires_grad:
            raise GradientError(
                f"{where}: a tensor that requires a gradient came; fill it under no_grad()"
            )
        self._array[...] = draw(generator_of(generator))
        self._version_counter().count += 1
        return self

    def normal_(
        self: Any, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Numbers of the normal distribution."""
        shape = self._array.shape
        result: Tensor = self._refilled("normal_", lambda r: r.normal(mean, std, shape), generator)
        return result

    def uniform_(
        self: Any, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Numbers of the uniform distribution over [a, b)."""
        shape = self._array.shape
        result: Tensor = self._refilled("uniform_", lambda r: r.uniform(a, b, shape), generator)
        return result

    def bernoulli_(self: Any, p: float = 0.5, *, generator: Generator | None = None) -> Tensor:
        """1 with probability `p`, else 0."""
        shape = self._array.shape
        result: Tensor = self._refilled("bernoulli_", lambda r: r.random(shape) < p, generator)
        return result

    def random_(self: Any, low: int, high: int, *, generator: Generator | None = None) -> Tensor:
        """Integers of [low, high)."""
        shape = self._array.shape
        result: Tensor = self._refilled(
            "random_", lambda r: r.integers(low, high, shape), generator
        )
        return result

    def squeeze_(self: Any, dim: int | None = None) -> Tensor:
        """`squeeze`, in place: the tensor keeps its elements and loses dimensions of extent 1."""
        result: Tensor = self._become(self.squeeze(dim))
        return result

    def unsqueeze_(self: Any, dim: int) -> Tensor:
        """`unsqueeze`, in place."""
        result: Tensor = self._become(self.unsqueeze(dim))
        return result

    def transpose_(self: Any, dim0: int, dim1: int) -> Tensor:
        """`transpose`, in place."""
        result: Tensor = self._become(self.transpose(dim0, dim1))
        return result

    def t_(self: Any) -> Tensor:
        """`t`, in place."""
        result: Tensor = self._become(self.t())
        return result

    def _become(self: Any, view: Tensor) -> Any:
        """Take over the array and the history of a view of this tensor."""
        if MODE.enabled and self.requires_grad and self.is_leaf:
            raise GradientError(
                "an in-place change of shape: a leaf that requires a gradient came; use the form "
                "that returns a new tensor"
            )
        self._array = view._array
        # Views made of the old shape, and the view that this one may be, cannot be made again.
        self._version_counter().recorded += 1
        if self._view is not None:
            self._view.primitive = None
            self._view.stamp += 1
        if view._meta is not None:
            self._meta = view._meta
        return self
