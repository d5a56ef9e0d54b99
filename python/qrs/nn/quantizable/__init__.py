"""Float layers that can be observed inside, for static quantization."""

from qrs.nn.quantizable.lstm import LSTM
from qrs.nn.quantizable.lstm_cell import LSTMCell

__all__ = ["LSTM", "LSTMCell"]
