"""Quantized layers, with the names of PyTorch."""

from qrs.nn.quantized import dynamic
from qrs.nn.quantized.embedding import Embedding, EmbeddingBag

__all__ = ["Embedding", "EmbeddingBag", "dynamic"]
