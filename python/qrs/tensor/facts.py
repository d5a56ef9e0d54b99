"""What a tensor says about itself: shape, type, place in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qrs import dtypes
from qrs.autograd.graph import Variable
from qrs.dtypes import dtype as Dtype
from qrs.errors import ShapeError
from qrs.tensor import shaping
from qrs.tensor.size import Size, channels_last, contiguous_format, memory_format
from qrs.tensor.size import device as Device

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = ["Facts"]

_CPU = Device("cpu")


class Facts(Variable):
    """The properties of a tensor that are not its elements."""

    __slots__ = ()

    @property
    def shape(self) -> Size:
        """The extent of each dimension."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> Dtype:
        """The type of the elements."""
        return dtypes.from_numpy_dtype(self._array.dtype)

    @property
    def device(self) -> Device:
        """Always the CPU."""
        return _CPU

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self._node is None

    @property
    def grad_fn(self) -> Any:
        """The recorded operation that made it, or None."""
        return self._node

    @property
    def is_quantized(self) -> bool:
        """False: quantized tensors are `QTensor`."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Always False."""
        return False

    @property
    def itemsize(self) -> int:
        """Bytes in an element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes in all elements."""
        return self._array.nbytes

    @property
    def T(self: Any) -> Tensor:  # noqa: N802 (PyTorch's name)
        """All dimensions in reverse order, a view."""
        return shaping.permute(self, tuple(range(self._array.ndim))[::-1])

    @property
    def mT(self: Any) -> Tensor:  # noqa: N802 (PyTorch's name)
        """The last two dimensions exchanged, a view."""
        return shaping.transpose(self, -2, -1)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the extent of one dimension."""
        if dim is None:
            return Size(self._array.shape)
        try:
            return self._array.shape[dim]
        except IndexError:
            raise ShapeError(
                f"size: dim {dim} came for a tensor of {self._array.ndim} dimensions"
            ) from None

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    nelement = numel
    ndimension = dim

    def element_size(self) -> int:
        """Bytes in an element."""
        return self._array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Elements between neighbours along each dimension, or one."""
        steps = tuple([s // self._array.itemsize for s in self._array.strides])
        return steps if dim is None else steps[dim]

    def is_contiguous(self, memory_format: memory_format = contiguous_format) -> bool:
        """Whether the elements lie in memory in order."""
        array = self._array
        if memory_format == channels_last:
            return array.ndim == 4 and bool(array.transpose(0, 2, 3, 1).flags.c_contiguous)
        return bool(array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        """Whether the type is a float type."""
        return self._array.dtype.kind == "f"
