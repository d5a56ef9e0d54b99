"""The class of quantized tensors: comparisons, copies, printing, and what it refuses."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn, Self

import numpy as np

from qrs.dtypes import dtype
from qrs.errors import DtypeError
from qrs.qtensor.core import Array
from qrs.qtensor.joining import JoinMethods
from qrs.qtensor.printing import format_quantized
from qrs.qtensor.qparams import QParams
from qrs.qtensor.reducing import ReduceMethods
from qrs.tensor import Tensor
from qrs.tensor import device as _device

__all__ = ["QTensor"]


class NoSuchOperationError(DtypeError, AttributeError):
    """A method of Tensor was called on a quantized tensor, which has none of that name."""


def _compared(name: str) -> Callable[[QTensor, Any], Any]:
    compare = getattr(operator, name)

    def method(self: QTensor, other: Any) -> Any:
        values = other.dequantize() if isinstance(other, QTensor) else other
        if not isinstance(values, (Tensor, np.ndarray, int, float)):
            return NotImplemented
        return compare(self.dequantize(), values)

    method.__name__ = f"__{name}__"
    method.__doc__ = f"Element-wise comparison of the values, as `Tensor.__{name}__`."
    return method


def _refused(symbol: str, instead: str = "") -> Callable[..., NoReturn]:
    """A method that raises, and names the methods of `FloatFunctional` to use."""
    advice = "dequantize() first"
    if instead:
        advice = (
            f"use {instead} of a qrs.nn.quantized.FloatFunctional() that __init__ makes, or "
            "dequantize() first"
        )

    def method(_self: QTensor, *_others: Any) -> NoReturn:
        raise DtypeError(
            f"{symbol}: a quantized tensor came, whose result would need a scale of its own; "
            f"{advice}"
        )

    return method


class QTensor(JoinMethods, ReduceMethods):
    """Integers that stand for real numbers: `value = scale * (q - zero_point)`.

    Immutable; views share memory. There is one scale and zero point for the tensor, or one for each
    index of an axis. Made by `qrs.quantize_per_tensor`, `qrs.quantize_per_channel`, `from_ints`,
    and by quantized layers.

    Methods that move or select elements (`reshape`, `permute`, `x[...]`, `flip`, `topk`, ...), the
    comparisons and `relu`, `clamp`, `mean`, `sigmoid`, `tanh` are those of `Tensor`. Everything
    else needs `dequantize()` first.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[-1.0, 0.5]]), 0.1, 10, qrs.quint8)
    >>> x
    tensor([[-1.0000,  0.5000]], size=(1, 2), dtype=qrs.quint8,
           quantization_scheme=qrs.per_tensor_affine, scale=0.1, zero_point=10)
    >>> x.int_repr()
    tensor([[ 0, 15]], dtype=qrs.uint8)
    >>> x.t().shape
    qrs.Size([2, 1])
    """

    __slots__ = ()

    # NumPy's functions of arrays would compute on the values without a word.
    __array_ufunc__ = None

    eq = __eq__ = _compared("eq")
    ne = __ne__ = _compared("ne")
    lt = __lt__ = _compared("lt")
    le = __le__ = _compared("le")
    gt = __gt__ = _compared("gt")
    ge = __ge__ = _compared("ge")
    __hash__ = object.__hash__

    __add__ = __radd__ = _refused("+", "add or add_scalar")
    __mul__ = __rmul__ = _refused("*", "mul or mul_scalar")
    __sub__ = __rsub__ = _refused("-", "add and mul_scalar(y, -1), or add_scalar,")
    __truediv__ = __rtruediv__ = _refused("/", "mul_scalar")
    __matmul__ = __rmatmul__ = _refused("@", "matmul")
    __pow__ = __rpow__ = _refused("**", "mul")
    __neg__ = _refused("-", "mul_scalar")
    __abs__ = _refused("abs")
    add = _refused("add", "add or add_scalar")
    mul = _refused("mul", "mul or mul_scalar")
    sub = _refused("sub", "add and mul_scalar(y, -1), or add_scalar,")
    div = _refused("div", "mul_scalar")
    matmul = _refused("matmul", "matmul")

    def equal(self, other: Any) -> bool:
        """Whether two tensors have one type, the same parameters and equal integers.

        Examples
        --------
        >>> import qrs
        >>> x = qrs.quantize_per_tensor(qrs.ones(2), 0.1, 0, qrs.qint8)
        >>> y = qrs.quantize_per_tensor(qrs.ones(2), 0.2, 0, qrs.qint8)
        >>> x.equal(x.clone()), x.equal(y)
        (True, False)
        """
        return (
            isinstance(other, QTensor)
            and self._dtype is other._dtype
            and self.shape == other.shape
            and self._qparams == other._qparams
            and np.array_equal(self._ints, other._ints)
        )

    # ---- copies ----------------------------------------------------------------------------

    def clone(self, **_memory_format: Any) -> Self:
        """Another tensor with the same integers, which nothing can change."""
        return self._rebuilt()

    def detach(self) -> Self:
        """Itself: quantized tensors have no gradient."""
        return self

    def _rebuilt(self) -> Self:
        other = self._wrap(self._ints, self._qparams, self._dtype)
        other._shape = self._shape
        return other

    def __copy__(self) -> Self:
        return self._rebuilt()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._rebuilt()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._ints, self._qparams, self._dtype, self._shape)

    # ---- places and types ------------------------------------------------------------------

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Itself on the CPU; another type is refused.

        Raises
        ------
        DtypeError
            For another type: `dequantize()` gives float32, `int_repr()` the integers.
        """
        for value in (*args, *kwargs.values()):
            if isinstance(value, dtype) and value is not self._dtype:
                self._refuse("to", f"{value!r} came for a tensor of {self._dtype!r}")
            if isinstance(value, (str, _device)):
                _device(value)
        return self

    def cpu(self) -> Self:
        """Itself."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Refuse, by `to`: the CPU is the only device.

        Raises
        ------
        ValueError
            Always.
        """
        return self.to(_device("cuda" if device is None else device))

    def type(self, dtype: dtype | None = None) -> Any:
        """The name of the type, or itself if it has the given one; another is refused."""
        return repr(self._dtype) if dtype is None else self.to(dtype)

    # ---- assignment and what else is missing -----------------------------------------------

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise DtypeError(
            "assignment: a quantized tensor came, which is immutable; assign to dequantize() and "
            "quantize the result"
        )

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_") and not name.startswith("_"):
            plain = hasattr(type(self), name[:-1])
            raise NoSuchOperationError(
                f"{name}: a quantized tensor came, which is immutable; "
                + ("use the form without the underscore" if plain else "make a new tensor")
            )
        if name.startswith("__") or not hasattr(Tensor, name):
            raise AttributeError(f"QTensor has no attribute {name!r}")
        # A function that reaches for the float data knows its own name only.
        where = "" if name.startswith("_") else f"{name}: "
        raise NoSuchOperationError(
            f"{where}a quantized tensor came, expected a float one; insert a DeQuantStub before, "
            "or call dequantize()"
        )

    def __repr__(self) -> str:
        return format_quantized(self)


def _restored(ints: Array, qparams: QParams, kind: dtype, shape: tuple[int, ...] | None) -> QTensor:
    result = QTensor._wrap(ints, qparams, kind)
    result._shape = shape
    return result
