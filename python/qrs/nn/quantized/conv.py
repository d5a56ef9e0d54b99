"""Statically quantized convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from qrs._kernels import PackedConv
from qrs.errors import ShapeError
from qrs.nn.functional.padding import pad
from qrs.nn.functional.windows import check_images, check_numbers, check_output_padding
from qrs.nn.layers import conv as floats
from qrs.nn.layers.conv_settings import ConvSettings, Ints
from qrs.nn.quantized.images import TO_LAST
from qrs.nn.quantized.static import StaticLayer
from qrs.nn.quantized.weights import kernel_params
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Conv1d", "Conv2d", "Conv3d", "QuantizedConv", "pack_conv", "taps_of", "three"]


def three(numbers: Sequence[int], fill: int) -> tuple[int, int, int]:
    """Numbers for depth, height and width; those of missing axes are ``fill``."""
    d, h, w = (fill,) * (3 - len(numbers)) + tuple(numbers)
    return d, h, w


def taps_of(weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Integers of a weight, shape (O, C / groups, *K), as kernels take them: [O, D, H, W, C]."""
    last = weight.transpose(TO_LAST[weight.ndim - 2])
    taps = last.reshape(len(last), *three(last.shape[1:-1], 1), last.shape[-1])
    return np.ascontiguousarray(taps)


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
    return PackedConv(
        taps_of(weight.int_repr()._array),
        scales,
        zero_points,
        None if bias is None else bias._array,
        three(stride, 1),
        three(padding, 0),
        three(dilation, 1),
        groups,
    )


class QuantizedConv(StaticLayer, ConvSettings):
    """What all quantized convolutions share: settings, the check of inputs, printing."""

    def _init_conv(self, settings: tuple[Any, ...], bias: bool) -> None:
        self._init_settings(*settings)
        padding = (0,) if isinstance(self.padding, str) else self.padding
        name = self._get_name()
        check_numbers(name, self.kernel_size, self.stride, padding, self.dilation)
        check_output_padding(name, self.output_padding, self.stride, self.dilation)
        self._init_weights(self._weight_shape(), self.out_channels, bias)

    def _run(self, x: QTensor, ints: np.ndarray[Any, Any], *sizes: Any) -> QTensor:
        """The output for an input whose integers, (N, C, *S), may have been padded.

        ``sizes`` are what else the kernel has to know.
        """
        own: Any = x._qparams
        try:
            out = self._packed.quantized(ints, *sizes, own, self._output, self._span, self.engine)
        except ShapeError:
            check_images(self._get_name(), self.rank, x.shape, self.in_channels)
            raise
        return QTensor._wrap(out, self._output, self.output_dtype)

    def _unbatched(self, x: QTensor, **settings: Any) -> QTensor:
        """The output for one image (C, *S); the error if it is none."""
        check_images(self._get_name(), self.rank, x.shape, self.in_channels)
        y: QTensor = self.forward(x.unsqueeze(0), **settings).squeeze(0)
        return y

    def extra_repr(self) -> str:
        """Sizes, quantization, and what differs from the defaults."""
        return self._describe(
            self.bias() is not None, f", scale={self.scale}, zero_point={self.zero_point}"
        )


class _Conv(QuantizedConv):
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
        super().__init__()
        self._init_conv(
            (
                in_channels,
                out_channels,
                kernel_size,
                stride,
                padding,
                dilation,
                0,
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
            mod.dilation,
            mod.groups,
            mod.bias is not None,
            mod.padding_mode,
        )

    def _pack(self) -> None:
        around = self._padding_around()
        before, after = around[-2::-2], around[::-2]
        # The kernels pad with zeros only, by as much before as after.
        self._own_padding = self.padding_mode != "zeros" or before != after
        padding = [0] * self.rank if self._own_padding else before
        self._packed = pack_conv(
            self.weight(), self.bias(), self.stride, padding, self.dilation, self.groups
        )

    def _padded(self, x: QTensor) -> np.ndarray[Any, Any]:
        around = self._padding_around()
        if self.padding_mode != "zeros":
            padded: Any = pad(x, around, self.padding_mode)
            ints: np.ndarray[Any, Any] = padded._ints
            return ints
        pairs = list(zip(around[::2], around[1::2], strict=True))[::-1]
        return np.pad(x._ints, [(0, 0), (0, 0), *pairs], constant_values=x.q_zero_point())

    def forward(self, input: Any) -> QTensor:
        """Convolve.

        Parameters
        ----------
        input : QTensor, quint8 (or qint8, if calibrated so), shape (N, C, *S) or (C, *S)
            Fastest if its memory is channels-last, as all quantized layers leave it.

        Returns
        -------
        QTensor, of the same type, shape (N, O, *S') or (O, *S')

        Raises
        ------
        DtypeError, ShapeError
            If the input does not fit.
        """
        x = self._checked(input)
        ints = x._ints
        if ints.ndim != self.rank + 2:
            return self._unbatched(x)
        if self._own_padding:
            ints = self._padded(x)
        return self._run(x, ints)


class Conv1d(_Conv):
    """A convolution over one spatial axis from quantized inputs to outputs; see `Conv2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(2, 3, 8), 0.1, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.Conv1d(3, 4, 3)(x).shape)
    (2, 4, 6)
    """

    rank = 1
    float_class = floats.Conv1d


class Conv2d(_Conv):
    """A convolution of images from quantized inputs to quantized outputs.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As `nn.Conv2d`.

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
    The formula is that of `Linear`; padding counts as the input's zero point.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.nn.quantized.Conv2d(3, 4, 3, padding=1)
    >>> layer
    QuantizedConv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), scale=1.0, zero_point=0,
    padding=(1, 1))
    >>> x = qrs.quantize_per_tensor(qrs.ones(2, 3, 8, 8), 0.1, 0, qrs.quint8)
    >>> tuple(layer(x).shape)
    (2, 4, 8, 8)
    """

    rank = 2
    float_class = floats.Conv2d


class Conv3d(_Conv):
    """A convolution over three spatial axes from quantized inputs to outputs; see `Conv2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 3, 4, 4, 4), 0.1, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.Conv3d(3, 4, 3)(x).shape)
    (1, 4, 2, 2, 2)
    """

    rank = 3
    float_class = floats.Conv3d
