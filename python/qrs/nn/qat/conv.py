"""Convolutions in quantization-aware training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from qrs.nn.layers import conv as floats
from qrs.nn.module import Module
from qrs.nn.qat.weights import WeightFakeQuant
from qrs.tensor import Tensor

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

Ints = int | Sequence[int]


class _Conv(WeightFakeQuant):
    """Stands before a float convolution among the bases."""

    bias: Any
    _conv_forward: Any

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
        qconfig: Any = None,
    ) -> None:
        float_init: Any = super().__init__
        float_init(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
        )
        self._init_qat(qconfig)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``input``, shape (N, C, *S) or (C, *S)."""
        output: Tensor = self._conv_forward(input, self._rounded_weight(), self.bias)
        return output


class Conv1d(_Conv, floats.Conv1d):
    """`nn.Conv1d` that computes with its weight fake-quantized; parameters as `Conv2d`.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_qconfig()
    >>> tuple(qrs.nn.qat.Conv1d(3, 4, 3, qconfig=qconfig)(qrs.zeros(2, 3, 8)).shape)
    (2, 4, 6)
    """

    float_class: ClassVar[type[Module]] = floats.Conv1d


class Conv2d(_Conv, floats.Conv2d):
    """`nn.Conv2d` that computes with its weight fake-quantized.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As the float layer.
    qconfig : QConfig
        See `WeightFakeQuant`.

    Raises
    ------
    QrsError
        If no qconfig came.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_qconfig()
    >>> tuple(qrs.nn.qat.Conv2d(3, 4, 3, qconfig=qconfig)(qrs.zeros(2, 3, 8, 8)).shape)
    (2, 4, 6, 6)
    """

    float_class: ClassVar[type[Module]] = floats.Conv2d


class Conv3d(_Conv, floats.Conv3d):
    """`nn.Conv3d` that computes with its weight fake-quantized; parameters as `Conv2d`.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_qconfig()
    >>> tuple(qrs.nn.qat.Conv3d(3, 4, 3, qconfig=qconfig)(qrs.zeros(2, 3, 4, 4, 4)).shape)
    (2, 4, 2, 2, 2)
    """

    float_class: ClassVar[type[Module]] = floats.Conv3d
