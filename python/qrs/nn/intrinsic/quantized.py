"""Quantized layers that end with a ReLU: the cut at zero costs nothing in the kernels."""

from __future__ import annotations

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.nn.quantized.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from qrs.nn.quantized.conv import Conv1d, Conv2d, Conv3d
from qrs.nn.quantized.linear import Linear

__all__ = [
    "BNReLU1d",
    "BNReLU2d",
    "BNReLU3d",
    "ConvReLU1d",
    "ConvReLU2d",
    "ConvReLU3d",
    "LinearReLU",
]


class ConvReLU1d(Conv1d):
    """`nn.quantized.Conv1d` and ReLU."""

    relu = True


class ConvReLU2d(Conv2d):
    """`nn.quantized.Conv2d` and ReLU."""

    relu = True


class ConvReLU3d(Conv3d):
    """`nn.quantized.Conv3d` and ReLU."""

    relu = True


class LinearReLU(Linear):
    """`nn.quantized.Linear` and ReLU.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    dtype : dtype
        See `nn.quantized.Linear`.
    """

    relu = True

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Dtype = qint8
    ) -> None:
        super().__init__(in_features, out_features, bias, dtype)


class BNReLU1d(BatchNorm1d):
    """`nn.quantized.BatchNorm1d` and ReLU."""

    relu = True


class BNReLU2d(BatchNorm2d):
    """`nn.quantized.BatchNorm2d` and ReLU."""

    relu = True


class BNReLU3d(BatchNorm3d):
    """`nn.quantized.BatchNorm3d` and ReLU."""

    relu = True
