"""Quantized layers, with the names of PyTorch."""

from qrs.nn.layers.pooling import MaxPool2d
from qrs.nn.quantized import dynamic, functional
from qrs.nn.quantized.activation import (
    CELU,
    ELU,
    GELU,
    Hardswish,
    LeakyReLU,
    ReLU6,
    Sigmoid,
    SiLU,
)
from qrs.nn.quantized.batchnorm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from qrs.nn.quantized.conv import Conv1d, Conv2d, Conv3d
from qrs.nn.quantized.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from qrs.nn.quantized.embedding import Embedding, EmbeddingBag
from qrs.nn.quantized.functional_modules import FloatFunctional, FXFloatFunctional, QFunctional
from qrs.nn.quantized.linear import Linear
from qrs.nn.quantized.norm import GroupNorm, LayerNorm
from qrs.nn.quantized.stubs import DeQuantize, Quantize

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "DeQuantize",
    "Embedding",
    "EmbeddingBag",
    "FXFloatFunctional",
    "FloatFunctional",
    "GroupNorm",
    "Hardswish",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "QFunctional",
    "Quantize",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "dynamic",
    "functional",
]
