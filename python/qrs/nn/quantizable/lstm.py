"""An LSTM over sequences, made of cells that can be observed and quantized."""

from __future__ import annotations

from typing import Any, Self

from qrs.errors import DtypeError, ShapeError, UnsupportedLayerError, type_name
from qrs.nn.layers import recurrent as floats
from qrs.nn.layers.container import ModuleList
from qrs.nn.layers.dropout import Dropout
from qrs.nn.module import Module
from qrs.nn.quantizable.lstm_cell import LSTMCell, State
from qrs.nn.quantizable.observable import Observable
from qrs.nn.quantized.functional_modules import FloatFunctional
from qrs.qtensor import QTensor
from qrs.tensor import Tensor, stack

__all__ = ["LSTM"]


class _Direction(Observable):
    """One direction of one layer."""

    def __init__(self, cell: LSTMCell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Any, hidden: State, reverse: bool) -> tuple[Any, Any, Any]:
        """Outputs, shape (T, B, H), and the last h and c of ``x``, shape (T, B, I)."""
        # The products with the input do not wait for each other.
        from_input = self.cell.igates(x)
        outputs = []
        steps = range(x.shape[0])
        for t in reversed(steps) if reverse else steps:
            hidden = self.cell.step(from_input[t], hidden)
            outputs.append(hidden[0])
        return stack(outputs[::-1] if reverse else outputs, 0), *hidden


class _Layer(Observable):
    """One layer; with two directions their outputs are joined."""

    def __init__(self, cells: list[LSTMCell]) -> None:
        super().__init__()
        self.layer_fw = _Direction(cells[0])
        self.layer_bw: Any = None
        if len(cells) == 2:
            self.layer_bw = _Direction(cells[1])
            self.join = FloatFunctional()

    def directions(self) -> list[Any]:
        """The forward direction and, if there is one, the backward one."""
        return [self.layer_fw] if self.layer_bw is None else [self.layer_fw, self.layer_bw]

    def forward(self, x: Any, hidden: list[State]) -> tuple[Any, list[State]]:
        """Outputs, shape (T, B, H * directions), and the last states of each direction."""
        results = [
            part(x, state, bool(reverse))
            for reverse, (part, state) in enumerate(zip(self.directions(), hidden, strict=True))
        ]
        outputs = [result[0] for result in results]
        y = outputs[0] if len(outputs) == 1 else self.join.cat(outputs, 2)
        return y, [(h, c) for _, h, c in results]


class LSTM(Observable):
    """An LSTM like `nn.LSTM` whose inner results `prepare` observes, for static quantization.

    `prepare` puts it in the place of every `nn.LSTM` that has a qconfig, and `convert` quantizes
    its parts.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    num_layers : int
    bias, batch_first : bool
    dropout : float
        Share of the values between layers that is dropped in training.
    bidirectional : bool

    Examples
    --------
    >>> import qrs
    >>> y, (h, c) = qrs.nn.quantizable.LSTM(3, 4, bidirectional=True)(qrs.zeros(5, 2, 3))
    >>> tuple(y.shape), tuple(h.shape)
    ((5, 2, 8), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        count = 2 if bidirectional else 1
        layers: list[Module] = []
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * count
            layers.append(_Layer([LSTMCell(width, hidden_size, bias) for _ in range(count)]))
        self.layers = ModuleList(layers)
        self.between = Dropout(dropout)
        self.h_n: Any = None
        self.c_n: Any = None
        if num_layers * count > 1:
            # The last states of all layers and directions are one tensor in the end.
            self.h_n = FloatFunctional()
            self.c_n = FloatFunctional()

    @classmethod
    def from_float(cls, other: Any) -> Self:
        """Take settings, weights and qconfig of an `nn.LSTM`.

        Raises
        ------
        TypeError
            If another module came.
        UnsupportedLayerError
            If it projects its states (``proj_size``).
        """
        if type(other) is not floats.LSTM:
            raise TypeError(
                f"quantizable.LSTM.from_float: a {type(other).__name__} came, expected an nn.LSTM"
            )
        if other.proj_size:
            raise UnsupportedLayerError(
                f"quantizable.LSTM.from_float: proj_size {other.proj_size} came, expected 0; "
                "quantize this layer dynamically, or set its qconfig to None"
            )
        new = cls(
            other.input_size,
            other.hidden_size,
            other.num_layers,
            other.bias,
            other.batch_first,
            other.dropout,
            other.bidirectional,
        )
        for number, layer in enumerate(new.layers):
            for part, suffix in zip(layer.directions(), ("", "_reverse"), strict=False):
                names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
                weights: list[Any] = [getattr(other, f"{n}_l{number}{suffix}", None) for n in names]
                part.cell = LSTMCell.from_params(*weights)
        new.train(other.training)
        if hasattr(other, "qconfig"):
            new.qconfig = other.qconfig
        return new

    def forward(self, x: Any, hidden: State | None = None) -> tuple[Any, State]:
        """Run over a sequence.

        Parameters
        ----------
        x : Tensor or QTensor, shape (T, B, I), or (B, T, I) if ``batch_first``
        hidden : tuple of Tensor or QTensor, shapes (layers * directions, B, H), optional
            First h and c, zeros by default. Those of a quantized LSTM may be float.

        Returns
        -------
        output : Tensor or QTensor, shape (T, B, H * directions), or (B, T, ...)
        (h_n, c_n) : tuple, shapes (layers * directions, B, H)
            The last states.

        Raises
        ------
        ShapeError, DtypeError
            If the arguments do not fit.
        """
        if not isinstance(x, Tensor | QTensor):
            raise DtypeError(
                f"{self._get_name()}: a {type_name(x)} came, expected a Tensor; pad packed "
                "sequences before"
            )
        if x.dim() != 3 or x.shape[2] != self.input_size:
            raise ShapeError(
                f"{self._get_name()}: input of shape {tuple(x.shape)} came, expected three "
                f"dimensions, the last of {self.input_size}"
            )
        if self.batch_first:
            x = x.transpose(0, 1)
        states = self._first_states(hidden, x)
        last: list[State] = []
        for number, layer in enumerate(self.layers):
            count = len(layer.directions())
            if number:
                x = self.between(x)
            x, new = layer(x, states[number * count : (number + 1) * count])
            last += new
        if self.batch_first:
            x = x.transpose(0, 1)
        h = self._together(self.h_n, [state[0] for state in last])
        return x, (h, self._together(self.c_n, [state[1] for state in last]))

    def _first_states(self, hidden: State | None, x: Any) -> list[State]:
        cells = [part.cell for layer in self.layers for part in layer.directions()]
        batch = x.shape[1]
        if hidden is None:
            return [cell.first_states(None, batch, x.is_quantized) for cell in cells]
        expected = (len(cells), batch, self.hidden_size)
        for name, state in zip("hc", hidden, strict=True):
            if tuple(state.shape) != expected:
                raise ShapeError(
                    f"{self._get_name()}: {name} of shape {tuple(state.shape)} came, expected "
                    f"{expected}"
                )
        h, c = hidden
        return [
            cell.first_states((h[k], c[k]), batch, x.is_quantized) for k, cell in enumerate(cells)
        ]

    @staticmethod
    def _together(functional: Any, states: list[Any]) -> Any:
        parts = [state.unsqueeze(0) for state in states]
        return parts[0] if functional is None else functional.cat(parts, 0)

    def _get_name(self) -> str:
        return "QuantizableLSTM"

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"
