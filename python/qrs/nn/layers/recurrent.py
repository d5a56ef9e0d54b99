"""Recurrent layers over sequences: `RNN`, `LSTM` and `GRU`.

`RecurrentBase` knows all about layout: batch order, packed and unbatched input, initial states,
layers, directions and dropout between layers. What a subclass adds is one direction of one layer,
so that the quantized layers can share the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from qrs.errors import DtypeError, ShapeError, type_name
from qrs.nn import init
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.dropping import dropout as apply_dropout
from qrs.nn.functional.recurrent import gru_layer, lstm_layer, rnn_layer
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter
from qrs.nn.utils.rnn import PackedSequence
from qrs.tensor import Tensor, cat, empty, stack, zeros

__all__ = ["GRU", "LSTM", "RNN", "RNNBase", "RecurrentBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RecurrentBase(Module):
    """Layout of a recurrent layer, float or quantized.

    A subclass defines `_run_direction`. The arguments are those of `RNNBase`.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if mode not in _GATES:
            raise ValueError(f"{name}: mode {mode!r} came, expected one of {', '.join(_GATES)}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout {dropout} came, expected a number from 0 to 1")
        if min(hidden_size, num_layers) < 1:
            raise ValueError(
                f"{name}: hidden_size {hidden_size}, num_layers {num_layers} came, expected "
                "positive integers"
            )
        if not 0 <= proj_size < hidden_size or (proj_size and mode != "LSTM"):
            raise ValueError(
                f"{name}: proj_size {proj_size} came, expected one from 0 to {hidden_size - 1} "
                "(hidden_size - 1), and 0 for any layer but LSTM"
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size

    @property
    def num_directions(self) -> int:
        """Return 2 for a bidirectional layer, otherwise 1."""
        return 2 if self.bidirectional else 1

    def _layer_input_size(self, layer: int) -> int:
        return self.input_size if layer == 0 else self._state_size() * self.num_directions

    def _state_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _state_sizes(self) -> tuple[int, ...]:
        """Return the widths of the states that travel from step to step: h, and c of an LSTM."""
        return (self._state_size(), self.hidden_size)[: 2 if self.mode == "LSTM" else 1]

    def _run_direction(
        self,
        rows: Tensor,
        states: tuple[Tensor, ...],
        layer: int,
        reverse: bool,
        sizes: list[int],
    ) -> tuple[Tensor, ...]:
        """Run one direction of one layer.

        Parameters
        ----------
        rows : Tensor, shape (sum(sizes), layer input)
            Rows of a packed sequence.
        states : tuple of Tensor, shapes (B, state)
            First states.
        layer : int
        reverse : bool
        sizes : list of int
            Sequences that run in each step.

        Returns
        -------
        tuple of Tensor
            Rows of the new states, then the last states.
        """
        raise NotImplementedError

    def _rows(self, input: Tensor) -> tuple[Tensor, list[int], bool]:
        """Return the rows of an unpacked input, the sizes of its steps, and if it had a batch."""
        if not isinstance(input, Tensor):
            raise DtypeError(
                f"{self._get_name()}: input is a {type_name(input)}, expected a Tensor or a "
                "PackedSequence; make one with qrs.as_tensor(), or insert a DeQuantStub before "
                "this module if it is quantized"
            )
        batched = input.dim() == 3
        if input.dim() not in (2, 3):
            raise ShapeError(
                f"{self._get_name()}: input of shape {tuple(input.shape)} came, expected "
                f"{'(batch, steps' if self.batch_first else '(steps, batch'}, "
                f"{self.input_size}) or, without a batch, (steps, {self.input_size})"
            )
        if not batched:
            return input, [1] * input.shape[0], False
        if self.batch_first:
            input = input.transpose(0, 1)
        steps, batch, width = input.shape
        return input.reshape(steps * batch, width), [batch] * steps, True

    def _first_states(self, hx: Any, batch: int, batched: bool, like: Tensor) -> tuple[Tensor, ...]:
        """Return the states, each (layers * directions, B, width), or zeros if None came."""
        count = self.num_layers * self.num_directions
        widths = self._state_sizes()
        if hx is None:
            return tuple(zeros(count, batch, width, dtype=like.dtype) for width in widths)
        given = hx if isinstance(hx, tuple | list) else (hx,)
        if len(given) != len(widths):
            what = "a pair (h, c)" if len(widths) == 2 else "one tensor"
            raise ShapeError(
                f"{self._get_name()}: {len(given)} initial states came, expected {what}"
            )
        states = []
        for state, width in zip(given, widths, strict=True):
            expected = (count, batch, width) if batched else (count, width)
            if tuple(state.shape) != expected:
                raise ShapeError(
                    f"{self._get_name()}: initial state of shape {tuple(state.shape)} came, "
                    f"expected {expected}: (layers * directions, {'batch, ' * batched}state)"
                )
            states.append(state if batched else state.unsqueeze(1))
        return tuple(states)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Run the layer over a sequence.

        Parameters
        ----------
        input : Tensor or PackedSequence
            (T, B, I), or (B, T, I) with ``batch_first``, or (T, I) for a single sequence.
        hx : Tensor or pair of Tensor, optional
            Initial states (layers * directions, B, state), zeros by default; without B for a
            single sequence.

        Returns
        -------
        tuple
            The states of the last layer at every step, laid out as the input, with both
            directions beside each other; and the last states of all layers.

        Raises
        ------
        ShapeError, DtypeError
            If the input or the states do not fit the layer.
        """
        packed = isinstance(input, PackedSequence)
        if packed:
            rows, order = input.data, input.sorted_indices
            sizes, batched = input.batch_sizes.tolist(), True
            if hx is not None and order is not None:
                pair = isinstance(hx, tuple | list)
                sort = [s.index_select(1, order) for s in (hx if pair else (hx,))]
                hx = tuple(sort)
        else:
            rows, sizes, batched = self._rows(input)
        check_floats(self._get_name(), input=rows)
        if not sizes or rows.shape[-1] != self.input_size:
            raise ShapeError(
                f"{self._get_name()}: input of {len(sizes)} steps and {rows.shape[-1]} features "
                f"came, expected at least one step and input_size = {self.input_size} features"
            )
        states = self._first_states(hx, sizes[0], batched, rows)
        rows, last = self._run_layers(rows, states, sizes)
        if packed:
            if input.unsorted_indices is not None:
                last = tuple(s.index_select(1, input.unsorted_indices) for s in last)
            output: Any = input._replace(data=rows)
        elif batched:
            output = rows.reshape(len(sizes), sizes[0], rows.shape[-1])
            if self.batch_first:
                output = output.transpose(0, 1)
        else:
            output = rows
            last = tuple(s.squeeze(1) for s in last)
        return output, last if len(last) == 2 else last[0]

    def _run_layers(
        self, rows: Tensor, states: tuple[Tensor, ...], sizes: list[int]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        directions = self.num_directions
        last: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            outputs = []
            for reverse in range(directions):
                first = tuple(state[layer * directions + reverse] for state in states)
                out, *ends = self._run_direction(rows, first, layer, bool(reverse), sizes)
                outputs.append(out)
                last.append(tuple(ends))
            rows = outputs[0] if directions == 1 else cat(outputs, 1)
            if self.training and self.dropout and layer < self.num_layers - 1:
                rows = apply_dropout(rows, self.dropout)
        return rows, tuple(stack(ends, 0) for ends in zip(*last, strict=True))

    def extra_repr(self) -> str:
        """List the sizes, and what differs from the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            value = getattr(self, name)
            if value != default:
                text += f", {name}={value}"
        return text


class RNNBase(RecurrentBase):
    """A float recurrent layer; `RNN`, `LSTM` and `GRU` fix the mode.

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
    proj_size : int
        Width to which the state of an LSTM is projected; 0 for none.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ... : Parameter
        Shapes (G H, I), (G H, P), (G H), (G H), for each layer k ``_lk`` and for the second
        direction ``_lk_reverse``; ``weight_hr_lk`` (P, H) with a projection.
    """

    def __init__(self, mode: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(mode, *args, **kwargs)
        rows = _GATES[mode] * self.hidden_size
        for layer in range(self.num_layers):
            for suffix in self._suffixes(layer):
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, self._layer_input_size(layer)),
                    "weight_hh": (rows, self._state_size()),
                }
                if self.bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if self.proj_size:
                    shapes["weight_hr"] = (self.proj_size, self.hidden_size)
                for name, shape in shapes.items():
                    self.register_parameter(name + suffix, Parameter(empty(shape)))
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self.num_directions]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """Return the parameters, a list for each layer and direction."""
        return [
            [p for name, p in self._parameters.items() if p is not None and name.endswith(suffix)]
            for layer in range(self.num_layers)
            for suffix in self._suffixes(layer)
        ]

    def reset_parameters(self) -> None:
        """Draw all parameters evenly from (-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for param in self.parameters():
            init.uniform_(param, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: there is no other layout to prepare. Model code for GPUs calls it."""

    def _run_direction(
        self,
        rows: Tensor,
        states: tuple[Tensor, ...],
        layer: int,
        reverse: bool,
        sizes: list[int],
    ) -> tuple[Tensor, ...]:
        suffix = self._suffixes(layer)[reverse]
        get: Callable[[str], Any] = self._parameters.get
        w_ih, w_hh = get("weight_ih" + suffix), get("weight_hh" + suffix)
        b_ih, b_hh = get("bias_ih" + suffix), get("bias_hh" + suffix)
        if self.mode == "LSTM":
            h, c = states
            w_hr = get("weight_hr" + suffix)
            return lstm_layer(rows, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse)
        (h,) = states
        if self.mode == "GRU":
            return gru_layer(rows, h, w_ih, w_hh, b_ih, b_hh, sizes, reverse)
        kind = "relu" if self.mode == "RNN_RELU" else "tanh"
        return rnn_layer(rows, h, w_ih, w_hh, b_ih, b_hh, sizes, reverse, kind)


class RNN(RNNBase):
    """Elman layer: h' = tanh(W_ih x + b_ih + W_hh h + b_hh); arguments as `RNNBase`.

    Parameters
    ----------
    *args, **kwargs
        As `RNNBase` without ``mode``; ``nonlinearity`` is "tanh" or "relu".

    Raises
    ------
    ValueError
        For an unknown nonlinearity or sizes that do not fit.

    Examples
    --------
    >>> import qrs
    >>> output, h = qrs.nn.RNN(3, 4)(qrs.zeros(5, 2, 3))
    >>> tuple(output.shape), tuple(h.shape)
    ((5, 2, 4), (1, 2, 4))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        nonlinearity = kwargs.pop("nonlinearity", "tanh")
        # The fourth position is the nonlinearity, as in PyTorch.
        if len(args) > 3 and isinstance(args[3], str):
            nonlinearity, args = args[3], (*args[:3], *args[4:])
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity {nonlinearity!r} came, expected 'tanh' or 'relu'")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory; arguments as `RNNBase` without ``mode``.

    Gates i, f, o = sigmoid and g = tanh of W_ih x + b_ih + W_hh h + b_hh; c' = f c + i g;
    h' = o tanh(c'), projected by ``weight_hr`` if there is one. The rows of the weights hold i, f,
    g, o. Source: Hochreiter and Schmidhuber 1997.

    Examples
    --------
    >>> import qrs
    >>> lstm = qrs.nn.LSTM(3, 4, num_layers=2, batch_first=True)
    >>> output, (h, c) = lstm(qrs.zeros(2, 5, 3))
    >>> tuple(output.shape), tuple(h.shape), tuple(c.shape)
    ((2, 5, 4), (2, 2, 4), (2, 2, 4))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent unit; arguments as `RNNBase` without ``mode`` and ``proj_size``.

    r, z = sigmoid of both projections' sums; n = tanh(W_in x + b_in + r (W_hn h + b_hn));
    h' = (1 - z) n + z h. The rows of the weights hold r, z, n. Source: Cho et al. 2014.

    Examples
    --------
    >>> import qrs
    >>> output, h = qrs.nn.GRU(3, 4, bidirectional=True)(qrs.zeros(5, 2, 3))
    >>> tuple(output.shape), tuple(h.shape)
    ((5, 2, 8), (2, 2, 4))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("GRU", *args, **kwargs)
