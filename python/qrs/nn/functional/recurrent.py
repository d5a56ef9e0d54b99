"""Recurrent layers as primitives: one direction of one layer over a packed sequence.

Each function takes the rows of a packed sequence (see `recurrent_steps` for the layout) and returns
the rows of the new states with the last states. `nn.LSTM`, `nn.GRU`, `nn.RNN` and their cells are
loops over these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, apply, define_fused
from qrs.autograd.arrays import Array
from qrs.nn.functional.dynamic_rounding import rounded
from qrs.nn.functional.recurrent_steps import GruSteps, LstmSteps, RnnSteps
from qrs.tensor import Tensor

__all__ = ["gru_layer", "lstm_layer", "rnn_layer"]


def _wanted(grads: Sequence[Array | None], needs: Sequence[bool]) -> list[Array | None]:
    return [g if need else None for g, need in zip(grads, needs, strict=True)]


def _lstm_forward(
    x: Array,
    h: Array,
    c: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    w_hr: Array | None,
    *,
    save: bool,
    sizes: list[int],
    reverse: bool,
    engine: str | None = None,
) -> tuple[tuple[Array, ...], Any]:
    if engine is not None:
        x = rounded(x, engine)
    out, h_last, c_last, saved = LstmSteps.forward(
        x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse, save, engine
    )
    return (out, h_last, c_last), (saved, x, w_ih, w_hh, w_hr) if save else None


def _lstm_backward(
    grads: Sequence[Array],
    saved: Any,
    needs: Sequence[bool],
    *,
    sizes: list[int],
    reverse: bool,
    engine: str | None = None,
) -> Sequence[Array | None]:
    steps, x, w_ih, w_hh, w_hr = saved
    d_out, dh, dc = grads
    return _wanted(
        LstmSteps.backward(steps, d_out, dh, dc, x, w_ih, w_hh, w_hr, sizes, reverse, engine),
        needs,
    )


def _gru_forward(
    x: Array,
    h: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    save: bool,
    sizes: list[int],
    reverse: bool,
) -> tuple[tuple[Array, ...], Any]:
    out, h_last, saved = GruSteps.forward(x, h, w_ih, w_hh, b_ih, b_hh, sizes, reverse, save)
    return (out, h_last), (saved, x, w_ih, w_hh) if save else None


def _gru_backward(
    grads: Sequence[Array],
    saved: Any,
    needs: Sequence[bool],
    *,
    sizes: list[int],
    reverse: bool,
) -> Sequence[Array | None]:
    steps, x, w_ih, w_hh = saved
    d_out, dh = grads
    return _wanted(GruSteps.backward(steps, d_out, dh, x, w_ih, w_hh, sizes, reverse), needs)


def _rnn_forward(
    x: Array,
    h: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    save: bool,
    sizes: list[int],
    reverse: bool,
    relu: bool,
) -> tuple[tuple[Array, ...], Any]:
    out, h_last, saved = RnnSteps.forward(x, h, w_ih, w_hh, b_ih, b_hh, sizes, reverse, save, relu)
    return (out, h_last), (saved, x, w_ih, w_hh) if save else None


def _rnn_backward(
    grads: Sequence[Array],
    saved: Any,
    needs: Sequence[bool],
    *,
    sizes: list[int],
    reverse: bool,
    relu: bool,
) -> Sequence[Array | None]:
    steps, x, w_ih, w_hh = saved
    d_out, dh = grads
    return _wanted(RnnSteps.backward(steps, d_out, dh, x, w_ih, w_hh, sizes, reverse, relu), needs)


def _samples(gates: int, states: int, *settings: dict[str, Any]) -> Any:
    """Make samples: falling lengths both ways, and no biases."""

    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        inputs, hidden = 2, 3
        for sizes, reverse, bias in (([3, 2, 1], False, True), ([2, 2], True, False)):
            shapes: list[tuple[int, ...]] = [(sum(sizes), inputs)]
            shapes += [(sizes[0], hidden)] * states
            shapes += [(gates * hidden, inputs), (gates * hidden, hidden)]
            args: list[Any] = [rng.standard_normal(shape) for shape in shapes]
            args += [rng.standard_normal(gates * hidden) if bias else None for _ in range(2)]
            if states == 2:
                args.append(None)
            for params in settings or ({},):
                yield Sample(*args, sizes=sizes, reverse=reverse, **params)
        if states == 2:
            shapes = [(3, 2), (2, 1), (2, 3), (12, 2), (12, 1), (12,), (12,), (1, 3)]
            args = [rng.standard_normal(shape) for shape in shapes]
            yield Sample(*args, sizes=[2, 1], reverse=False)

    return samples


LSTM_LAYER = define_fused("lstm_layer", _lstm_forward, _lstm_backward, samples=_samples(4, 2))
GRU_LAYER = define_fused("gru_layer", _gru_forward, _gru_backward, samples=_samples(3, 1))
RNN_LAYER = define_fused(
    "rnn_layer",
    _rnn_forward,
    _rnn_backward,
    samples=_samples(1, 1, {"relu": False}, {"relu": True}),
)


def lstm_layer(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    w_hr: Tensor | None,
    sizes: list[int],
    reverse: bool = False,
    engine: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one direction of one LSTM layer.

    Parameters
    ----------
    x : Tensor, shape (sum(sizes), I)
        Rows of a packed sequence.
    h, c : Tensor, shapes (B, P) and (B, H)
        First states; P is H, or the rows of ``w_hr``.
    w_ih, w_hh : Tensor, shapes (4 H, I) and (4 H, P)
        Gates in the order input, forget, cell, output.
    b_ih, b_hh : Tensor, shape (4 H,), optional
    w_hr : Tensor, shape (P, H), optional
        Projection of the state.
    sizes : list of int
        Sequences that run in each step; ``sizes[0]`` is B.
    reverse : bool
        From the last step to the first.
    engine : {"qrs", "fbgemm", "qnnpack"}, optional
        Round inputs and states as the dynamically quantized layer does under a profile.

    Returns
    -------
    tuple of Tensor
        Rows of the states, shape (sum(sizes), P); last h; last c.

    Examples
    --------
    >>> import qrs
    >>> zeros = qrs.zeros
    >>> out, h, c = lstm_layer(
    ...     zeros(4, 2), zeros(2, 3), zeros(2, 3), zeros(12, 2), zeros(12, 3), *[None] * 3, [2, 2]
    ... )
    >>> tuple(out.shape), tuple(h.shape)
    ((4, 3), (2, 3))
    """
    settings = {"sizes": sizes, "reverse": reverse, "engine": engine}
    return apply(  # type: ignore[no-any-return]  # an operation is untyped
        LSTM_LAYER, x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, **settings
    )


def gru_layer(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    sizes: list[int],
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """Run one direction of one GRU layer; gates in the order reset, update, new.

    The arguments are those of `lstm_layer` without cell state and projection.

    Returns
    -------
    tuple of Tensor
        Rows of the states, shape (sum(sizes), H); last h.

    Examples
    --------
    >>> import qrs
    >>> zeros = qrs.zeros
    >>> out, h = gru_layer(zeros(6, 2), zeros(2, 3), zeros(9, 2), zeros(9, 3), None, None, [2] * 3)
    >>> tuple(out.shape)
    (6, 3)
    """
    return apply(  # type: ignore[no-any-return]  # an operation is untyped
        GRU_LAYER, x, h, w_ih, w_hh, b_ih, b_hh, sizes=sizes, reverse=reverse
    )


def rnn_layer(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    sizes: list[int],
    reverse: bool = False,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, Tensor]:
    """Run one direction of one Elman layer.

    The arguments are those of `gru_layer` and ``nonlinearity``, "tanh" or "relu".

    Returns
    -------
    tuple of Tensor
        Rows of the states, shape (sum(sizes), H); last h.

    Examples
    --------
    >>> import qrs
    >>> zeros = qrs.zeros
    >>> out, h = rnn_layer(zeros(6, 2), zeros(2, 3), zeros(3, 2), zeros(3, 3), None, None, [2] * 3)
    >>> tuple(out.shape)
    (6, 3)
    """
    relu = nonlinearity == "relu"
    return apply(  # type: ignore[no-any-return]  # an operation is untyped
        RNN_LAYER, x, h, w_ih, w_hh, b_ih, b_hh, sizes=sizes, reverse=reverse, relu=relu
    )
