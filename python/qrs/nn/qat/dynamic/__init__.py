"""Layers that train for dynamic quantization: weights and activations rounded as it rounds them."""

from qrs.nn.qat.dynamic.linear import Linear
from qrs.nn.qat.dynamic.recurrent import LSTM

__all__ = ["LSTM", "Linear"]
