"""Statically quantized convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from qrs._kernels import PackedConv
from qrs.errors import ShapeError
from qrs.nn.functional.windows import to_tuple
from qrs.nn.layers import conv as floats
from qrs.nn.module import Module
from qrs.nn.quantized.images import channels_first, channels_last, padded
from qrs.nn.quantized.static import StaticLayer
from qrs.nn.quantized.weights import kernel_params
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvSettings", "pack_conv"]

Ints = int | Sequence[int]


def _three(numbers: Sequence[int], fill: int) -> tuple[int, ...]:
    """Depth, height and width of kernels and strides, of which the first may be missing."""
    return (fill,) * (3 - len(numbers)) + tuple(numbers)


def pack_conv(
    weight: QTensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> PackedConv:
    """A weight, shape (O, C / groups, *K), and bias as the kernels read them."""
    scales, zero_points = kernel_params(weight)
    ints = channels_last(weight.int_repr()._array)
    return PackedConv(
        np.ascontiguousarray(ints),
        scales,
        zero_points,
        None if bias is None else bias._array,
        _three(stride, 1),  # type: ignore[arg-type]
        _three(padding, 0),  # type: ignore[arg-type]
        _three(dilation, 1),  # type: ignore[arg-type]
        groups,
    )


class ConvSettings(StaticLayer):
    """Settings and printing of all quantized convolutions.

    A float convolution checks the settings and works out what they mean; it is not kept.
    """

    rank = 0
    _shown = (("padding", 0), ("dilation", 1), ("output_padding", 0))

    def _init_conv(self, settings: Any) -> None:
        """Take the settings of a float convolution."""
        self.in_channels: int = settings.in_channels
        self.out_channels: int = settings.out_channels
        self.kernel_size: tuple[int, ...] = settings.kernel_size
        self.stride: tuple[int, ...] = settings.stride
        self.padding: tuple[int, ...] | str = settings.padding
        self.dilation: tuple[int, ...] = settings.dilation
        self.output_padding: tuple[int, ...] = settings.output_padding
        self.groups: int = settings.groups
        self.padding_mode: str = settings.padding_mode
        bias = settings.bias is not None
        self._init_weights(tuple(settings.weight.shape), self.out_channels, bias)

    def _image(self, input: Any) -> QTensor:
        """The input, if it is quantized and has the right number of dimensions."""
        x = self._checked(input)
        if x._ints.ndim - self.rank not in (1, 2):
            axes = ("L", "HW", "DHW")[self.rank - 1]
            text = ", ".join(["C", *axes])
            raise ShapeError(
                f"{self._get_name()}: input of shape {tuple(x.shape)} came, expected (N, {text}) "
                f"or ({text})"
            )
        return x

    def extra_repr(self) -> str:
        """Sizes, quantization, and what differs from the defaults."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, {super().extra_repr()}"
        )
        for name, default in self._shown:
            value = getattr(self, name)
            if value != (default,) * self.rank:
                text += f", {name}={value}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias() is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text
