"""One step of an LSTM, made of layers that can be observed and quantized one by one."""

from __future__ import annotations

from typing import Any, Self

from qrs.nn.layers import recurrent_cells as floats
from qrs.nn.layers.activation import Sigmoid, Tanh
from qrs.nn.layers.linear import Linear
from qrs.nn.parameter import Parameter
from qrs.nn.quantizable.observable import Observable
from qrs.nn.quantized.functional_modules import FloatFunctional
from qrs.qtensor import QTensor, quantize_per_tensor
from qrs.tensor import Tensor, zeros

__all__ = ["LSTMCell"]

State = tuple[Any, Any]


class LSTMCell(Observable):
    """A cell like `nn.LSTMCell` with one module for each operation.

    Parameters
    ----------
    input_dim, hidden_dim : int
        I and H.
    bias : bool

    Notes
    -----
    ``i, f, g, o = igates(x) + hgates(h)``; ``c' = sigmoid(f) c + sigmoid(i) tanh(g)``;
    ``h' = sigmoid(o) tanh(c')``.

    Examples
    --------
    >>> import qrs
    >>> h, c = qrs.nn.quantizable.LSTMCell(3, 4)(qrs.zeros(2, 3))
    >>> tuple(h.shape), tuple(c.shape)
    ((2, 4), (2, 4))
    """

    def __init__(self, input_dim: int, hidden_dim: int, bias: bool = True) -> None:
        super().__init__()
        self.input_size = input_dim
        self.hidden_size = hidden_dim
        self.bias = bias
        self.igates = Linear(input_dim, 4 * hidden_dim, bias)
        self.hgates = Linear(hidden_dim, 4 * hidden_dim, bias)
        self.gates = FloatFunctional()
        self.sigmoid = Sigmoid()
        self.tanh = Tanh()
        self.fgate_cx = FloatFunctional()
        self.igate_cgate = FloatFunctional()
        self.fgate_cx_igate_cgate = FloatFunctional()
        self.ogate_cy = FloatFunctional()

    @classmethod
    def from_float(cls, other: Any, use_weights: tuple[Any, Any, Any, Any] | None = None) -> Self:
        """Take the weights of an `nn.LSTMCell`.

        Parameters
        ----------
        other : LSTMCell, or a module with ``input_size``, ``hidden_size`` and ``bias``
        use_weights : tuple of Tensor, optional
            weight_ih, weight_hh, bias_ih and bias_hh (or None) instead of those of ``other``.

        Raises
        ------
        TypeError
            If weights are missing.
        """
        if use_weights is None:
            if type(other) is not floats.LSTMCell:
                raise TypeError(
                    f"quantizable.LSTMCell.from_float: a {type(other).__name__} came, expected an "
                    "nn.LSTMCell"
                )
            use_weights = (other.weight_ih, other.weight_hh, other.bias_ih, other.bias_hh)
        new = cls.from_params(*use_weights)
        new.train(other.training)
        if hasattr(other, "qconfig"):
            new.qconfig = other.qconfig
        return new

    @classmethod
    def from_params(
        cls, wi: Tensor, wh: Tensor, bi: Tensor | None = None, bh: Tensor | None = None
    ) -> Self:
        """A cell with given weights, shapes (4 H, I), (4 H, H), (4 H,) and (4 H,)."""
        new = cls(wi.shape[1], wh.shape[1], bi is not None)
        for layer, weight, bias in ((new.igates, wi, bi), (new.hgates, wh, bh)):
            layer.weight = Parameter(weight.detach().clone())
            layer.bias = None if bias is None else Parameter(bias.detach().clone())
        return new

    def initialize_hidden(self, batch_size: int, is_quantized: bool = False) -> State:
        """States of zeros, shape (batch_size, H)."""
        shape = (batch_size, self.hidden_size)
        if not is_quantized:
            h = zeros(*shape)
            return h, h
        # The parameters of the states to come: one plan serves every step.
        states = []
        for part in (self.ogate_cy, self.fgate_cx_igate_cgate):
            states.append(QTensor.zeros(shape, part.scale, part.zero_point, part.output_dtype))
        return states[0], states[1]

    def first_states(self, hidden: State | None, batch_size: int, is_quantized: bool) -> State:
        """Zeros if there are none; a quantized cell stores floats as it does the states to come."""
        if hidden is None or hidden[0] is None:
            return self.initialize_hidden(batch_size, is_quantized)
        if not is_quantized:
            return hidden
        h, c = (
            quantize_per_tensor(state, part.scale, part.zero_point, part.output_dtype)
            if isinstance(state, Tensor)
            else state
            for state, part in zip(hidden, (self.ogate_cy, self.fgate_cx_igate_cgate), strict=True)
        )
        return h, c

    def forward(self, x: Any, hidden: State | None = None) -> State:
        """Compute one step.

        Parameters
        ----------
        x : Tensor or QTensor, shape (B, I)
        hidden : tuple of Tensor or QTensor, shapes (B, H), optional
            h and c, zeros by default. Those of a quantized cell may be float.

        Returns
        -------
        tuple
            The new h and c.
        """
        return self.step(self.igates(x), self.first_states(hidden, x.shape[0], x.is_quantized))

    def step(self, from_input: Any, hidden: State) -> State:
        """The part of `forward` that follows ``igates``, shape (B, 4 H)."""
        h, c = hidden
        gates = self.gates.add(from_input, self.hgates(h))
        i, f, g, o = gates.chunk(4, 1)
        kept = self.fgate_cx.mul(self.sigmoid(f), c)
        added = self.igate_cgate.mul(self.sigmoid(i), self.tanh(g))
        c = self.fgate_cx_igate_cgate.add(kept, added)
        return self.ogate_cy.mul(self.sigmoid(o), self.tanh(c)), c

    def _get_name(self) -> str:
        return "QuantizableLSTMCell"
