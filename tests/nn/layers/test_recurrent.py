"""Recurrent layers and cells: layouts that must agree with each other, and errors."""

import copy

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

MODES = ("LSTM", "GRU", "RNN")


def close(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)


def states(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("mode", MODES)
def test_cell_steps_give_the_layer(mode):
    layer, cell = getattr(nn, mode)(3, 4), getattr(nn, f"{mode}Cell")(3, 4)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = qrs.randn(5, 2, 3)
    output, last = layer(x)
    state = None
    for t in range(5):
        state = cell(x[t], state)
        close(states(state)[0], output[t])
    for a, b in zip(states(state), states(last), strict=True):
        close(a, b[0])


@pytest.mark.parametrize("mode", MODES)
def test_batch_first_is_a_transposition(mode):
    layer = getattr(nn, mode)(3, 4, num_layers=2, bidirectional=True)
    turned = copy.deepcopy(layer)
    turned.batch_first = True
    x = qrs.randn(5, 2, 3)
    (a, last_a), (b, last_b) = layer(x), turned(x.transpose(0, 1))
    close(a, b.transpose(0, 1))
    for u, v in zip(states(last_a), states(last_b), strict=True):
        close(u, v)


@pytest.mark.parametrize("mode", MODES)
def test_single_sequence_is_a_batch_of_one(mode):
    layer = getattr(nn, mode)(3, 4, bidirectional=True)
    x = qrs.randn(5, 3)
    first = tuple(qrs.randn(2, 4) for _ in range(2 if mode == "LSTM" else 1))
    alone, last = layer(x, first if mode == "LSTM" else first[0])
    batch = tuple(s.unsqueeze(1) for s in first)
    many, last_many = layer(x.unsqueeze(1), batch if mode == "LSTM" else batch[0])
    close(alone, many.squeeze(1))
    for u, v in zip(states(last), states(last_many), strict=True):
        close(u, v.squeeze(1))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_packed_sequences_equal_each_sequence_alone(mode, enforce_sorted, bidirectional):
    layer = getattr(nn, mode)(3, 4, num_layers=2, bidirectional=bidirectional)
    lengths = [5, 3, 1] if enforce_sorted else [1, 5, 3]
    x = qrs.randn(5, 3, 3)
    layers = 4 if bidirectional else 2
    first = tuple(qrs.randn(layers, 3, 4) for _ in range(2 if mode == "LSTM" else 1))
    packed = pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
    output, last = layer(packed, first if mode == "LSTM" else first[0])
    padded, counted = pad_packed_sequence(output)
    assert counted.tolist() == lengths
    for b, length in enumerate(lengths):
        own = tuple(s[:, b : b + 1] for s in first)
        alone, end = layer(x[:length, b : b + 1], own if mode == "LSTM" else own[0])
        close(padded[:length, b], alone[:, 0])
        assert float(padded[length:, b].abs().sum()) == 0
        for u, v in zip(states(last), states(end), strict=True):
            close(u[:, b], v[:, 0])


def test_gradients_flow_through_packing():
    layer = nn.LSTM(2, 3)
    x = qrs.randn(4, 2, 2).requires_grad_()
    output, _ = layer(pack_padded_sequence(x, [4, 2]))
    output.data.sum().backward()
    assert float(x.grad[2:, 1].abs().sum()) == 0
    assert float(x.grad[:2, 1].abs().sum()) > 0


def test_dropout_between_layers_acts_in_training_only():
    layer = nn.GRU(3, 4, num_layers=2, dropout=1.0)
    x = qrs.randn(5, 2, 3)
    bare = copy.deepcopy(layer)
    bare.dropout = 0.0
    close(layer.eval()(x)[0], bare(x)[0])
    # All inputs of the second layer are zero in training, so the output ignores x.
    close(layer.train()(x)[0], layer(x * 2)[0])


def test_projection_narrows_output_and_state():
    layer = nn.LSTM(3, 5, num_layers=2, proj_size=2, bidirectional=True)
    output, (h, c) = layer(qrs.randn(4, 2, 3))
    assert output.shape == (4, 2, 4)
    assert h.shape == (4, 2, 2)
    assert c.shape == (4, 2, 5)
    assert layer.weight_hr_l1_reverse.shape == (2, 5)
    assert layer.weight_ih_l1.shape == (20, 4)


def test_empty_batch_gives_an_empty_output():
    output, (h, _) = nn.LSTM(3, 4)(qrs.zeros(5, 0, 3))
    assert output.shape == (5, 0, 4)
    assert h.shape == (1, 0, 4)


def test_inference_equals_training_path():
    layer = nn.LSTM(3, 4, num_layers=2)
    x = qrs.randn(5, 2, 3)
    with qrs.no_grad():
        fast = layer(x)[0]
    assert qrs.equal(fast, layer(x)[0].detach())


def test_parameters_are_listed_layer_by_layer():
    layer = nn.GRU(3, 4, num_layers=2, bias=False, bidirectional=True)
    assert list(layer.state_dict()) == [
        f"weight_{kind}_l{k}{suffix}"
        for k in range(2)
        for suffix in ("", "_reverse")
        for kind in ("ih", "hh")
    ]
    assert [len(group) for group in layer.all_weights] == [2] * 4
    assert layer.flatten_parameters() is None


def test_repr_lists_what_differs_from_the_defaults():
    layer = nn.LSTM(3, 4, 2, batch_first=True, dropout=0.1, bidirectional=True)
    text = "LSTM(3, 4, num_layers=2, batch_first=True, dropout=0.1, bidirectional=True)"
    assert repr(layer) == text
    assert repr(nn.RNNCell(3, 4, nonlinearity="relu")) == "RNNCell(3, 4, nonlinearity=relu)"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.LSTM(3, 4)(qrs.zeros(5, 2, 7)), "7 features came, .* input_size = 3"),
        (lambda: nn.LSTM(3, 4)(qrs.zeros(5)), r"expected \(steps, batch, 3\)"),
        (lambda: nn.LSTM(3, 4)(qrs.zeros(0, 2, 3)), "0 steps .* at least one step"),
        (
            lambda: nn.GRU(3, 4)(qrs.zeros(5, 2, 3), qrs.zeros(1, 3, 4)),
            r"initial state of shape \(1, 3, 4\) came, expected \(1, 2, 4\)",
        ),
        (
            lambda: nn.LSTM(3, 4)(qrs.zeros(5, 2, 3), qrs.zeros(1, 2, 4)),
            r"1 initial states came, expected a pair",
        ),
        (lambda: nn.LSTMCell(3, 4)(qrs.zeros(2, 7)), r"expected \(batch, 3\)"),
        (lambda: nn.GRUCell(3, 4)(qrs.zeros(2, 3), qrs.zeros(3, 4)), r"1 of shape \(2, 4\)"),
    ],
)
def test_misfits_are_explained(call, words):
    with pytest.raises(qrs.ShapeError, match=words):
        call()


def test_integers_are_refused():
    with pytest.raises(qrs.DtypeError, match=r"LSTM: input of dtype qrs\.int64"):
        nn.LSTM(3, 4)(qrs.zeros(5, 2, 3, dtype=qrs.int64))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LSTM(3, 4, dropout=1.5),
        lambda: nn.LSTM(3, 4, proj_size=4),
        lambda: nn.GRU(3, 4, proj_size=2),
        lambda: nn.LSTM(3, 0),
        lambda: nn.RNN(3, 4, nonlinearity="gelu"),
        lambda: nn.RNNCell(3, 4, nonlinearity="gelu"),
        lambda: nn.layers.recurrent.RNNBase("BRNN", 3, 4),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match="came, expected"):
        make()
