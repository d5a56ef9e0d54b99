"""Float layers that can be observed inside, for static quantization."""

from qrs.nn.quantizable.attention import MultiheadAttention
from qrs.nn.quantizable.lstm import LSTM
from qrs.nn.quantizable.lstm_cell import LSTMCell
from qrs.nn.quantizable.transformer import TransformerEncoderLayer

__all__ = ["LSTM", "LSTMCell", "MultiheadAttention", "TransformerEncoderLayer"]
