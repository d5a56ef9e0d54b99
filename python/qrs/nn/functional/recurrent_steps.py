"""One direction of one recurrent layer on arrays: forward over time and backward through time.

Shapes
    The sequence is packed: step ``t`` occupies ``sizes[t]`` consecutive rows, one per sequence
    that is still running, sequences sorted by falling length. A batch of equal lengths is the
    case in which all sizes are equal, so that one loop serves padded and packed input.
    ``x`` (rows, I), ``h`` (B, P), ``c`` (B, H), ``w_ih`` (G H, I), ``w_hh`` (G H, P), biases (G H)
    or None, ``w_hr`` (P, H) or None, where G is the number of gates and P = H without projection.

Order of time
    A reversed direction walks the steps from the last to the first. In both orders a state row is
    touched only while its sequence runs, so what is left at the end is the state at its own end.

Rounding
    With ``engine``, the states are rounded before each product as the dynamically quantized layer
    rounds them under that profile; the gradient passes straight through.

The input projection of all steps is one matrix product, as are the weight gradients; only the
product with the previous state stays in the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qrs.autograd.arrays import Array
from qrs.nn.functional.dynamic_rounding import rounded
from qrs.nn.functional.products import times_transposed

__all__ = ["GruSteps", "LstmSteps", "RnnSteps", "Saved"]


class Saved(NamedTuple):
    """What the backward pass needs of a forward pass; arrays have one row per input row."""

    gates: Array
    h_prev: Array
    extra: tuple[Array, ...]


def _steps(sizes: list[int], reverse: bool) -> Iterator[tuple[slice, int]]:
    """Yield (rows, running sequences) of each step in the order of processing."""
    stops = np.cumsum(sizes).tolist()
    pairs = [(slice(stop - n, stop), n) for stop, n in zip(stops, sizes, strict=True)]
    return reversed(pairs) if reverse else iter(pairs)


def _project(x: Array, weight: Array, *biases: Array | None) -> Array:
    out = times_transposed(x, weight)
    for bias in biases:
        if bias is not None:
            out += bias
    return out


def _seen(state: Array, engine: str | None) -> Array:
    """The state as the next product sees it: rounded as a dynamically quantized layer would."""
    return state if engine is None else rounded(state, engine)


def _sigmoid_(x: Array) -> None:
    """Sigmoid in place as 0.5 tanh(0.5 x) + 0.5, which never overflows."""
    x *= 0.5
    np.tanh(x, out=x)
    x *= 0.5
    x += 0.5


def _parameter_grads(
    d_ih: Array, d_hh: Array, x: Array, saved: Saved, w_ih: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Return the gradients of (x, w_ih, w_hh, b_ih, b_hh) from those of the two projections."""
    return (
        d_ih @ w_ih,
        d_ih.T @ x,
        d_hh.T @ saved.h_prev,
        d_ih.sum(axis=0),
        d_hh.sum(axis=0),
    )


class LstmSteps:
    """LSTM, gates in the order input, forget, cell, output.

    i, f, o = sigmoid, g = tanh of the sum of both projections; c' = f c + i g; h' = o tanh(c').
    With a projection h' = w_hr (o tanh(c')). Source: Hochreiter and Schmidhuber 1997, with the
    forget gate of Gers et al. 2000; projection: Sak et al. 2014, arXiv:1402.1128.
    """

    @staticmethod
    def forward(
        x: Array,
        h: Array,
        c: Array,
        w_ih: Array,
        w_hh: Array,
        b_ih: Array | None,
        b_hh: Array | None,
        w_hr: Array | None,
        sizes: list[int],
        reverse: bool,
        save: bool,
        engine: str | None = None,
    ) -> tuple[Array, Array, Array, Saved | None]:
        """Return (rows of h', last h, last c, what backward needs)."""
        gates = _project(x, w_ih, b_ih, b_hh)
        hidden = c.shape[1]
        h, c = h.copy(), c.copy()
        out = np.empty((len(x), h.shape[1]), dtype=gates.dtype, like=gates)
        if save:
            h_prev, c_prev, tanh_c = (
                np.empty((len(x), n), gates.dtype, like=gates) for n in (h.shape[1], hidden, hidden)
            )
        for rows, n in _steps(sizes, reverse):
            gate = gates[rows]
            state = _seen(h[:n], engine)
            if save:
                h_prev[rows], c_prev[rows] = state, c[:n]
            gate += times_transposed(state, w_hh)
            _sigmoid_(gate[:, : 2 * hidden])
            np.tanh(gate[:, 2 * hidden : 3 * hidden], out=gate[:, 2 * hidden : 3 * hidden])
            _sigmoid_(gate[:, 3 * hidden :])
            cell = c[:n]
            cell *= gate[:, hidden : 2 * hidden]
            cell += gate[:, :hidden] * gate[:, 2 * hidden : 3 * hidden]
            squashed = np.tanh(cell)
            if save:
                tanh_c[rows] = squashed
            squashed *= gate[:, 3 * hidden :]
            h[:n] = squashed if w_hr is None else times_transposed(_seen(squashed, engine), w_hr)
            out[rows] = h[:n]
        return out, h, c, Saved(gates, h_prev, (c_prev, tanh_c)) if save else None

    @staticmethod
    def backward(
        saved: Saved,
        d_out: Array,
        dh: Array,
        dc: Array,
        x: Array,
        w_ih: Array,
        w_hh: Array,
        w_hr: Array | None,
        sizes: list[int],
        reverse: bool,
        engine: str | None = None,
    ) -> tuple[Array | None, ...]:
        """Return the gradients of (x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr)."""
        gates, (c_prev, tanh_c) = saved.gates, saved.extra
        hidden = dc.shape[1]
        dh, dc = dh.copy(), dc.copy()
        d_gates = np.empty_like(gates)
        d_projected = None if w_hr is None else np.empty_like(saved.h_prev)
        for rows, n in _steps(sizes, not reverse):
            i, f, g, o = (gates[rows, k * hidden : (k + 1) * hidden] for k in range(4))
            dh_now = dh[:n] + d_out[rows]
            if w_hr is not None and d_projected is not None:
                d_projected[rows] = dh_now
                dh_now = dh_now @ w_hr
            squashed = tanh_c[rows]
            dc_now = dc[:n] + dh_now * o * (1 - squashed * squashed)
            d_gate = d_gates[rows]
            d_gate[:, :hidden] = dc_now * g * i * (1 - i)
            d_gate[:, hidden : 2 * hidden] = dc_now * c_prev[rows] * f * (1 - f)
            d_gate[:, 2 * hidden : 3 * hidden] = dc_now * i * (1 - g * g)
            d_gate[:, 3 * hidden :] = dh_now * squashed * o * (1 - o)
            dc[:n] = dc_now * f
            dh[:n] = d_gate @ w_hh
        dx, *d_params = _parameter_grads(d_gates, d_gates, x, saved, w_ih)
        d_hr = None
        if d_projected is not None:
            d_hr = d_projected.T @ _seen(gates[:, 3 * hidden :] * tanh_c, engine)
        return dx, dh, dc, *d_params, d_hr


class GruSteps:
    """GRU, gates in the order reset, update, new.

    r, z = sigmoid of the sum of both projections; n = tanh(ih_n + r hh_n); h' = (h - n) z + n.
    Source: Cho et al. 2014, arXiv:1406.1078, with the reset applied after the product.
    """

    @staticmethod
    def forward(
        x: Array,
        h: Array,
        w_ih: Array,
        w_hh: Array,
        b_ih: Array | None,
        b_hh: Array | None,
        sizes: list[int],
        reverse: bool,
        save: bool,
    ) -> tuple[Array, Array, Saved | None]:
        """Return (rows of h', last h, what backward needs)."""
        gates = _project(x, w_ih, b_ih)
        hidden = h.shape[1]
        h = h.copy()
        out = np.empty((len(x), hidden), dtype=gates.dtype, like=gates)
        if save:
            h_prev, hh_new = np.empty_like(out), np.empty_like(out)
        for rows, n in _steps(sizes, reverse):
            gate, state = gates[rows], h[:n]
            from_state = _project(state, w_hh, b_hh)
            new_part = from_state[:, 2 * hidden :]
            if save:
                h_prev[rows], hh_new[rows] = state, new_part
            gate[:, : 2 * hidden] += from_state[:, : 2 * hidden]
            _sigmoid_(gate[:, : 2 * hidden])
            new = gate[:, 2 * hidden :]
            new += gate[:, :hidden] * new_part
            np.tanh(new, out=new)
            state -= new
            state *= gate[:, hidden : 2 * hidden]
            state += new
            out[rows] = state
        return out, h, Saved(gates, h_prev, (hh_new,)) if save else None

    @staticmethod
    def backward(
        saved: Saved,
        d_out: Array,
        dh: Array,
        x: Array,
        w_ih: Array,
        w_hh: Array,
        sizes: list[int],
        reverse: bool,
    ) -> tuple[Array, ...]:
        """Return the gradients of (x, h, w_ih, w_hh, b_ih, b_hh)."""
        gates, (hh_new,) = saved.gates, saved.extra
        hidden = dh.shape[1]
        dh = dh.copy()
        d_ih, d_hh = np.empty_like(gates), np.empty_like(gates)
        for rows, n in _steps(sizes, not reverse):
            r, z, new = (gates[rows, k * hidden : (k + 1) * hidden] for k in range(3))
            dh_now = dh[:n] + d_out[rows]
            d_new = dh_now * (1 - z) * (1 - new * new)
            d_i, d_h = d_ih[rows], d_hh[rows]
            d_i[:, :hidden] = d_new * hh_new[rows] * r * (1 - r)
            d_i[:, hidden : 2 * hidden] = dh_now * (saved.h_prev[rows] - new) * z * (1 - z)
            d_i[:, 2 * hidden :] = d_new
            d_h[:, : 2 * hidden] = d_i[:, : 2 * hidden]
            d_h[:, 2 * hidden :] = d_new * r
            dh[:n] = dh_now * z + d_h @ w_hh
        dx, *d_params = _parameter_grads(d_ih, d_hh, x, saved, w_ih)
        return dx, dh, *d_params


class RnnSteps:
    """Elman network: h' = tanh or relu of the sum of both projections."""

    @staticmethod
    def forward(
        x: Array,
        h: Array,
        w_ih: Array,
        w_hh: Array,
        b_ih: Array | None,
        b_hh: Array | None,
        sizes: list[int],
        reverse: bool,
        save: bool,
        relu: bool,
    ) -> tuple[Array, Array, Saved | None]:
        """Return (rows of h', last h, what backward needs)."""
        out = _project(x, w_ih, b_ih, b_hh)
        h = h.copy()
        h_prev = np.empty_like(out) if save else None
        for rows, n in _steps(sizes, reverse):
            if h_prev is not None:
                h_prev[rows] = h[:n]
            state = out[rows]
            state += times_transposed(h[:n], w_hh)
            if relu:
                np.maximum(state, 0, out=state)
            else:
                np.tanh(state, out=state)
            h[:n] = state
        return out, h, None if h_prev is None else Saved(out, h_prev, ())

    @staticmethod
    def backward(
        saved: Saved,
        d_out: Array,
        dh: Array,
        x: Array,
        w_ih: Array,
        w_hh: Array,
        sizes: list[int],
        reverse: bool,
        relu: bool,
    ) -> tuple[Array, ...]:
        """Return the gradients of (x, h, w_ih, w_hh, b_ih, b_hh)."""
        out = saved.gates
        dh = dh.copy()
        d_sum = np.empty_like(out)
        for rows, n in _steps(sizes, not reverse):
            state = out[rows]
            slope = state > 0 if relu else 1 - state * state
            d_sum[rows] = (dh[:n] + d_out[rows]) * slope
            dh[:n] = d_sum[rows] @ w_hh
        dx, *d_params = _parameter_grads(d_sum, d_sum, x, saved, w_ih)
        return dx, dh, *d_params
