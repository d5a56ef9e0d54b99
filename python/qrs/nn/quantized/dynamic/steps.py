"""One direction of one recurrent layer with quantized weights, the part that layers and cells share."""

from __future__ import annotations

from typing import Any

from qrs import _kernels
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.nn.functional.recurrent import gru_layer, lstm_layer, rnn_layer
from qrs.nn.quantized.dynamic.base import channel_params, observed_weight
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Direction", "direction_shapes", "pack_direction", "quantized"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}

Values = dict[str, QTensor | Tensor]


def direction_shapes(
    mode: str, input_size: int, hidden_size: int, bias: bool, proj_size: int = 0
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights and biases of one direction, in PyTorch's order."""
    rows = _GATES[mode] * hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih": (rows, input_size),
        "weight_hh": (rows, proj_size or hidden_size),
    }
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if proj_size:
        shapes["weight_hr"] = (proj_size, hidden_size)
    return shapes


def quantized(mod: Any, where: str) -> tuple[Values, Dtype]:
    """The weights and biases of a float layer in the type of its qconfig, by name; and the type."""
    values: Values = {}
    dtype = qint8
    for name, param in mod.named_parameters():
        if param.dim() == 1:
            values[name] = Tensor._wrap(param._array.copy())
        else:
            values[name] = observed_weight(param, mod.qconfig.weight, f"{where}: {name}")
            dtype = values[name].dtype
    return values, dtype


class Direction:
    """Runs one direction: int8 through a kernel, half precision through the float layer.

    Parameters
    ----------
    mode : {"LSTM", "GRU", "RNN_TANH", "RNN_RELU"}
    weights : list
        weight_ih, weight_hh, bias_ih, bias_hh, weight_hr; None where there is none.
    """

    def __init__(self, mode: str, weights: list[Any]) -> None:
        self._mode = mode
        w_ih, w_hh, b_ih, b_hh, w_hr = weights
        if isinstance(w_ih, QTensor):
            matrices = [
                None if w is None else (w.int_repr()._array, *channel_params(w))
                for w in (w_ih, w_hh, w_hr)
            ]
            biases = [None if b is None else b._array for b in (b_ih, b_hh)]
            self._kernel: _kernels.PackedRnn | None = _kernels.PackedRnn(mode, *matrices, *biases)
        else:
            self._kernel = None
            self._weights = [
                None if w is None else w.float() for w in (w_ih, w_hh, b_ih, b_hh, w_hr)
            ]

    def __call__(
        self,
        rows: Tensor,
        states: tuple[Tensor, ...],
        sizes: list[int],
        reverse: bool,
        engine: str,
    ) -> tuple[Tensor, ...]:
        """Rows of the new states, then the last states; see `RecurrentBase._run_direction`."""
        if self._kernel is not None:
            arrays = [state._array for state in states]
            results = _kernels.dynamic_rnn(self._kernel, rows._array, arrays, sizes, reverse, engine)
            return tuple([Tensor._wrap(result) for result in results])
        how: dict[str, Any] = {"sizes": sizes, "reverse": reverse}
        if self._mode == "LSTM":
            return lstm_layer(rows, *states, *self._weights, **how)
        if self._mode == "GRU":
            return gru_layer(rows, *states, *self._weights[:4], **how)
        kind = "relu" if self._mode == "RNN_RELU" else "tanh"
        return rnn_layer(rows, *states, *self._weights[:4], nonlinearity=kind, **how)


def pack_direction(mode: str, values: Values, suffix: str = "") -> Direction:
    """The direction whose weights have names that end in a suffix."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    return Direction(mode, [values.get(name + suffix) for name in names])
