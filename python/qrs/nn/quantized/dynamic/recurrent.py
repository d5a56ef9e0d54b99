"""Dynamically quantized `LSTM`, `GRU` and `RNN`."""

from __future__ import annotations

from typing import Any, Self

from qrs._kernels import PackedRnn
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.nn.functional.dropping import dropout
from qrs.nn.layers import recurrent as floats
from qrs.nn.qat import dynamic as qat
from qrs.nn.quantized.dynamic.base import DynamicWeights, has_parts
from qrs.nn.quantized.dynamic.steps import (
    direction_shapes,
    pack_network,
    quantized,
    run_network,
)
from qrs.tensor import Tensor, cat

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]


class RNNBase(DynamicWeights, floats.RecurrentBase):
    """Base of recurrent layers with quantized weights; `LSTM`, `GRU` and `RNN` fix the mode.

    The input of a layer and, at each step, the state are quantized; gates and states are float32.

    Parameters
    ----------
    mode : {"LSTM", "GRU", "RNN_TANH", "RNN_RELU"}
    input_size, hidden_size, num_layers : int
    bias : bool
    batch_first : bool
        Whether input and output are (B, T, *) rather than (T, B, *).
    dropout : float
        Applied to the output of each layer but the last, in training.
    bidirectional : bool
    dtype : dtype
        Type of the weights: ``qint8``, or ``float16`` (computed in float32).
    proj_size : int
        Width to which the state of an LSTM is projected; 0 for none.
    """

    def __init__(  # The order of the arguments is PyTorch's.
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Dtype = qint8,
        proj_size: int = 0,
    ) -> None:
        floats.RecurrentBase.__init__(
            self,
            mode,
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
        )
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(num_layers):
            own = direction_shapes(
                mode, self._layer_input_size(layer), hidden_size, bias, proj_size
            )
            for suffix in self._suffixes(layer):
                shapes |= {name + suffix: shape for name, shape in own.items()}
        self._init_weights(dtype, shapes)

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self.num_directions]

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Quantize a float layer that has a ``qconfig``, or one of `nn.qat.dynamic`.

        Every matrix has an observer of its own.

        Raises
        ------
        TypeError
            If it is not exactly the layer of this class's name of one of the two.
        DtypeError
            If the qconfig's weights are neither qint8 nor float16.
        """
        where = f"DynamicQuantized{cls.__name__}.from_float"
        if type(mod) not in (getattr(floats, cls.__name__), getattr(qat, cls.__name__, None)):
            raise TypeError(f"{where}: a {type(mod).__name__} came, expected a {cls.__name__}")
        values, dtype = quantized(mod, where)
        make: Any = cls
        new: Self = make(
            mod.input_size,
            mod.hidden_size,
            mod.num_layers,
            mod.bias,
            mod.batch_first,
            mod.dropout,
            mod.bidirectional,
            dtype,
            **cls._extra(mod),
        )
        new._set(values)
        return new

    @staticmethod
    def _extra(mod: Any) -> dict[str, Any]:
        """Further arguments of the constructor."""
        return {"proj_size": mod.proj_size}

    def _pack(self) -> None:
        # Layers with dropout between them run one by one, the others in one call.
        per_call = 1 if self.dropout else self.num_layers
        self._packed: list[PackedRnn] = [
            pack_network(
                self.mode,
                self._values,
                [s for layer in range(start, start + per_call) for s in self._suffixes(layer)],
                per_call,
            )
            for start in range(0, self.num_layers, per_call)
        ]

    def _translate(self, state_dict: dict[str, Any], prefix: str) -> None:
        # PyTorch keeps an object for each direction of each layer; the packed weights come last.
        suffixes = [s for layer in range(self.num_layers) for s in self._suffixes(layer)]
        for number, suffix in enumerate(suffixes):
            key = f"{prefix}_all_weight_values.{number}.param"
            cell: Any = state_dict.get(key)
            weights = cell.state[-1] if has_parts(cell, 5) else ()
            if len(weights) == 2 and all(has_parts(packed, 2) for packed in weights):
                del state_dict[key]
                for kind, packed in zip(("ih", "hh"), weights, strict=True):
                    self._translate_packed(state_dict, prefix, suffix, kind, packed)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Run the layer over a sequence; arguments and results as of the float layer.

        Parameters
        ----------
        input : Tensor or PackedSequence, float32
            (T, B, I), or (B, T, I) with ``batch_first``, or (T, I) for a single sequence.
        hx : Tensor or pair of Tensor, optional
            Initial states (layers * directions, B, state), zeros by default; without B for a
            single sequence.

        Returns
        -------
        tuple
            The states of the last layer at every step, and the last states of all layers.

        Raises
        ------
        ShapeError, DtypeError
            If the input or the states do not fit the layer.
        NonFiniteError
            If the input holds NaN or infinity (qint8 weights only).
        """
        states = (hx,) if isinstance(hx, Tensor) else hx
        plain = isinstance(input, Tensor) and input._array.ndim == 3 and len(self._packed) == 1
        if not plain or (states is not None and len(states) != len(self._state_sizes())):
            # Packed and unbatched input, and what the float layer explains better.
            return super().forward(input, hx)
        y, *last = run_network(self._packed[0], input, None, states, self.engine, self.batch_first)
        return y, tuple(last) if self.mode == "LSTM" else last[0]

    def _run_layers(
        self, rows: Tensor, states: tuple[Tensor, ...], sizes: list[int]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        if not sizes[0]:
            # The kernels take no rows of no sequences.
            return rows.new_zeros(0, self.num_directions * self._state_sizes()[0]), states
        count = self.num_layers * self.num_directions // len(self._packed)
        last = []
        for i, network in enumerate(self._packed):
            if i and self.training:
                rows = dropout(rows, self.dropout)
            first = [state[i * count : (i + 1) * count] for state in states]
            rows, *ends = run_network(network, rows, sizes, first, self.engine)
            last.append(ends)
        return rows, tuple([cat(parts, 0) for parts in zip(*last, strict=True)])


class LSTM(RNNBase):
    """Long short-term memory with quantized weights; arguments as `RNNBase` without ``mode``.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.quantization.quantize_dynamic(qrs.nn.LSTM(4, 8, num_layers=2))
    >>> layer
    DynamicQuantizedLSTM(4, 8, num_layers=2)
    >>> output, (h, c) = layer(qrs.zeros(5, 2, 4))
    >>> tuple(output.shape), tuple(h.shape)
    ((5, 2, 8), (2, 2, 8))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent unit with quantized weights; arguments as `RNNBase` without ``mode``.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.quantization.quantize_dynamic(qrs.nn.GRU(4, 8, bidirectional=True))
    >>> output, h = layer(qrs.zeros(5, 2, 4))
    >>> tuple(output.shape), tuple(h.shape)
    ((5, 2, 16), (2, 2, 8))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("GRU", *args, **kwargs)


class RNN(RNNBase):
    """Elman layer with quantized weights; arguments as `RNNBase` without ``mode``.

    Parameters
    ----------
    *args, **kwargs
        As `RNNBase`; and ``nonlinearity``, "tanh" or "relu".

    Raises
    ------
    ValueError
        For another nonlinearity.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.quantization.quantize_dynamic(qrs.nn.RNN(4, 8))
    >>> output, h = layer(qrs.zeros(5, 2, 4))
    >>> tuple(output.shape), tuple(h.shape)
    ((5, 2, 8), (1, 2, 8))
    """

    def __init__(self, *args: Any, nonlinearity: str = "tanh", **kwargs: Any) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"DynamicQuantizedRNN: nonlinearity {nonlinearity!r} came, expected 'tanh' or "
                "'relu'"
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity

    @staticmethod
    def _extra(mod: Any) -> dict[str, Any]:
        return {"nonlinearity": mod.nonlinearity}
