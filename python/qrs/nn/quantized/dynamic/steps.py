"""What recurrent layers and cells with quantized weights share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs._kernels import PackedRnn, dynamic_rnn
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.nn.quantized.dynamic.base import channel_params, observed_weight
from qrs.nn.quantized.weights import weight_observer
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["direction_shapes", "pack_network", "quantized", "run_network"]

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
    # A layer of nn.qat.dynamic has an observer for each weight.
    trained = getattr(mod, "weight_fake_quant", {})
    for name, param in mod.named_parameters(recurse=False):
        if param.dim() == 1:
            values[name] = Tensor._wrap(param._array.copy())
        else:
            observer = trained[name] if name in trained else weight_observer(mod, where)
            values[name] = observed_weight(param, observer, f"{where}: {name}")
            dtype = values[name].dtype
    return values, dtype


def pack_network(mode: str, values: Values, suffixes: list[str], layers: int = 1) -> PackedRnn:
    """The weights of consecutive layers as the kernels read them.

    Parameters
    ----------
    mode : {"LSTM", "GRU", "RNN_TANH", "RNN_RELU"}
    values : dict
        Weights and biases by name.
    suffixes : list of str
        What the names end in, for each direction of the first layer, then of the next one.
    layers : int
        Number of layers.
    """
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    directions = [
        {name: _argument(values[name + suffix]) for name in names if name + suffix in values}
        for suffix in suffixes
    ]
    return PackedRnn(mode, layers, directions)


def _argument(value: QTensor | Tensor) -> Any:
    """A weight as (integers, scales, zero points), or as floats as a bias is."""
    if isinstance(value, QTensor):
        return (value.int_repr()._array, *channel_params(value))
    return value._array.astype(np.float32)


def run_network(
    network: PackedRnn,
    x: Tensor,
    sizes: list[int] | None,
    states: Sequence[Tensor] | None,
    engine: str,
    batch_first: bool = False,
) -> tuple[Tensor, ...]:
    """Outputs and last states; see `dynamic_rnn`."""
    first = None if states is None else [state._array for state in states]
    results = dynamic_rnn(network, x._array, sizes, first, engine, batch_first)
    return tuple([Tensor._wrap(result) for result in results])
