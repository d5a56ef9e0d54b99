"""Python's operators on tensors, the shortest way from an expression to a primitive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs.autograd.graph import Variable
from qrs.autograd.graph import wrap as _wrap
from qrs.autograd.primitive import Primitive
from qrs.autograd.rules import arithmetic, linalg
from qrs.tensor import comparison
from qrs.tensor.arithmetic import pow as power
from qrs.tensor.core import OPERANDS, Operand, apply, apply_in_place, array_of, wrap

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = ["Operators"]


def _forward(primitive: Primitive) -> Callable[[Any, Operand], Tensor]:
    """`self op other`. Two operands outside the graph skip `apply`, which takes twice as long."""
    compute = primitive.forward

    def operator(self: Any, other: Operand) -> Tensor:
        array: Any
        if isinstance(other, Variable):
            plain, array = other._meta is None, other._array
        elif isinstance(other, OPERANDS):
            plain, array = True, other
        else:
            return NotImplemented
        if plain and self._meta is None:
            try:
                result = compute(self._array, array)
            except (ValueError, TypeError, OverflowError):
                # The same failure again, this time with the words for it.
                return apply(primitive, self, other)
            made: Tensor = _wrap(result if type(result) is np.ndarray else np.asarray(result))
            return made
        return apply(primitive, self, other)

    return operator


def _reflected(primitive: Primitive) -> Callable[[Any, Operand], Tensor]:
    def operator(self: Any, other: Operand) -> Tensor:
        if isinstance(other, OPERANDS):
            return apply(primitive, other, self)
        return NotImplemented

    return operator


def _in_place(primitive: Primitive) -> Callable[[Any, Operand], Any]:
    def operator(self: Any, other: Operand) -> Any:
        if isinstance(other, OPERANDS):
            return apply_in_place(primitive, self, other)
        return NotImplemented

    return operator


def _compared(function: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        if isinstance(other, OPERANDS):
            return function(self, other)
        return NotImplemented

    return operator


def _bitwise(ufunc: np.ufunc) -> Callable[[Any, Operand], Tensor]:
    """An operation on the bits of integers, or on truth values; never recorded."""

    def operator(self: Any, other: Operand) -> Tensor:
        if isinstance(other, OPERANDS):
            return wrap(ufunc(self._array, array_of(other)))
        return NotImplemented

    return operator


class Operators(Variable):
    """The operators of `Tensor`."""

    __slots__ = ()

    __add__ = __radd__ = _forward(arithmetic.ADD)
    __sub__ = _forward(arithmetic.SUB)
    __rsub__ = _reflected(arithmetic.SUB)
    __mul__ = __rmul__ = _forward(arithmetic.MUL)
    __truediv__ = _forward(arithmetic.DIV)
    __rtruediv__ = _reflected(arithmetic.DIV)
    __floordiv__ = _forward(arithmetic.FLOOR_DIVIDE)
    __rfloordiv__ = _reflected(arithmetic.FLOOR_DIVIDE)
    __mod__ = _forward(arithmetic.REMAINDER)
    __rmod__ = _reflected(arithmetic.REMAINDER)
    __matmul__ = _forward(linalg.MATMUL)
    __rmatmul__ = _reflected(linalg.MATMUL)
    __rpow__ = _reflected(arithmetic.POW)

    __iadd__ = _in_place(arithmetic.ADD)
    __isub__ = _in_place(arithmetic.SUB)
    __imul__ = _in_place(arithmetic.MUL)
    __itruediv__ = _in_place(arithmetic.DIV)
    __ifloordiv__ = _in_place(arithmetic.FLOOR_DIVIDE)
    __imod__ = _in_place(arithmetic.REMAINDER)
    __ipow__ = _in_place(arithmetic.POW)

    __eq__ = _compared(comparison.eq)
    __ne__ = _compared(comparison.ne)
    __lt__ = _compared(comparison.lt)
    __le__ = _compared(comparison.le)
    __gt__ = _compared(comparison.gt)
    __ge__ = _compared(comparison.ge)
    # Comparing gives tensors, so tensors in sets and dicts go by identity.
    __hash__ = object.__hash__

    __and__ = __rand__ = _bitwise(np.bitwise_and)
    __or__ = __ror__ = _bitwise(np.bitwise_or)
    __xor__ = __rxor__ = _bitwise(np.bitwise_xor)
    __lshift__ = _bitwise(np.left_shift)
    __rshift__ = _bitwise(np.right_shift)

    def __pow__(self: Any, other: Operand) -> Tensor:
        return power(self, other) if isinstance(other, OPERANDS) else NotImplemented

    def __neg__(self: Any) -> Tensor:
        return apply(arithmetic.NEG, self)

    def __pos__(self: Any) -> Any:
        return self

    def __abs__(self: Any) -> Tensor:
        result: Tensor = self.abs()
        return result

    def __invert__(self: Any) -> Tensor:
        return wrap(np.invert(self._array))
