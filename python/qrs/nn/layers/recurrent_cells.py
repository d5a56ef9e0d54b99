"""Recurrent cells: one time step of `RNN`, `LSTM` and `GRU`."""

from __future__ import annotations

import math
from typing import Any

from qrs.errors import ShapeError
from qrs.nn import init
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.recurrent import gru_layer, lstm_layer, rnn_layer
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor, empty, zeros

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase", "RecurrentCellBase"]


class RecurrentCellBase(Module):
    """Layout of a cell, float or quantized; a subclass defines `_step`."""

    num_states = 1

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias

    def _step(self, input: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the new states (B, H) of an input (B, I) and the old states."""
        raise NotImplementedError

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """Compute the next state.

        Parameters
        ----------
        input : Tensor, shape (B, I) or (I,)
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
        """
        name = self._get_name()
        check_floats(name, input=input)
        if input.dim() not in (1, 2) or input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: input of shape {tuple(input.shape)} came, expected "
                f"(batch, {self.input_size}) or ({self.input_size},)"
            )
        batched = input.dim() == 2
        rows = input if batched else input.unsqueeze(0)
        if hx is None:
            states = (zeros(len(rows), self.hidden_size, dtype=input.dtype),) * self.num_states
        else:
            states = tuple(hx) if isinstance(hx, tuple | list) else (hx,)
            expected = (*tuple(input.shape[:-1]), self.hidden_size)
            if len(states) != self.num_states or any(tuple(s.shape) != expected for s in states):
                came = ", ".join(str(tuple(s.shape)) for s in states)
                raise ShapeError(
                    f"{name}: states of shape {came} came, expected {self.num_states} of shape "
                    f"{expected}"
                )
            if not batched:
                states = tuple(s.unsqueeze(0) for s in states)
        new = self._step(rows, states)
        if not batched:
            new = tuple(s.squeeze(0) for s in new)
        return new if self.num_states == 2 else new[0]

    def extra_repr(self) -> str:
        """List the sizes, and what differs from the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += ", bias=False"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCellBase(RecurrentCellBase):
    """A float cell: weight_ih (G H, I), weight_hh (G H, H), bias_ih and bias_hh (G H)."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int) -> None:
        super().__init__(input_size, hidden_size, bias)
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size))
        self.weight_hh = Parameter(empty(rows, hidden_size))
        self.register_parameter("bias_ih", Parameter(empty(rows)) if bias else None)
        self.register_parameter("bias_hh", Parameter(empty(rows)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters evenly from (-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for param in self.parameters():
            init.uniform_(param, -bound, bound)

    def _weights(self) -> tuple[Any, Any, Any, Any]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh


class RNNCell(RNNCellBase):
    """One step of `RNN`.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool
    nonlinearity : {"tanh", "relu"}

    Raises
    ------
    ValueError
        For an unknown nonlinearity.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.RNNCell(3, 4)(qrs.zeros(2, 3)).shape)
    (2, 4)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"RNNCell: nonlinearity {nonlinearity!r} came, expected 'tanh' or 'relu'"
            )
        super().__init__(input_size, hidden_size, bias, 1)
        self.nonlinearity = nonlinearity

    def _step(self, input: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = states
        kind = self.nonlinearity
        return rnn_layer(input, h, *self._weights(), [len(input)], nonlinearity=kind)[1:]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`; takes and returns the pair (h, c).

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool

    Examples
    --------
    >>> import qrs
    >>> h, c = qrs.nn.LSTMCell(3, 4)(qrs.zeros(2, 3))
    >>> tuple(h.shape), tuple(c.shape)
    ((2, 4), (2, 4))
    """

    num_states = 2

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias, 4)

    def _step(self, input: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        h, c = states
        return lstm_layer(input, h, c, *self._weights(), None, [len(input)])[1:]


class GRUCell(RNNCellBase):
    """One step of `GRU`.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.GRUCell(3, 4)(qrs.zeros(2, 3)).shape)
    (2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias, 3)

    def _step(self, input: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = states
        return gru_layer(input, h, *self._weights(), [len(input)])[1:]
