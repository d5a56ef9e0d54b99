"""Layers in quantization-aware training: float arithmetic with weights rounded to few bits."""

from qrs.nn.qat import dynamic
from qrs.nn.qat.conv import Conv1d, Conv2d, Conv3d
from qrs.nn.qat.embedding import Embedding, EmbeddingBag
from qrs.nn.qat.linear import Linear
from qrs.nn.qat.weights import WeightFakeQuant

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "Embedding",
    "EmbeddingBag",
    "Linear",
    "WeightFakeQuant",
    "dynamic",
]
