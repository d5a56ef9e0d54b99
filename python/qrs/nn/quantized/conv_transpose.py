"""Statically quantized transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from qrs._kernels import PackedConv
from qrs.nn.layers import conv as floats
from qrs.nn.layers.conv_settings import Ints
from qrs.nn.quantized.conv import QuantizedConv, taps_of, three
from qrs.nn.quantized.images import TO_FIRST, TO_LAST
from qrs.nn.quantized.weights import kernel_params
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

Array = np.ndarray[Any, np.dtype[Any]]


def _pack(weight: QTensor, bias: Tensor | None, dilation: Sequence[int], groups: int) -> PackedConv:
    """The plain convolution that gives the transposed one, on an input that is spread out."""
    ints = weight.int_repr()._array
    inputs, outputs, *kernel = ints.shape
    # In every group inputs and outputs change places, and the kernel is turned around.
    parts = ints.reshape(groups, inputs // groups, outputs, *kernel).swapaxes(1, 2)
    turned = np.flip(parts, tuple(range(3, parts.ndim)))
    scales, zero_points = kernel_params(weight, 1)
    return PackedConv(
        taps_of(turned.reshape(groups * outputs, inputs // groups, *kernel)),
        np.tile(scales, groups) if scales.size > 1 else scales,
        None if zero_points is None else np.tile(zero_points, groups),
        None if bias is None else bias._array,
        (1, 1, 1),
        (0, 0, 0),
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
        self._packed = _pack(self.weight(), self.bias(), self.dilation, self.groups)

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
        return self._run(x, self._spread(x, self._output_padding(input, output_size)))

    def _spread(self, x: QTensor, extra: Sequence[int]) -> Array:
        """The integers, `stride` apart, with zeros between and around."""
        shape = list(x._ints.shape)
        cut: list[Any] = [...]
        place: list[Any] = [...]
        for axis in range(self.rank):
            n, step = shape[axis - self.rank], self.stride[axis]
            reach = self.dilation[axis] * (self.kernel_size[axis] - 1)
            before = reach - int(self.padding[axis])
            after = before + extra[axis]
            size = (n - 1) * step + 1
            # A negative border cuts what was spread out.
            shape[axis - self.rank] = max(before, 0) + size + max(after, 0)
            place.append(slice(max(before, 0), max(before, 0) + size, step))
            cut.append(slice(max(-before, 0), shape[axis - self.rank] - max(-after, 0)))
        last = [shape[axis] for axis in TO_LAST[self.rank]]
        spread = np.full(last, x.q_zero_point(), x._ints.dtype).transpose(TO_FIRST[self.rank])
        spread[tuple(place)] = x._ints
        out: Array = spread[tuple(cut)]
        return out


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
