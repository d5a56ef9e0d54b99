"""Layers with quantized weights, float inputs and float outputs."""

from qrs.nn.quantized.dynamic.attention import MultiheadAttention
from qrs.nn.quantized.dynamic.cells import GRUCell, LSTMCell, RNNCell
from qrs.nn.quantized.dynamic.linear import Linear
from qrs.nn.quantized.dynamic.recurrent import GRU, LSTM, RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "MultiheadAttention",
    "RNNCell",
]
