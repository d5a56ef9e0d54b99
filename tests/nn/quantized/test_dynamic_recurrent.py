"""Dynamically quantized LSTM, GRU, RNN and their cells against the oracle, and their state."""

import copy
import pickle

import numpy as np
import pytest
from tests.golden import reference as ref

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, NonFiniteError, ShapeError, StateDictError
from qrs.nn.quantized import dynamic as nnqd
from qrs.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

ENGINES = ["qrs", "fbgemm", "qnnpack"]
LAYERS = ["LSTM", "GRU", "RNN"]
# The kernels' sigmoid and tanh differ from NumPy's in the last bits, which can move a hidden state
# across a rounding boundary of its next quantization.
TOLERANCE = 0.02


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(qrs.backends.quantized, "engine", request.param)
    return request.param


def values(*shape: int, seed: int = 0) -> qrs.Tensor:
    return qrs.from_numpy(np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32))


def cells(layer: nn.Module, suffixes: list[list[str]]) -> list[list[ref.Cell]]:
    def get(name: str) -> np.ndarray | None:
        param = getattr(layer, name, None)
        return None if param is None else param.detach().numpy()

    def one(suffix: str) -> ref.Cell:
        weights = (ref.weight_qrs(get(f"weight_{side}{suffix}")) for side in ("ih", "hh"))
        return ref.Cell(*weights, get(f"bias_ih{suffix}"), get(f"bias_hh{suffix}"))

    return [[one(suffix) for suffix in layer_suffixes] for layer_suffixes in suffixes]


def states(name: str, count: int, batch: int, hidden: int) -> tuple[qrs.Tensor, ...]:
    return tuple(
        values(count, batch, hidden, seed=s) * 0.5 for s in range(2 if name == "LSTM" else 1)
    )


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    ("inputs", "hidden", "layers", "both", "bias"),
    [(5, 7, 1, False, True), (16, 16, 2, True, True), (3, 33, 2, False, False)],
)
def test_layers_agree_with_the_oracle(
    engine: str, name: str, inputs: int, hidden: int, layers: int, both: bool, bias: bool
) -> None:
    layer = getattr(nn, name)(inputs, hidden, layers, bias=bias, bidirectional=both)
    qconfig = Q.get_default_dynamic_qconfig("qrs")
    quantized = Q.quantize_dynamic(layer, {type(layer): qconfig})
    x = values(6, 3, inputs)
    first = states(name, layers * (1 + both), 3, hidden)
    y, last = quantized(x, first if name == "LSTM" else first[0])
    suffixes = [[f"_l{i}{d}" for d in (("", "_reverse") if both else ("",))] for i in range(layers)]
    arrays = [state.numpy() for state in first]
    kind = "RNN_TANH" if name == "RNN" else name
    expected = ref.run_rnn(
        kind,
        x.numpy(),
        arrays[0],
        arrays[1] if name == "LSTM" else None,
        cells(layer, suffixes),
        engine,
    )
    got = (y, *last) if name == "LSTM" else (y, last)
    for value, want in zip(got, expected, strict=False):
        np.testing.assert_allclose(value.numpy(), want, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["LSTMCell", "GRUCell", "RNNCell"])
def test_a_cell_is_one_step_of_its_layer(engine: str, name: str) -> None:
    cell = getattr(nn, name)(5, 7)
    layer = getattr(nn, name.removesuffix("Cell"))(5, 7)
    layer.load_state_dict({f"{key}_l0": value for key, value in cell.state_dict().items()})
    cell, layer = Q.quantize_dynamic(cell), Q.quantize_dynamic(layer)
    x = values(3, 5)
    first = states(name.removesuffix("Cell"), 1, 3, 7)
    pair = name == "LSTMCell"
    new = cell(x, (first[0][0], first[1][0]) if pair else first[0][0])
    _, last = layer(x.unsqueeze(0), first if pair else first[0])
    for a, b in zip(new if pair else (new,), last if pair else (last,), strict=True):
        assert qrs.equal(a, b[0])


def test_relu_layers_and_cells(engine: str) -> None:
    x = values(4, 2, 5)
    for layer, inputs in (
        (nn.RNN(5, 6, nonlinearity="relu"), x),
        (nn.RNNCell(5, 6, nonlinearity="relu"), x[0]),
    ):
        quantized = Q.quantize_dynamic(layer)
        out = quantized(inputs)
        out = out[0] if isinstance(out, tuple) else out
        expected = layer(inputs)
        expected = expected[0] if isinstance(expected, tuple) else expected
        assert (out >= 0).all()
        np.testing.assert_allclose(out.numpy(), expected.detach().numpy(), rtol=0, atol=0.1)


@pytest.mark.parametrize("name", LAYERS)
def test_batch_first_and_unbatched_equal_the_plain_layout(engine: str, name: str) -> None:
    layer = Q.quantize_dynamic(getattr(nn, name)(4, 6, num_layers=2, bidirectional=True))
    first = copy.deepcopy(layer)
    first.batch_first = True
    x = values(5, 1, 4)
    y, last = layer(x)
    y_first, last_first = first(x.transpose(0, 1))
    y_alone, last_alone = layer(x[:, 0])
    assert qrs.equal(y_first.transpose(0, 1), y)
    assert qrs.equal(y_alone, y[:, 0])
    for a, b, c in zip(
        *(v if name == "LSTM" else (v,) for v in (last, last_first, last_alone)), strict=True
    ):
        assert qrs.equal(a, b)
        assert qrs.equal(a[:, 0], c)


@pytest.mark.parametrize("name", LAYERS)
def test_packed_sequences_equal_each_sequence_alone_under_qrs(name: str) -> None:
    layer = Q.quantize_dynamic(getattr(nn, name)(4, 6, num_layers=2, bidirectional=True))
    lengths = [5, 2, 4]
    x = values(5, 3, 4)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    y, last = layer(packed)
    padded, got_lengths = pad_packed_sequence(y)
    assert got_lengths.tolist() == lengths
    for i, length in enumerate(lengths):
        y_alone, last_alone = layer(x[:length, i : i + 1])
        assert qrs.equal(padded[:length, i : i + 1], y_alone)
        for a, b in zip(
            last if name == "LSTM" else (last,),
            last_alone if name == "LSTM" else (last_alone,),
            strict=True,
        ):
            assert qrs.equal(a[:, i : i + 1], b)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    layer = Q.quantize_dynamic(nn.LSTM(8, 16, num_layers=2))
    x = values(7, 5, 8)
    whole, _ = layer(x)
    for i in range(5):
        assert qrs.equal(layer(x[:, i : i + 1])[0], whole[:, i : i + 1])


def test_steps_one_by_one_equal_the_whole_sequence_under_qrs() -> None:
    layer = Q.quantize_dynamic(nn.LSTM(8, 16, num_layers=2))
    x = values(9, 2, 8)
    whole, last = layer(x)
    state = None
    for t in range(9):
        y, state = layer(x[t : t + 1], state)
        assert qrs.equal(y[0], whole[t])
    assert qrs.equal(state[0], last[0])
    assert qrs.equal(state[1], last[1])


def test_projection_stays_close_to_float() -> None:
    layer = nn.LSTM(8, 16, num_layers=2, bidirectional=True, proj_size=5)
    quantized = Q.quantize_dynamic(layer)
    assert repr(quantized) == (
        "DynamicQuantizedLSTM(8, 16, proj_size=5, num_layers=2, bidirectional=True)"
    )
    x = values(6, 2, 8)
    y, (h, c) = quantized(x)
    y_float, (h_float, c_float) = layer(x)
    for a, b in ((y, y_float), (h, h_float), (c, c_float)):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=0, atol=0.03)


@pytest.mark.parametrize("name", LAYERS)
def test_half_weights_agree_with_a_float_layer_of_rounded_weights(name: str) -> None:
    layer = getattr(nn, name)(6, 5, num_layers=2, bidirectional=True)
    quantized = Q.quantize_dynamic(layer, dtype=qrs.float16)
    with qrs.no_grad():
        for param in layer.parameters():
            if param.dim() > 1:
                param.copy_(param.half().float())
    x = values(4, 3, 6)
    y, last = quantized(x)
    y_float, last_float = layer(x)
    pairs = zip(
        (y, *last) if name == "LSTM" else (y, last),
        (y_float, *last_float) if name == "LSTM" else (y_float, last_float),
        strict=True,
    )
    for a, b in pairs:
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", [*LAYERS, "LSTMCell", "GRUCell", "RNNCell"])
@pytest.mark.parametrize("dtype", [qrs.qint8, qrs.float16], ids=str)
def test_copies_pickles_and_states_compute_the_same(name: str, dtype: qrs.dtype) -> None:
    layer = Q.quantize_dynamic(getattr(nn, name)(4, 6), dtype=dtype)
    x = values(2, 4) if name.endswith("Cell") else values(3, 2, 4)
    loaded = Q.quantize_dynamic(getattr(nn, name)(4, 6), dtype=dtype)
    loaded.load_state_dict(layer.state_dict())

    def run(module: nn.Module) -> qrs.Tensor:
        out = module(x)
        return out[0] if isinstance(out, tuple) else out

    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), loaded):
        assert qrs.equal(run(other), run(layer))


def test_state_dict_has_the_names_of_the_float_layer(engine: str) -> None:
    layer = nn.LSTM(4, 6, num_layers=2, bidirectional=True)
    quantized = Q.quantize_dynamic(layer)
    state = quantized.state_dict()
    assert set(state) == {*layer.state_dict(), "engine"}
    assert state["engine"] == engine
    assert isinstance(state["weight_hh_l1_reverse"], qrs.QTensor)
    assert list(quantized.get_weight()) == [k for k in state if k.startswith("weight")]
    assert list(quantized.get_bias()) == [k for k in state if k.startswith("bias")]


def test_state_that_does_not_fit_raises() -> None:
    small, large = (Q.quantize_dynamic(nn.GRU(4, hidden)) for hidden in (6, 7))
    with pytest.raises(StateDictError, match=r"weight_ih_l0: shape \(21, 4\)"):
        small.load_state_dict(large.state_dict())


@pytest.mark.parametrize("name", LAYERS)
def test_bad_inputs_raise(engine: str, name: str) -> None:
    layer = Q.quantize_dynamic(getattr(nn, name)(4, 6))
    with pytest.raises(ShapeError, match="4"):
        layer(qrs.zeros(3, 2, 5))
    with pytest.raises(ShapeError):
        layer(qrs.zeros(3, 2, 4), qrs.zeros(1, 2, 9))
    with pytest.raises(DtypeError):
        layer(qrs.zeros(3, 2, 4, dtype=qrs.int64))
    x = qrs.zeros(3, 2, 4)
    x[1, 1, 1] = float("nan")
    with pytest.raises(NonFiniteError):
        layer(x)


@pytest.mark.parametrize("name", ["LSTMCell", "GRUCell", "RNNCell"])
def test_cells_take_one_sample_no_state_and_refuse_the_rest(engine: str, name: str) -> None:
    cell = Q.quantize_dynamic(getattr(nn, name)(4, 6))
    pair = name == "LSTMCell"
    x, zero = values(3, 4), qrs.zeros(3, 6)

    def first(result: object) -> qrs.Tensor:
        return result[0] if pair else result

    got = first(cell(x))
    assert qrs.equal(got, first(cell(x, (zero, zero) if pair else zero)))
    alone = first(cell(x[0]))
    assert alone.shape == (6,)
    assert qrs.equal(alone, first(cell(x[:1]))[0])
    with pytest.raises(ShapeError, match="5"):
        cell(qrs.zeros(3, 5))
    with pytest.raises(ShapeError):
        cell(x, (zero, zero, zero))
    with pytest.raises(ShapeError):
        cell(x, (qrs.zeros(2, 6),) * (1 + pair))
    with pytest.raises(DtypeError):
        cell(qrs.zeros(3, 4, dtype=qrs.float64))


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.5}, {"proj_size": 3, "dropout": 0.5}])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_batch_of_no_sequences(settings: dict, batch_first: bool) -> None:
    layer = nn.LSTM(4, 6, 2, bidirectional=True, batch_first=batch_first, **settings)
    x = qrs.zeros(*((0, 5, 4) if batch_first else (5, 0, 4)))
    expected, got = layer(x), Q.quantize_dynamic(layer)(x)
    for a, b in zip([got[0], *got[1]], [expected[0], *expected[1]], strict=True):
        assert (tuple(a.shape), a.dtype) == (tuple(b.shape), b.dtype)


def test_dropout_acts_between_layers_in_training_only() -> None:
    layer = Q.quantize_dynamic(nn.LSTM(4, 6, num_layers=2, dropout=0.5))
    x = values(3, 2, 4)
    assert qrs.equal(layer(x)[0], layer(x)[0])
    layer.train()
    assert not qrs.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize("cls", [nnqd.RNN, nnqd.RNNCell])
def test_unknown_nonlinearity_raises(cls: type) -> None:
    with pytest.raises(ValueError, match="gelu"):
        cls(2, 3, nonlinearity="gelu")


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.LSTM(4, 4, 2, batch_first=True, dropout=0.1, bidirectional=True),
         "DynamicQuantizedLSTM(4, 4, num_layers=2, batch_first=True, dropout=0.1, "
         "bidirectional=True)"),
        (nn.GRU(3, 5, bias=False), "DynamicQuantizedGRU(3, 5, bias=False)"),
        (nn.RNNCell(4, 4, nonlinearity="relu"), "DynamicQuantizedRNNCell(4, 4, nonlinearity=relu)"),
    ],
)  # fmt: skip
def test_repr(module: nn.Module, text: str) -> None:
    assert repr(Q.quantize_dynamic(module)) == text
