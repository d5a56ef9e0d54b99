"""Leaving for Python, NumPy and other libraries; copies and pickles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from qrs.autograd.graph import Variable
from qrs.errors import DtypeError, GradientError, ShapeError
from qrs.tensor import joining
from qrs.tensor.core import array_of
from qrs.tensor.printing import format_tensor

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = ["Exchange"]


class Exchange(Variable):
    """How the elements of a tensor become Python numbers, arrays, text and bytes."""

    __slots__ = ()

    def item(self) -> Any:
        """The one element as a Python number."""
        if self._array.size != 1:
            raise ShapeError(
                f"item: a tensor of shape {self._array.shape} came, one element was expected; use "
                "tolist() for more"
            )
        return self._array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._array.tolist()

    def numpy(self) -> Any:
        """The array itself, sharing memory."""
        if self.requires_grad:
            raise GradientError(
                "numpy: a tensor that requires a gradient came, and the array would leave the "
                "graph; use detach().numpy()"
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        # (1, 0) is DLPack's number for the CPU.
        return (1, 0)

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ShapeError(
                f"bool: a tensor of shape {self._array.shape} came, only one element has a truth "
                "value; use any() or all()"
            )
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub":
            raise DtypeError(
                f"index: a tensor of {self._array.dtype} came, an integer one was expected"
            )
        return int(self.item())

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise DtypeError("len: a tensor without dimensions came, at least one was expected")
        return len(self._array)

    def __iter__(self: Any) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise DtypeError("iter: a tensor without dimensions came, at least one was expected")
        parts: tuple[Tensor, ...] = joining.unbind(self, 0)
        return iter(parts)

    def __contains__(self, value: Any) -> bool:
        return bool((self._array == array_of(value)).any())

    def __format__(self, spec: str) -> str:
        if spec and self._array.ndim == 0:
            return format(self._array.item(), spec)
        return format(repr(self), spec)

    def __repr__(self) -> str:
        meta = self._meta
        made_by = None if meta is None or meta.node is None else meta.node.name
        return format_tensor(self._array, self.requires_grad, made_by)

    def __dir__(self) -> list[str]:
        return sorted(set(object.__dir__(self)))

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Tensor:
        known: Tensor | None = memo.get(id(self))
        if known is not None:
            return known
        if not self.is_leaf:
            raise GradientError(
                "deepcopy: the result of a recorded operation came; copy detach() of it, or "
                "clone() it to stay in the graph"
            )
        copied: Tensor = type(self)._wrap(self._array.copy(), self.requires_grad)
        if self.grad is not None:
            copied.grad = self.grad.clone()
        memo[id(self)] = copied
        return copied

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        if not self.is_leaf:
            raise GradientError("pickle: the result of a recorded operation came; use detach()")
        return _rebuilt, (type(self), self._array, self.requires_grad)


def _rebuilt(cls: type[Tensor], array: Any, requires_grad: bool) -> Tensor:
    return cls._wrap(array, requires_grad)
