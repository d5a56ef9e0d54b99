"""Settings of convolutions, which float and quantized layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qrs.errors import ShapeError
from qrs.nn.functional.windows import to_tuple
from qrs.nn.module import Module

__all__ = ["ConvSettings", "Ints"]

Ints = int | Sequence[int]
_MODES = ("zeros", "reflect", "replicate", "circular")


class ConvSettings(Module):
    """Settings of all convolutions, float and quantized."""

    rank = 0
    transposed = False

    def _init_settings(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints,
        padding: Ints | str,
        dilation: Ints,
        output_padding: Ints,
        groups: int,
        padding_mode: str,
    ) -> None:
        name, rank = self._get_name(), self.rank
        channels = in_channels, out_channels
        if min(*channels, groups) < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: in_channels {in_channels}, out_channels {out_channels} came, expected "
                f"positive multiples of groups {groups}"
            )
        modes = _MODES[:1] if self.transposed else _MODES
        if padding_mode not in modes:
            raise ValueError(
                f"{name}: padding_mode {padding_mode!r} came, expected one of {', '.join(modes)}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = to_tuple(kernel_size, rank, name, "kernel_size")
        self.stride = to_tuple(stride, rank, name, "stride")
        self.padding: tuple[int, ...] | str = (
            padding if isinstance(padding, str) else to_tuple(padding, rank, name, "padding")
        )
        self.dilation = to_tuple(dilation, rank, name, "dilation")
        self.output_padding = to_tuple(output_padding, rank, name, "output_padding")
        self.groups = groups
        self.padding_mode = padding_mode
        if isinstance(padding, str):
            self._check_named_padding(padding)

    def _check_named_padding(self, padding: str) -> None:
        name = self._get_name()
        if padding not in ("same", "valid") or self.transposed:
            raise ValueError(
                f"{name}: padding {padding!r} came, expected numbers"
                + ("" if self.transposed else ", 'same' or 'valid'")
            )
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError(
                f"{name}: padding 'same' came with stride {self.stride}, expected stride 1"
            )

    def _padding_around(self) -> list[int]:
        """Return the padding as `pad` takes it: two numbers per axis, the last axis first."""
        if self.padding == "valid":
            return [0] * (2 * self.rank)
        sides = []
        for axis in reversed(range(self.rank)):
            if self.padding == "same":
                total = self.dilation[axis] * (self.kernel_size[axis] - 1)
                sides += [total // 2, total - total // 2]
            else:
                sides += [int(self.padding[axis])] * 2
        return sides

    def _output_padding(self, input: Any, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """Return the output padding that gives the wanted spatial size."""
        if output_size is None:
            return self.output_padding
        wanted = tuple(output_size)[-self.rank :]
        small = tuple(input.shape[-self.rank :])
        extra = []
        for axis, (size, n) in enumerate(zip(wanted, small, strict=True)):
            reach = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
            least = (n - 1) * self.stride[axis] - 2 * int(self.padding[axis]) + reach
            if not least <= size < least + self.stride[axis]:
                raise ShapeError(
                    f"{self._get_name()}: output_size {wanted} came for an input of shape "
                    f"{tuple(input.shape)}, expected {least} to {least + self.stride[axis] - 1} "
                    f"in spatial axis {axis}"
                )
            extra.append(size - least)
        return tuple(extra)

    def _weight_shape(self) -> tuple[int, ...]:
        outer, inner = self.out_channels, self.in_channels
        if self.transposed:
            outer, inner = inner, outer
        return (outer, inner // self.groups, *self.kernel_size)

    def _describe(self, has_bias: bool, quantization: str = "") -> str:
        """List sizes, quantization, and what differs from the defaults."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}{quantization}"
        )
        for name, default in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (default,) * self.rank:
                text += f", {name}={value}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if not has_bias:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text
