"""Dynamically quantized Linear against the oracle, and its state."""

import copy
import pickle
import threading

import numpy as np
import pytest
from tests.golden import reference as ref

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, NonFiniteError, ShapeError, StateDictError
from qrs.nn.quantized import dynamic as nnqd

ENGINES = ["qrs", "fbgemm", "qnnpack"]
PACKERS = {
    "qrs": (None, ref.weight_qrs),
    "per_tensor": (Q.default_dynamic_qconfig, ref.weight_per_tensor),
    "per_channel": (Q.per_channel_dynamic_qconfig, ref.weight_per_channel),
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(qrs.backends.quantized, "engine", request.param)
    return request.param


def make(inputs: int, outputs: int, bias: bool = True, **kwargs: object) -> nnqd.Linear:
    return Q.quantize_dynamic(nn.Linear(inputs, outputs, bias=bias), **kwargs)


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.2, 2, shape).astype(np.float32)


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("shape", "outputs"), [((1, 1), 1), ((3, 17), 5), ((5, 64), 64), ((2, 3, 33), 70), ((9,), 4)]
)
def test_equals_the_oracle_bit_for_bit(
    engine: str, packer: str, bias: bool, shape: tuple[int, ...], outputs: int
) -> None:
    layer = nn.Linear(shape[-1], outputs, bias=bias)
    qconfig, pack = PACKERS[packer]
    if packer == "qrs":
        qconfig = Q.get_default_dynamic_qconfig("qrs")
    quantized = Q.quantize_dynamic(layer, {nn.Linear: qconfig})
    x = values(*shape)
    weight = pack(layer.weight.detach().numpy())
    b = layer.bias.detach().numpy() if bias else None
    expected = ref.dynamic_linear(np.atleast_2d(x), weight, b, engine).reshape(*shape[:-1], outputs)
    assert np.array_equal(quantized.weight().int_repr().numpy(), weight.q)
    assert np.array_equal(quantized(qrs.from_numpy(x)).numpy(), expected)


def test_asymmetric_weights_equal_the_oracle(engine: str) -> None:
    observer = Q.MinMaxObserver.with_args(dtype=qrs.qint8)
    layer = nn.Linear(20, 7)
    with qrs.no_grad():
        layer.weight.add_(0.1)
    quantized = Q.quantize_dynamic(layer, {nn.Linear: Q.QConfigDynamic(weight=observer)})
    w = quantized.weight()
    weight = ref.Weight(
        w.int_repr().numpy(),
        np.float32([w.q_scale()]),
        np.array([w.q_zero_point()]),
    )
    assert w.q_zero_point() != 0
    x = values(6, 20)
    expected = ref.dynamic_linear(x, weight, layer.bias.detach().numpy(), engine)
    assert np.array_equal(quantized(qrs.from_numpy(x)).numpy(), expected)


def test_a_row_does_not_depend_on_its_batch() -> None:
    layer = make(40, 30)
    x = qrs.from_numpy(values(17, 40))
    whole = layer(x)
    for i in range(17):
        assert qrs.equal(layer(x[i : i + 1])[0], whole[i])


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-42, 1e30])
def test_extreme_inputs_equal_the_oracle(engine: str, scale: float) -> None:
    layer = nn.Linear(8, 3)
    quantized = Q.quantize_dynamic(layer, {nn.Linear: Q.default_dynamic_qconfig})
    x = values(4, 8) * np.float32(scale)
    weight = ref.weight_per_tensor(layer.weight.detach().numpy())
    expected = ref.dynamic_linear(x, weight, layer.bias.detach().numpy(), engine)
    assert np.array_equal(quantized(qrs.from_numpy(x)).numpy(), expected)


def test_batch_of_none(engine: str) -> None:
    assert tuple(make(5, 3)(qrs.zeros(0, 5)).shape) == (0, 3)


def test_any_layout_of_the_input(engine: str) -> None:
    layer = make(12, 5)
    x = values(6, 12)
    expected = layer(qrs.from_numpy(x))
    wide = np.zeros((6, 24), np.float32)
    wide[:, ::2] = x
    for other in (np.asfortranarray(x), wide[:, ::2], x[::-1].copy()[::-1]):
        assert qrs.equal(layer(qrs.as_tensor(other)), expected)


def test_bad_inputs_raise(engine: str) -> None:
    layer = make(4, 2)
    with pytest.raises(ShapeError, match="5"):
        layer(qrs.zeros(3, 5))
    for dtype in (qrs.float64, qrs.float16, qrs.int64):
        with pytest.raises(DtypeError):
            layer(qrs.zeros(3, 4, dtype=dtype))
    for bad in (float("nan"), float("inf"), -float("inf")):
        x = qrs.zeros(3, 4)
        x[1, 2] = bad
        with pytest.raises(NonFiniteError):
            layer(x)


def test_half_weights_compute_in_float() -> None:
    layer = nn.Linear(16, 8)
    quantized = Q.quantize_dynamic(layer, dtype=qrs.float16)
    assert repr(quantized) == (
        "DynamicQuantizedLinear(in_features=16, out_features=8, dtype=qrs.float16)"
    )
    x = values(5, 16)
    half = layer.weight.detach().numpy().astype(np.float16).astype(np.float32)
    expected = x @ half.T + layer.bias.detach().numpy()
    np.testing.assert_allclose(quantized(qrs.from_numpy(x)).numpy(), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ShapeError, match="17"):
        quantized(qrs.zeros(2, 17))
    with pytest.raises(DtypeError, match="float64"):
        quantized(qrs.zeros(2, 16, dtype=qrs.float64))


def test_half_weights_beyond_the_range_are_clamped_with_a_warning() -> None:
    layer = nn.Linear(1, 2)
    layer.load_state_dict({"weight": np.float32([[1e6], [-1e6]]), "bias": np.zeros(2, np.float32)})
    with pytest.warns(UserWarning, match="65504"):
        quantized = Q.quantize_dynamic(layer, dtype=qrs.float16)
    assert quantized.weight().tolist() == [[65504.0], [-65504.0]]


def test_copies_and_pickles_compute_the_same() -> None:
    x = qrs.from_numpy(values(3, 6))
    for dtype in (qrs.qint8, qrs.float16):
        layer = make(6, 4, dtype=dtype)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert qrs.equal(other(x), layer(x))
            assert other.engine == layer.engine


def test_state_dict_is_plain_and_round_trips(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = make(6, 4)
    state = layer.state_dict()
    assert list(state) == ["weight", "bias", "engine"]
    assert isinstance(state["weight"], qrs.QTensor)
    assert state["engine"] == engine
    monkeypatch.setattr(qrs.backends.quantized, "engine", "qrs")
    other = Q.quantize_dynamic(nn.Linear(6, 4))
    assert str(other.load_state_dict(state)) == "<All keys matched successfully>"
    x = qrs.from_numpy(values(3, 6))
    # The profile travels with the weights.
    assert other.engine == engine
    assert qrs.equal(other(x), layer(x))


def test_state_that_does_not_fit_raises_and_names_the_entry() -> None:
    layer = nn.Sequential(make(6, 4))
    good = layer.state_dict()
    cases = {
        "0.weight": (make(6, 5).weight(), r"0\.weight: shape \(5, 6\)"),
        "0.bias": (qrs.zeros(3), r"0\.bias: shape \(3,\)"),
        "0.engine": ("x86", r"0\.engine: 'x86'"),
    }
    for key, (value, message) in cases.items():
        with pytest.raises(StateDictError, match=message):
            layer.load_state_dict({**good, key: value})
    with pytest.raises(StateDictError, match=r"0\.weight: a float Tensor"):
        layer.load_state_dict(nn.Sequential(nn.Linear(6, 4)).state_dict())
    with pytest.raises(StateDictError, match=r"missing.*0\.bias"):
        layer.load_state_dict({k: v for k, v in good.items() if k != "0.bias"})
    with pytest.raises(StateDictError, match=r"no place for.*0\.extra"):
        layer.load_state_dict({**good, "0.extra": qrs.zeros(1)})


def test_reads_the_layout_of_pytorch() -> None:
    source = make(6, 4)
    state = {
        "scale": qrs.tensor(1.0),
        "zero_point": qrs.tensor(0),
        "_packed_params.dtype": qrs.qint8,
        "_packed_params._packed_params": (source.weight(), source.bias()),
    }
    layer = make(6, 4)
    layer.load_state_dict(state)
    x = qrs.from_numpy(values(3, 6))
    assert qrs.equal(layer(x), source(x))
    half, half_source = make(6, 4, dtype=qrs.float16), make(6, 4, dtype=qrs.float16)
    state["_packed_params.dtype"] = qrs.float16
    state["_packed_params._packed_params"] = (half_source.weight().float(), half_source.bias())
    half.load_state_dict(state)
    assert qrs.equal(half(x), half_source(x))


def test_set_weight_bias_repacks_and_checks() -> None:
    layer, other = make(6, 4), make(6, 4)
    layer.set_weight_bias(other.weight(), other.bias())
    x = qrs.from_numpy(values(3, 6))
    assert qrs.equal(layer(x), other(x))
    with pytest.raises(ShapeError, match=r"weight: shape \(4, 7\)"):
        layer.set_weight_bias(make(7, 4).weight(), other.bias())
    with pytest.raises(DtypeError, match="weight"):
        layer.set_weight_bias(qrs.zeros(4, 6), other.bias())
    with pytest.raises(ShapeError, match="bias"):
        layer.set_weight_bias(other.weight(), None)


def test_bias_is_a_copy() -> None:
    float_layer = nn.Linear(3, 2)
    layer = Q.quantize_dynamic(float_layer, inplace=True)
    before = layer.bias().tolist()
    with qrs.no_grad():
        float_layer.bias.fill_(100.0)
    assert layer.bias().tolist() == before


def test_weight_observer_of_another_type_raises() -> None:
    for weight in (Q.default_observer, Q.default_float_qparams_observer):
        with pytest.raises(DtypeError, match="qint8"):
            Q.quantize_dynamic(nn.Linear(2, 2), {nn.Linear: Q.QConfigDynamic(weight=weight)})
    axis = Q.default_per_channel_weight_observer.with_args(ch_axis=1)
    with pytest.raises(ValueError, match="axis 1"):
        Q.quantize_dynamic(nn.Linear(2, 2), {nn.Linear: Q.QConfigDynamic(weight=axis)})


def test_constructor_gives_zeros_under_the_profile_in_force(engine: str) -> None:
    layer = nnqd.Linear(3, 2)
    assert layer.engine == engine
    assert layer(qrs.ones(1, 3)).tolist() == [[0.0, 0.0]]
    assert nnqd.Linear(3, 2, bias_=False).bias() is None
    with pytest.raises(DtypeError, match="quint8"):
        nnqd.Linear(3, 2, dtype=qrs.quint8)
    with pytest.raises(ValueError, match="positive"):
        nnqd.Linear(0, 2)


def test_from_float_takes_the_exact_class_only() -> None:
    class Mine(nn.Linear):
        pass

    layer = Mine(2, 2)
    layer.qconfig = Q.default_dynamic_qconfig
    with pytest.raises(TypeError, match="Mine"):
        nnqd.Linear.from_float(layer)


def test_many_threads_share_one_layer() -> None:
    layer = make(64, 64)
    inputs = [qrs.from_numpy(values(8, 64, seed=i)) for i in range(4)]
    expected = [layer(x) for x in inputs]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(200):
            if not qrs.equal(layer(inputs[i]), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
