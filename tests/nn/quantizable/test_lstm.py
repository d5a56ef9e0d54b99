"""LSTM made of observable parts, and its static quantization."""

import copy
import pickle

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, ShapeError, UnsupportedLayerError
from qrs.nn import quantizable
from qrs.nn import quantized as nnq


@pytest.fixture(autouse=True)
def seed() -> None:
    qrs.manual_seed(0)


SETTINGS = [
    {},
    {"num_layers": 2, "batch_first": True},
    {"bidirectional": True, "bias": False},
    {"num_layers": 2, "bidirectional": True, "dropout": 0.5},
]


class Net(nn.Module):
    """An LSTM between stubs, one level down."""

    def __init__(self, lstm: nn.Module) -> None:
        super().__init__()
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        self.body = nn.ModuleDict({"lstm": lstm})

    def forward(self, x: qrs.Tensor) -> tuple[qrs.Tensor, qrs.Tensor, qrs.Tensor]:
        y, (h, c) = self.body["lstm"](self.quant(x))
        return self.dequant(y), self.dequant(h), self.dequant(c)


def static(model: nn.Module, x: qrs.Tensor, **config: dict) -> nn.Module:
    model.eval().qconfig = Q.get_default_qconfig()
    prepared = Q.prepare(model, prepare_custom_config_dict=config.get("prepare"))
    prepared(x)
    return Q.convert(prepared, convert_custom_config_dict=config.get("convert"))


@pytest.mark.parametrize("settings", SETTINGS)
def test_in_float_it_computes_what_lstm_does(settings: dict) -> None:
    lstm = nn.LSTM(5, 6, **settings).eval()
    other = quantizable.LSTM.from_float(lstm)
    x = qrs.randn(3, 4, 5)
    count = settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1)
    batch = 3 if settings.get("batch_first") else 4
    states = (qrs.randn(count, batch, 6), qrs.randn(count, batch, 6))
    for hidden in (None, states):
        y, (h, c) = lstm(x, hidden)
        got, (got_h, got_c) = other(x, hidden)
        for a, b in ((y, got), (h, got_h), (c, got_c)):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("settings", SETTINGS)
def test_converted_it_is_close_to_float(settings: dict) -> None:
    model, x = Net(nn.LSTM(5, 8, **settings)), qrs.randn(6, 4, 5)
    expected = [value.detach().numpy() for value in model.eval()(x)]
    quantized = static(model, x)
    kinds = {type(part) for part in quantized.body["lstm"].modules()}
    assert nnq.Linear in kinds
    assert nnq.QFunctional in kinds
    assert nn.Linear not in kinds
    for got, want in zip(quantized(x), expected, strict=True):
        assert np.abs(got.numpy() - want).max() < 0.05


@pytest.mark.parametrize("nested", [False, True])
def test_the_mappings_of_pytorch_work_too(nested: bool) -> None:
    model, x = Net(nn.LSTM(5, 8)), qrs.randn(6, 4, 5)
    model = nn.Sequential(model) if nested else model
    expected = static(copy.deepcopy(model), x)(x)
    observed = {nn.LSTM: quantizable.LSTM}
    quantized = {quantizable.LSTM: quantizable.LSTM}
    explicit = static(
        model,
        x,
        prepare={"float_to_observed_custom_module_class": observed},
        convert={"observed_to_quantized_custom_module_class": quantized},
    )
    for a, b in zip(explicit(x), expected, strict=True):
        assert qrs.equal(a, b)


def test_an_lstm_alone_is_replaced_too() -> None:
    lstm = nn.LSTM(5, 8).eval()
    lstm.qconfig = Q.get_default_qconfig()
    prepared = Q.prepare(lstm)
    assert type(prepared) is quantizable.LSTM
    x = qrs.randn(6, 4, 5)
    prepared(x)
    y, _ = Q.convert(prepared)(qrs.quantize_per_tensor(x, 0.03, 128, qrs.quint8))
    assert y.dtype is qrs.quint8


def test_quantized_first_states() -> None:
    model, x = Net(nn.LSTM(5, 8)), qrs.randn(6, 4, 5)
    quantized = static(model, x)
    lstm, q = quantized.body["lstm"], quantized.quant(x)
    whole, last = lstm(q)
    first, middle = lstm(q[:3])
    second, end = lstm(q[3:], middle)
    assert qrs.equal(qrs.cat([first, second]).int_repr(), whole.int_repr())
    for a, b in zip(end, last, strict=True):
        assert a.equal(b)


@pytest.mark.parametrize("kind", ["LSTM", "LSTMCell"])
def test_float_first_states(kind: str) -> None:
    """As code that makes zeros of its own passes them."""

    class Stated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant, self.cell = Q.QuantStub(), getattr(nn, kind)(5, 8)
            self.dequant = Q.DeQuantStub()

        def forward(self, x: qrs.Tensor, h: qrs.Tensor, c: qrs.Tensor) -> qrs.Tensor:
            return self.dequant(self.cell(self.quant(x), (h, c))[0])

    model = Stated().eval()
    model.qconfig = Q.get_default_qconfig()
    batch = (1, 4) if kind == "LSTM" else (4,)
    x = qrs.randn(6, 4, 5) if kind == "LSTM" else qrs.randn(4, 5)
    zeros, some = qrs.zeros(*batch, 8), 0.3 * qrs.randn(*batch, 8)
    prepared = Q.prepare(model)
    expected = {state: prepared(x, state, state) for state in (zeros, some)}
    small = Q.convert(prepared)
    for state, wanted in expected.items():
        assert (small(x, state, state) - wanted).abs().max().item() < 0.05
    q = small.quant(x)
    assert small.cell(q, (zeros, zeros))[0].equal(small.cell(q)[0])


def test_a_cell_by_itself() -> None:
    cell, x = nn.LSTMCell(5, 8), qrs.randn(4, 5)
    h, c = cell(x)
    observable = quantizable.LSTMCell.from_float(cell)
    for a, b in zip(observable(x), (h, c), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)
    model = nn.Sequential(Q.QuantStub(), cell).eval()
    quantized = static(model, x)
    assert type(quantized[1]) is quantizable.LSTMCell
    for a, b in zip(quantized(x), (h, c), strict=True):
        assert np.abs(a.dequantize().numpy() - b.detach().numpy()).max() < 0.05


def test_copies_and_states_carry_everything() -> None:
    x = qrs.randn(6, 4, 5)
    first, second = (static(Net(nn.LSTM(5, 8, 2)), x * k) for k in (1, 2))
    expected = first(x)
    second.load_state_dict(first.state_dict())
    for other in (second, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        for a, b in zip(other(x), expected, strict=True):
            assert qrs.equal(a, b)


def test_wrong_uses_are_refused() -> None:
    lstm = quantizable.LSTM(5, 8)
    with pytest.raises(ShapeError, match="the last of 5"):
        lstm(qrs.randn(6, 4, 4))
    with pytest.raises(ShapeError, match=r"c of shape \(1, 4, 7\)"):
        lstm(qrs.randn(6, 4, 5), (qrs.zeros(1, 4, 8), qrs.zeros(1, 4, 7)))
    with pytest.raises(DtypeError, match="pad packed sequences"):
        lstm(nn.utils.rnn.pack_sequence([qrs.randn(3, 5)]))
    with pytest.raises(UnsupportedLayerError, match="proj_size 4"):
        quantizable.LSTM.from_float(nn.LSTM(5, 8, proj_size=4))
    with pytest.raises(TypeError, match="a GRU came"):
        quantizable.LSTM.from_float(nn.GRU(5, 8))
    with pytest.raises(TypeError, match="a GRUCell came"):
        quantizable.LSTMCell.from_float(nn.GRUCell(5, 8))
