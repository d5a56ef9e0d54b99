"""Dynamically quantized recurrent cells: one step of the layers."""

from __future__ import annotations

from typing import Any, Self

from qrs._kernels import PackedRnn, dynamic_rnn
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.nn.layers import recurrent_cells as floats
from qrs.nn.quantized.dynamic.base import DynamicWeights, has_parts
from qrs.nn.quantized.dynamic.steps import (
    direction_shapes,
    pack_network,
    quantized,
)
from qrs.tensor import Tensor

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(DynamicWeights, floats.RecurrentCellBase):
    """Base of cells with quantized weights."""

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, bias: bool, dtype: Dtype
    ) -> None:
        floats.RecurrentCellBase.__init__(self, input_size, hidden_size, bias)
        self.mode = mode
        self._init_weights(dtype, direction_shapes(mode, input_size, hidden_size, bias))

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Quantize a float cell that has a ``qconfig``.

        Raises
        ------
        TypeError
            If it is not exactly the float cell of this class's name.
        DtypeError
            If the qconfig's weights are neither qint8 nor float16.
        """
        where = f"DynamicQuantized{cls.__name__}.from_float"
        if type(mod) is not getattr(floats, cls.__name__):
            raise TypeError(f"{where}: a {type(mod).__name__} came, expected a {cls.__name__}")
        values, dtype = quantized(mod, where)
        make: Any = cls
        new: Self = make(mod.input_size, mod.hidden_size, mod.bias, dtype=dtype, **cls._extra(mod))
        new._set(values)
        return new

    @staticmethod
    def _extra(_mod: Any) -> dict[str, Any]:
        """Further arguments of the constructor."""
        return {}

    def _pack(self) -> None:
        self._packed: PackedRnn = pack_network(self.mode, self._values, [""])

    def _translate(self, state_dict: dict[str, Any], prefix: str) -> None:
        for kind in ("ih", "hh"):
            packed = state_dict.get(f"{prefix}_packed_weight_{kind}")
            if has_parts(packed, 2):
                del state_dict[f"{prefix}_packed_weight_{kind}"]
                self._translate_packed(state_dict, prefix, "", kind, packed)

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """Compute the next state; arguments and results as of the float cell.

        Parameters
        ----------
        input : Tensor, float32, shape (B, I) or (I,)
        hx : Tensor, or pair (h, c) for an LSTM cell, shapes (B, H) or (H,), optional
            Zeros by default.

        Returns
        -------
        Tensor, or pair of Tensor
            The new state, or (h, c).

        Raises
        ------
        ShapeError, DtypeError
            If the arguments do not fit the cell.
        NonFiniteError
            If they hold NaN or infinity (qint8 weights only).
        """
        states = (hx,) if isinstance(hx, Tensor) else hx
        plain = isinstance(input, Tensor) and input._array.ndim == 2
        if not plain or (states is not None and len(states) != self.num_states):
            # Unbatched input, and what the float cell explains better.
            return super().forward(input, hx)
        new = self._step(input, states)
        return new if len(new) == 2 else new[0]

    def _step(self, input: Tensor, states: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        # Views of arrays rather than of tensors: a step may be a few microseconds long.
        first = None if states is None else [state._array[None] for state in states]
        _, *last = dynamic_rnn(self._packed, input._array[None], None, first, self.engine)
        return tuple([Tensor._wrap(state[0]) for state in last])


class LSTMCell(RNNCellBase):
    """One step of `LSTM` with quantized weights; takes and returns the pair (h, c).

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool
    dtype : dtype
        Type of the weights: ``qint8`` or ``float16``.

    Examples
    --------
    >>> import qrs
    >>> cell = qrs.quantization.quantize_dynamic(qrs.nn.LSTMCell(3, 4))
    >>> cell
    DynamicQuantizedLSTMCell(3, 4)
    >>> h, c = cell(qrs.zeros(2, 3))
    >>> tuple(h.shape), tuple(c.shape)
    ((2, 4), (2, 4))
    """

    num_states = 2

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Dtype = qint8
    ) -> None:
        super().__init__("LSTM", input_size, hidden_size, bias, dtype)


class GRUCell(RNNCellBase):
    """One step of `GRU` with quantized weights.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool
    dtype : dtype
        Type of the weights: ``qint8`` or ``float16``.

    Examples
    --------
    >>> import qrs
    >>> cell = qrs.quantization.quantize_dynamic(qrs.nn.GRUCell(3, 4))
    >>> tuple(cell(qrs.zeros(2, 3)).shape)
    (2, 4)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Dtype = qint8
    ) -> None:
        super().__init__("GRU", input_size, hidden_size, bias, dtype)


class RNNCell(RNNCellBase):
    """One step of `RNN` with quantized weights.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool
    nonlinearity : {"tanh", "relu"}
    dtype : dtype
        Type of the weights: ``qint8`` or ``float16``.

    Raises
    ------
    ValueError
        For another nonlinearity.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.quantize_dynamic(qrs.nn.RNNCell(3, 4, nonlinearity="relu"))
    DynamicQuantizedRNNCell(3, 4, nonlinearity=relu)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Dtype = qint8,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"DynamicQuantizedRNNCell: nonlinearity {nonlinearity!r} came, expected 'tanh' or "
                "'relu'"
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity

    @staticmethod
    def _extra(mod: Any) -> dict[str, Any]:
        return {"nonlinearity": mod.nonlinearity}
