"""Convolution layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qrs.errors import ShapeError
from qrs.nn import init
from qrs.nn.functional import conv as functions
from qrs.nn.functional.padding import pad
from qrs.nn.functional.windows import to_tuple
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor, empty

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]

Ints = int | Sequence[int]
_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """Settings, parameters and printing of all convolutions."""

    rank = 0
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints,
        padding: Ints | str,
        dilation: Ints,
        output_padding: Ints,
        groups: int,
        bias: bool,
        padding_mode: str,
    ) -> None:
        super().__init__()
        name, rank = type(self).__name__, self.rank
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: in_channels {in_channels}, out_channels {out_channels} came, expected "
                f"multiples of groups {groups}"
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
        outer, inner = (
            (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        )
        self.weight = Parameter(empty(outer, inner // groups, *self.kernel_size))
        self.register_parameter("bias", Parameter(empty(out_channels)) if bias else None)
        self.reset_parameters()

    def _check_named_padding(self, padding: str) -> None:
        name = type(self).__name__
        if padding not in ("same", "valid") or self.transposed:
            raise ValueError(
                f"{name}: padding {padding!r} came, expected numbers"
                + ("" if self.transposed else ", 'same' or 'valid'")
            )
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError(
                f"{name}: padding 'same' came with stride {self.stride}, expected stride 1"
            )

    def reset_parameters(self) -> None:
        """Draw weight and bias evenly from (-1/sqrt(fan_in), 1/sqrt(fan_in))."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = init.fan_in_and_out(self.weight)[0]
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)

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

    def extra_repr(self) -> str:
        """List sizes, and what differs from the defaults."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        for name, default in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (default,) * self.rank:
                text += f", {name}={value}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Ints | str = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
        )

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with other parameters: quantization-aware layers pass fake-quantized ones."""
        function = (functions.conv1d, functions.conv2d, functions.conv3d)[self.rank - 1]
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad(input, self._padding_around(), self.padding_mode), 0
        return function(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``input``, shape (N, C, *S) or (C, *S)."""
        params = self._parameters
        return self._conv_forward(input, params["weight"], params["bias"])  # type: ignore[arg-type]


class Conv1d(_Conv):
    """Convolve over one spatial axis; parameters as `Conv2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Conv1d(3, 4, 3)(qrs.zeros(2, 3, 8)).shape)
    (2, 4, 6)
    """

    rank = 1


class Conv2d(_Conv):
    """Convolve images.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, dilation : int or sequence of int
    padding : int, sequence of int, "same" or "valid"
    groups : int
        Cut the channels into so many groups that do not see each other.
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}

    Attributes
    ----------
    weight : Parameter, float32, shape (O, C / groups, KH, KW)
    bias : Parameter, float32, shape (O,), or None

    Raises
    ------
    ValueError, ShapeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Conv2d(3, 4, 3, stride=2, padding=1)(qrs.zeros(2, 3, 8, 8)).shape)
    (2, 4, 4, 4)
    """

    rank = 2


class Conv3d(_Conv):
    """Convolve over three spatial axes; parameters as `Conv2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Conv3d(3, 4, 3)(qrs.zeros(2, 3, 4, 4, 4)).shape)
    (2, 4, 2, 2, 2)
    """

    rank = 3


class _ConvTranspose(_ConvNd):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
        )

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
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

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Apply the layer to ``input``, shape (N, C, *S) or (C, *S).

        Parameters
        ----------
        input : Tensor
        output_size : sequence of int, optional
            Choose the output padding so that the output has this spatial size.

        Returns
        -------
        Tensor

        Raises
        ------
        ShapeError, DtypeError
            If the arguments do not fit the layer.
        """
        function = (
            functions.conv_transpose1d,
            functions.conv_transpose2d,
            functions.conv_transpose3d,
        )[self.rank - 1]
        return function(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,  # type: ignore[arg-type]
            self._output_padding(input, output_size),
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_ConvTranspose):
    """Apply the transposed convolution over one spatial axis; parameters as `ConvTranspose2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ConvTranspose1d(3, 4, 3)(qrs.zeros(2, 3, 6)).shape)
    (2, 4, 8)
    """

    rank = 1


class ConvTranspose2d(_ConvTranspose):
    """Apply the transposed convolution to images.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, padding, dilation : int or sequence of int
        Those of the convolution that it transposes.
    output_padding : int or sequence of int
        Rows and columns that the convolution had left over.
    groups : int
    bias : bool
    padding_mode : {"zeros"}

    Attributes
    ----------
    weight : Parameter, float32, shape (C, O / groups, KH, KW)
    bias : Parameter, float32, shape (O,), or None

    Raises
    ------
    ValueError, ShapeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ConvTranspose2d(3, 4, 2, stride=2)(qrs.zeros(2, 3, 4, 4)).shape)
    (2, 4, 8, 8)
    """

    rank = 2


class ConvTranspose3d(_ConvTranspose):
    """Apply the transposed convolution over three spatial axes; parameters as `ConvTranspose2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ConvTranspose3d(3, 4, 2)(qrs.zeros(2, 3, 2, 2, 2)).shape)
    (2, 4, 3, 3, 3)
    """

    rank = 3
