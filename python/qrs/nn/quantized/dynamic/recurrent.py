"""Dynamically quantized `LSTM`, `GRU` and `RNN`."""

from __future__ import annotations

from typing import Any, Self

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.nn.functional.dropping import dropout
from qrs.nn.layers import recurrent as floats
from qrs.nn.quantized.dynamic.base import DynamicWeights
from qrs.nn.quantized.dynamic.steps import Layer, direction_shapes, pack_layer, quantized
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
        """Quantize a float layer that has a ``qconfig``; every matrix gets an observer of its own.

        Raises
        ------
        TypeError
            If it is not exactly the float layer of this class's name.
        DtypeError
            If the qconfig's weights are neither qint8 nor float16.
        """
        where = f"DynamicQuantized{cls.__name__}.from_float"
        if type(mod) is not getattr(floats, cls.__name__):
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
        self._packed: list[Layer] = [
            pack_layer(self.mode, self._values, self._suffixes(layer))
            for layer in range(self.num_layers)
        ]

    def _run_layers(
        self, rows: Tensor, states: tuple[Tensor, ...], sizes: list[int]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        count = self.num_directions
        last = []
        for layer, run in enumerate(self._packed):
            first = tuple([state[layer * count : (layer + 1) * count] for state in states])
            rows, ends = run(rows, first, sizes, self.engine)
            last.append(ends)
            if self.training and self.dropout and layer < self.num_layers - 1:
                rows = dropout(rows, self.dropout)
        if len(last) == 1:
            return rows, last[0]
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
