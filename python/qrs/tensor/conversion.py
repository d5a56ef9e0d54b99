"""Conversions from one element type to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from qrs import dtypes
from qrs.autograd.graph import Variable
from qrs.autograd.rules import elementwise
from qrs.dtypes import dtype as Dtype
from qrs.tensor import shaping
from qrs.tensor.core import apply
from qrs.tensor.creation import plain_dtype
from qrs.tensor.size import device as Device

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = ["Conversion"]


class Conversion(Variable):
    """`to` and the methods named after types; a tensor that has the type already is itself."""

    __slots__ = ()

    def to(self: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Converted to a dtype, the type of another tensor, or a device (the CPU)."""
        wanted = kwargs.get("dtype")
        for arg in (*args, kwargs.get("device")):
            if isinstance(arg, Dtype):
                wanted = arg
            elif isinstance(arg, Variable):
                wanted = dtypes.from_numpy_dtype(arg._array.dtype)
            elif isinstance(arg, (str, Device)):
                Device(arg)
        result: Tensor = self if wanted is None else self._cast(wanted)
        layout = kwargs.get("memory_format")
        if layout is not None:
            result = shaping.contiguous(result, layout)
        return shaping.clone(result) if kwargs.get("copy") and result is self else result

    def _cast(self: Any, dtype: Dtype) -> Tensor:
        wanted = plain_dtype("to", dtype)
        if self._array.dtype == wanted:
            same: Tensor = self
            return same
        return apply(elementwise.CAST, self, dtype=wanted)

    def type(self: Any, dtype: Dtype | None = None) -> Any:
        """The name of the type, or this tensor converted to another one."""
        return repr(self.dtype) if dtype is None else self._cast(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """Converted to the type of `other`."""
        return self._cast(other.dtype)

    def cpu(self) -> Self:
        """Itself."""
        return self

    def cuda(self, device: Any = None) -> Tensor:
        """Refuse, by `to`: the CPU is the only device.

        Raises
        ------
        ValueError
            Always.
        """
        return self.to(Device("cuda" if device is None else device))

    def dequantize(self) -> Self:
        """Itself: a float tensor holds its values as they are."""
        return self

    def float(self) -> Tensor:
        """Converted to float32."""
        return self._cast(dtypes.float32)

    def double(self) -> Tensor:
        """Converted to float64."""
        return self._cast(dtypes.float64)

    def half(self) -> Tensor:
        """Converted to float16."""
        return self._cast(dtypes.float16)

    def long(self) -> Tensor:
        """Converted to int64."""
        return self._cast(dtypes.int64)

    def int(self) -> Tensor:
        """Converted to int32."""
        return self._cast(dtypes.int32)

    def short(self) -> Tensor:
        """Converted to int16."""
        return self._cast(dtypes.int16)

    def char(self) -> Tensor:
        """Converted to int8."""
        return self._cast(dtypes.int8)

    def byte(self) -> Tensor:
        """Converted to uint8."""
        return self._cast(dtypes.uint8)

    def bool(self) -> Tensor:
        """Converted to bool: whether each element is nonzero."""
        return self._cast(dtypes.bool)
