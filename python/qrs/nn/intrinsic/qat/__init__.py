"""Fused layers in quantization-aware training."""

from qrs.nn.intrinsic.qat.batchnorm import WithBatchNorm, freeze_bn_stats, update_bn_stats
from qrs.nn.intrinsic.qat.conv import (
    ConvBn1d,
    ConvBn2d,
    ConvBn3d,
    ConvBnReLU1d,
    ConvBnReLU2d,
    ConvBnReLU3d,
    ConvReLU1d,
    ConvReLU2d,
    ConvReLU3d,
)
from qrs.nn.intrinsic.qat.linear import LinearBn1d, LinearReLU

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
    "LinearBn1d",
    "LinearReLU",
    "WithBatchNorm",
    "freeze_bn_stats",
    "update_bn_stats",
]
