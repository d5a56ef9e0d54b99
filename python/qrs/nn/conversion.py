"""Changing dtypes and gradients of a whole tree of modules: one part of `Module`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import float16, float32, float64
from qrs.errors import DtypeError
from qrs.nn.parameter import Parameter
from qrs.nn.traversal import TraversalMixin
from qrs.tensor import Tensor, device

__all__ = ["ConversionMixin"]


class ConversionMixin(TraversalMixin):
    """The methods of `Module` that change its parameters and buffers."""

    if TYPE_CHECKING:
        _parameters: dict[str, Parameter | None]
        _buffers: dict[str, Any]

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Switch gradients of all parameters on or off; returns the module."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Parameters
        ----------
        set_to_none : bool
            Drop the gradients; False keeps the tensors and fills them with zeros.
        """
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad.detach_()
                param.grad.zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Self:
        """Replace the data of every parameter and buffer by ``fn`` of it; identities stay."""
        for child in self.children():
            child._apply(fn)
        for param in self._parameters.values():
            if param is not None:
                gradient = param.grad
                param.grad = None
                param.data = fn(param.data)
                if gradient is not None:
                    param.grad = fn(gradient.detach())
        for name, buffer in self._buffers.items():
            if isinstance(buffer, Tensor):
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert the floating-point parameters and buffers to a dtype; returns the module.

        Accepts what PyTorch's does: a dtype, a device (only the CPU exists), both, or a tensor
        whose dtype is taken.

        Raises
        ------
        DtypeError
            If the dtype is not a floating-point one.
        """
        wanted = kwargs.pop("dtype", None)
        kwargs.pop("non_blocking", None)
        if kwargs.get("device") is not None:
            device(kwargs["device"])
        for arg in args:
            if isinstance(arg, Dtype):
                wanted = arg
            elif isinstance(arg, Tensor):
                wanted = arg.dtype
            elif arg is not None and not isinstance(arg, bool):
                device(arg)
        if wanted is None:
            return self
        if not wanted.is_floating_point:
            raise DtypeError(
                f"{type(self).__name__}.to: dtype {wanted} came, expected float16, float32 or "
                "float64"
            )
        return self._apply(lambda t: t.to(wanted) if t.is_floating_point() else t)

    def cpu(self) -> Self:
        """Return the module: the CPU is the only device."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Refuse, by `to`: the CPU is the only device.

        Raises
        ------
        ValueError
            Always.
        """
        return self.to("cuda" if device is None else device)

    def float(self) -> Self:
        """Convert floating-point parameters and buffers to float32."""
        return self.to(float32)

    def double(self) -> Self:
        """Convert floating-point parameters and buffers to float64."""
        return self.to(float64)

    def half(self) -> Self:
        """Convert floating-point parameters and buffers to float16."""
        return self.to(float16)

    def type(self, dst_type: Dtype) -> Self:
        """Convert all parameters and buffers, integers too, to a dtype."""
        return self._apply(lambda t: t.to(dst_type))
