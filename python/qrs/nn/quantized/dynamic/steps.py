"""One recurrent layer with quantized weights, the part that layers and cells share."""

from __future__ import annotations

from typing import Any

from qrs import _kernels
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.nn.functional.recurrent import gru_layer, lstm_layer, rnn_layer
from qrs.nn.quantized.dynamic.base import channel_params, observed_weight
from qrs.qtensor import QTensor
from qrs.tensor import Tensor, cat, stack

__all__ = ["Layer", "direction_shapes", "pack_layer", "quantized"]

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


class Layer:
    """Runs one layer in both directions: int8 in a kernel, half precision as floats.

    Parameters
    ----------
    mode : {"LSTM", "GRU", "RNN_TANH", "RNN_RELU"}
    directions : list of dict
        One for each direction: weight_ih, weight_hh, and what there is of bias_ih, bias_hh,
        weight_hr.
    """

    def __init__(self, mode: str, directions: list[Values]) -> None:
        self._mode = mode
        self._kernel: _kernels.PackedRnn | None = None
        if isinstance(directions[0]["weight_ih"], QTensor):
            packed = [{k: kernel_argument(v) for k, v in d.items()} for d in directions]
            self._kernel = _kernels.PackedRnn(mode, packed)
        else:
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            self._weights = [
                [d[name].float() if name in d else None for name in names] for d in directions
            ]

    def __call__(
        self, rows: Tensor, states: tuple[Tensor, ...], sizes: list[int], engine: str
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the layer.

        Parameters
        ----------
        rows : Tensor, shape (sum(sizes), input)
            Rows of a packed sequence.
        states : tuple of Tensor, shapes (directions, B, state)
        sizes : list of int
            Sequences that run in each step.
        engine : str

        Returns
        -------
        tuple
            Rows of the new states, both directions beside each other; and the last states.
        """
        if self._kernel is not None:
            arrays = [state._array for state in states]
            out, *last = _kernels.dynamic_rnn(self._kernel, rows._array, sizes, arrays, engine)
            return Tensor._wrap(out), tuple([Tensor._wrap(state) for state in last])
        outputs, ends = [], []
        for reverse, weights in enumerate(self._weights):
            first = [state[reverse] for state in states]
            out, *final = self._run_half(rows, first, weights, sizes, bool(reverse))
            outputs.append(out)
            ends.append(final)
        joined: Tensor = outputs[0] if len(outputs) == 1 else cat(outputs, 1)
        return joined, tuple(stack(parts, 0) for parts in zip(*ends, strict=True))

    def _run_half(
        self,
        rows: Tensor,
        states: list[Tensor],
        weights: list[Any],
        sizes: list[int],
        reverse: bool,
    ) -> tuple[Tensor, ...]:
        w_ih, w_hh, b_ih, b_hh, w_hr = weights
        h = states[0]
        if self._mode == "LSTM":
            return lstm_layer(rows, h, states[1], w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse)
        if self._mode == "GRU":
            return gru_layer(rows, h, w_ih, w_hh, b_ih, b_hh, sizes, reverse)
        kind = "relu" if self._mode == "RNN_RELU" else "tanh"
        return rnn_layer(rows, h, w_ih, w_hh, b_ih, b_hh, sizes, reverse, kind)


def kernel_argument(value: QTensor | Tensor) -> Any:
    """A weight as (integers, scales, zero points), a bias as an array."""
    if isinstance(value, QTensor):
        return (value.int_repr()._array, *channel_params(value))
    return value._array


def pack_layer(mode: str, values: Values, suffixes: list[str]) -> Layer:
    """The layer whose weights have names that end in one suffix for each direction."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    return Layer(
        mode,
        [
            {name: values[name + suffix] for name in names if name + suffix in values}
            for suffix in suffixes
        ],
    )
