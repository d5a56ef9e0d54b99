"""Fused convolutions in quantization-aware training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qrs.nn.functional.activation import relu
from qrs.nn.intrinsic import fused
from qrs.nn.intrinsic.qat.batchnorm import WithBatchNorm
from qrs.nn.layers import conv as floats
from qrs.nn.layers.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from qrs.nn.qat import conv as qat
from qrs.tensor import Tensor

__all__ = [
    "ConvBn1d",
    "ConvBn2d",
    "ConvBn3d",
    "ConvBnReLU1d",
    "ConvBnReLU2d",
    "ConvBnReLU3d",
    "ConvReLU1d",
    "ConvReLU2d",
    "ConvReLU3d",
]

Ints = int | Sequence[int]


class ConvReLU1d(qat.Conv1d):
    """`nn.qat.Conv1d` and a ReLU; parameters as it."""

    float_class = fused.ConvReLU1d

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``input``, shape (N, C, L) or (C, L)."""
        output: Tensor = relu(super().forward(input))
        return output


class ConvReLU2d(qat.Conv2d):
    """`nn.qat.Conv2d` and a ReLU; parameters as it."""

    float_class = fused.ConvReLU2d

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``input``, shape (N, C, H, W) or (C, H, W)."""
        output: Tensor = relu(super().forward(input))
        return output


class ConvReLU3d(qat.Conv3d):
    """`nn.qat.Conv3d` and a ReLU; parameters as it."""

    float_class = fused.ConvReLU3d

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``input``, shape (N, C, D, H, W) or (C, D, H, W)."""
        output: Tensor = relu(super().forward(input))
        return output


class _ConvBn(WithBatchNorm):
    """Stands before a float convolution among the bases."""

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
        bias: bool | None = None,
        padding_mode: str = "zeros",
        eps: float = 1e-5,
        momentum: float = 0.1,
        freeze_bn: bool = False,
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
            bool(bias),
            padding_mode,
        )
        self._init_bn(out_channels, eps, momentum, freeze_bn)
        self._init_qat(qconfig)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve and normalise ``input``, shape (N, C, *S)."""
        output: Tensor = self.bn(self._conv_forward(input, self._rounded_weight(), self.bias))
        return output


class _ConvBnReLU(_ConvBn):
    def forward(self, input: Tensor) -> Tensor:
        """Convolve, normalise and rectify ``input``, shape (N, C, *S)."""
        output: Tensor = relu(super().forward(input))
        return output


class ConvBn1d(_ConvBn, floats.Conv1d):
    """`Conv1d` and `BatchNorm1d`; parameters as `ConvBn2d`."""

    float_class = fused.ConvBn1d
    norm_class = BatchNorm1d


class ConvBn2d(_ConvBn, floats.Conv2d):
    """`Conv2d` and `BatchNorm2d`, with the weight fake-quantized as it will be folded.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        As `nn.Conv2d`.
    bias : bool, optional
        Whether the convolution has a bias of its own; not by default.
    eps, momentum : float
        Of the normalisation.
    freeze_bn : bool
        Start with frozen statistics.
    qconfig : QConfig

    Raises
    ------
    QrsError
        If no qconfig came.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_qconfig()
    >>> layer = qrs.nn.intrinsic.qat.ConvBn2d(3, 4, 3, qconfig=qconfig)
    >>> tuple(layer(qrs.randn(2, 3, 8, 8)).shape)
    (2, 4, 6, 6)
    """

    float_class = fused.ConvBn2d
    norm_class = BatchNorm2d


class ConvBn3d(_ConvBn, floats.Conv3d):
    """`Conv3d` and `BatchNorm3d`; parameters as `ConvBn2d`."""

    float_class = fused.ConvBn3d
    norm_class = BatchNorm3d


class ConvBnReLU1d(_ConvBnReLU, floats.Conv1d):
    """`Conv1d`, `BatchNorm1d` and ReLU; parameters as `ConvBn2d`."""

    float_class = fused.ConvBnReLU1d
    norm_class = BatchNorm1d


class ConvBnReLU2d(_ConvBnReLU, floats.Conv2d):
    """`Conv2d`, `BatchNorm2d` and ReLU; parameters as `ConvBn2d`."""

    float_class = fused.ConvBnReLU2d
    norm_class = BatchNorm2d


class ConvBnReLU3d(_ConvBnReLU, floats.Conv3d):
    """`Conv3d`, `BatchNorm3d` and ReLU; parameters as `ConvBn2d`."""

    float_class = fused.ConvBnReLU3d
    norm_class = BatchNorm3d
