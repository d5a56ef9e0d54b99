"""Statically quantized transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from qrs._kernels import PackedConvTranspose
from qrs.nn.layers import conv as floats
from qrs.nn.layers.conv_settings import Ints
from qrs.nn.quantized.conv import QuantizedConv, taps_of, three
from qrs.nn.quantized.weights import kernel_params
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


def _pack(
    weight: QTensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> PackedConvTranspose:
    """A weight, shape (C, O / groups, *K), and bias as the kernels read them."""
    ints = weight.int_repr()._array
    inputs, outputs, *kernel = ints.shape
    # In every group inputs and outputs change places.
    parts = ints.reshape(groups, inputs // groups, outputs, *kernel).swapaxes(1, 2)
    scales, zero_points = kernel_params(weight, 1)
    return PackedConvTranspose(
        taps_of(parts.reshape(groups * outputs, inputs // groups, *kernel)),
        np.tile(scales, groups) if scales.size > 1 else scales,
        None if zero_points is None else np.tile(zero_points, groups),
        None if bias is None else bias._array,
        three(stride, 1),
        three(padding, 0),
        three(dilation, 1),
        groups,
    )


class _ConvTranspose(QuantizedConv):
    transposed = True
    channel_axis = 1

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
        super().__init__()
        self._init_conv(
            (
                in_channels,
                out_channels,
                kernel_size,
                stride,
                padding,
                dilation,
                output_padding,
                groups,
                padding_mode,
            ),
            bias,
        )

    @classmethod
    def _like(cls, mod: Any) -> Self:
        return cls(
            mod.in_channels,
            mod.out_channels,
            mod.kernel_size,
            mod.stride,
            mod.padding,
            mod.output_padding,
            mod.groups,
            mod.bias is not None,
            mod.dilation,
        )

    def _pack(self) -> None:
        # Numbers alone: `ConvSettings` has refused a padding that is named.
        padding = [int(p) for p in self.padding]
        self._packed = _pack(
            self.weight(), self.bias(), self.stride, padding, self.dilation, self.groups
        )

    def forward(self, input: Any, output_size: Sequence[int] | None = None) -> QTensor:
        """Apply the layer.

        Parameters
        ----------
        input : QTensor, quint8 (or qint8, if calibrated so), shape (N, C, *S) or (C, *S)
        output_size : sequence of int, optional
            Choose the output padding so that the output has this spatial size.

        Returns
        -------
        QTensor, of the same type, shape (N, O, *S') or (O, *S')

        Raises
        ------
        DtypeError, ShapeError
            If the arguments do not fit the layer.
        """
        x = self._checked(input)
        if x._ints.ndim != self.rank + 2:
            return self._unbatched(x, output_size=output_size)
        return self._run(x, x._ints, three(self._output_padding(input, output_size), 0))


class ConvTranspose1d(_ConvTranspose):
    """A transposed convolution over one spatial axis; see `ConvTranspose2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(2, 3, 6), 0.1, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.ConvTranspose1d(3, 4, 3)(x).shape)
    (2, 4, 8)
    """

    rank = 1
    float_class = floats.ConvTranspose1d


class ConvTranspose2d(_ConvTranspose):
    """A transposed convolution of images from quantized inputs to quantized outputs.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation,
    padding_mode
        As `nn.ConvTranspose2d`.

    Attributes
    ----------
    scale, zero_point : float, int
        Of the output; see `QuantizedOutput`.
    engine : str
        The numeric profile, that of `qrs.backends.quantized.engine` when the layer was made.

    Raises
    ------
    ValueError, ShapeError
        If the arguments do not fit together.

    Notes
    -----
    The formula is that of `Linear`. A weight may have a scale for each output channel, which is its
    axis 1.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(2, 3, 4, 4), 0.1, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.ConvTranspose2d(3, 4, 2, stride=2)(x).shape)
    (2, 4, 8, 8)
    """

    rank = 2
    float_class = floats.ConvTranspose2d


class ConvTranspose3d(_ConvTranspose):
    """A transposed convolution over three spatial axes; see `ConvTranspose2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 3, 2, 2, 2), 0.1, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.ConvTranspose3d(3, 4, 2)(x).shape)
    (1, 4, 3, 3, 3)
    """

    rank = 3
    float_class = floats.ConvTranspose3d
