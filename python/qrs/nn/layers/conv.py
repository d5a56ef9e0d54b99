"""Convolution layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qrs.nn import init
from qrs.nn.functional import conv as functions
from qrs.nn.functional.padding import pad
from qrs.nn.layers.conv_settings import ConvSettings, Ints
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


class _ConvNd(ConvSettings):
    """Parameters and printing of float convolutions."""

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
        self._init_settings(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            padding_mode,
        )
        self.weight = Parameter(empty(*self._weight_shape()))
        self.register_parameter("bias", Parameter(empty(out_channels)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias evenly from (-1/sqrt(fan_in), 1/sqrt(fan_in))."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = init._calculate_fan_in_and_fan_out(self.weight)[0]
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """List sizes, and what differs from the defaults."""
        return self._describe(self.bias is not None)


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
        return self._conv_forward(input, self.weight, self.bias)


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
