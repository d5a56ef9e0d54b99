"""Statically quantized Linear against the oracle, and its state."""

import numpy as np
import pytest
from tests.golden import reference as ref

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, QrsError, ShapeError
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import quantized as nniq

from .samples import ENGINES, calibrated, converted, data


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(qrs.backends.quantized, "engine", request.param)
    return request.param


def make(
    n: int, k: int, per_channel: bool, zero_points: bool, relu: bool, bias: bool
) -> nnq.Linear:
    rng = np.random.default_rng(n * 1000 + k)
    layer = (nniq.LinearReLU if relu else nnq.Linear)(k, n, bias)
    ints = rng.integers(-128, 128, (n, k), np.int8)
    if per_channel:
        scale = rng.uniform(0.001, 0.02, n)
        zero_point = rng.integers(-20, 20, n) if zero_points else np.zeros(n, np.int64)
        weight = qrs.QTensor.from_ints(ints, scale, zero_point, qrs.qint8, axis=0)
    else:
        weight = qrs.QTensor.from_ints(ints, 0.01, 7 if zero_points else 0, qrs.qint8)
    b = qrs.from_numpy(rng.normal(size=n).astype(np.float32)) if bias else None
    layer.set_weight_bias(weight, b)
    layer.scale, layer.zero_point = 0.5, 100
    return layer


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 64), (64, 30)], ids=str)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("zero_points", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_integers_are_those_of_the_formula(
    shape: tuple[int, int], per_channel: bool, zero_points: bool, relu: bool, engine: str
) -> None:
    n, k = shape
    layer = make(n, k, per_channel, zero_points, relu, bias=shape != (3, 5))
    x = np.random.default_rng(1).integers(0, 256, (2, 3, k), np.uint8)
    y = layer(qrs.QTensor.from_ints(x, 0.02, 90, qrs.quint8))
    weight, bias = layer.weight(), layer.bias()
    scale = weight.q_per_channel_scales().numpy() if per_channel else np.array([weight.q_scale()])
    point = weight.q_per_channel_zero_points().numpy() if per_channel else weight.q_zero_point()
    acc = ref.accumulate(x.reshape(6, k), 90, weight.int_repr().numpy(), point)
    b = None if bias is None else bias.numpy()
    expected = ref.requantize(acc, 0.02, scale, b, (0.5, 100), engine, relu)
    assert np.array_equal(y.int_repr().numpy(), expected.reshape(2, 3, n))


def test_the_engine_of_conversion_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", "qnnpack")
    x = data((4, 3))
    model = converted(nn.Linear(3, 2), x)
    expected = model(x)
    qrs.backends.quantized.engine = "fbgemm"
    assert model[1].engine == "qnnpack"
    assert qrs.equal(model(x), expected)


def test_weights_and_output_can_be_replaced() -> None:
    layer = nnq.Linear(3, 2)
    assert (layer.scale, layer.zero_point, layer.bias().tolist()) == (1.0, 0, [0.0, 0.0])
    weight = qrs.quantize_per_tensor(qrs.ones(2, 3), 0.5, 0, qrs.qint8)
    layer.set_weight_bias(weight, qrs.tensor([0.0, 1.0]))
    layer.scale = qrs.tensor([0.5])
    layer.zero_point = qrs.tensor(4)
    x = qrs.quantize_per_tensor(qrs.ones(1, 3), 1.0, 0, qrs.quint8)
    y = layer(x)
    assert y.int_repr().tolist() == [[10, 12]]
    assert y.dequantize().tolist() == [[3.0, 4.0]]
    assert layer.weight().equal(weight)


def test_the_bias_is_a_copy() -> None:
    source, x = nn.Linear(3, 2), data((4, 3))
    model = converted(source, x)
    expected = model(x)
    source.bias.data.fill_(100)
    assert qrs.equal(model(x), expected)


@pytest.mark.parametrize(
    ("setting", "value"), [("scale", 0.0), ("scale", float("nan")), ("zero_point", 256)]
)
def test_impossible_outputs_are_refused(setting: str, value: float) -> None:
    layer = nnq.Linear(3, 2)
    with pytest.raises(ValueError, match=r"QuantizedLinear: .*came, expected"):
        setattr(layer, setting, value)
    assert (layer.scale, layer.zero_point) == (1.0, 0)


def test_wrong_inputs_are_refused() -> None:
    layer = nnq.Linear(3, 2)
    with pytest.raises(ShapeError, match=r"\(1, 4\) came, expected \(\.\.\., 3\)"):
        layer(qrs.quantize_per_tensor(qrs.ones(1, 4), 0.1, 0, qrs.quint8))
    with pytest.raises(DtypeError, match=r"qint32 came, expected qrs\.quint8"):
        layer(qrs.quantize_per_tensor(qrs.ones(1, 3), 0.1, 0, qrs.qint32))
    with pytest.raises(DtypeError, match="scale for each channel"):
        layer(
            qrs.quantize_per_channel(
                qrs.ones(1, 3), qrs.ones(1), qrs.zeros(1).long(), 0, qrs.quint8
            )
        )
    with pytest.raises(DtypeError, match="ndarray came, expected a quantized tensor"):
        layer(np.ones((1, 3), np.float32))
    with pytest.raises(DtypeError, match=r"qrs\.float16 came, expected qrs\.qint8"):
        nnq.Linear(3, 2, dtype=qrs.float16)


def test_an_empty_batch_passes() -> None:
    layer = nnq.Linear(3, 2)
    y = layer(qrs.quantize_per_tensor(qrs.zeros(0, 3), 0.1, 0, qrs.quint8))
    assert tuple(y.shape) == (0, 2)


def test_state_dict_of_pytorch_is_read() -> None:
    weight = qrs.quantize_per_tensor(qrs.ones(2, 3), 0.5, 0, qrs.qint8)
    bias = qrs.tensor([0.5, 1.5])
    layer = nnq.Linear(3, 2)
    layer.load_state_dict(
        {
            "scale": qrs.tensor(0.25),
            "zero_point": qrs.tensor(3),
            "_packed_params.dtype": qrs.qint8,
            "_packed_params._packed_params": (weight, bias),
        }
    )
    assert (layer.scale, layer.zero_point) == (0.25, 3)
    assert layer.weight().equal(weight)
    assert layer.bias().tolist() == [0.5, 1.5]
    plain = nnq.Linear(3, 2, bias_=False)
    plain.load_state_dict(
        {
            "scale": qrs.tensor(0.25),
            "zero_point": qrs.tensor(3),
            "_packed_params.dtype": qrs.qint8,
            "_packed_params._packed_params": (weight, None),
        }
    )
    assert plain.bias() is None


def test_repr() -> None:
    assert repr(nnq.Linear(2, 3)) == (
        "QuantizedLinear(in_features=2, out_features=3, scale=1.0, zero_point=0, "
        "qscheme=qrs.per_tensor_affine)"
    )
    assert repr(nniq.LinearReLU(2, 3)).startswith("QuantizedLinearReLU(")


def test_from_float_wants_a_prepared_linear() -> None:
    with pytest.raises(TypeError, match="a Conv1d came, expected a Linear"):
        nnq.Linear.from_float(nn.Conv1d(1, 1, 1))
    with pytest.raises(QrsError, match="call prepare"):
        nnq.Linear.from_float(nn.Linear(2, 2))


def test_weight_observers_must_be_for_qint8() -> None:
    qconfig = Q.QConfig(activation=Q.MinMaxObserver, weight=Q.MinMaxObserver)
    prepared = calibrated(nn.Linear(3, 2), data((2, 3)), qconfig)
    with pytest.raises(DtypeError, match=r"at 1 \(Linear\).*expected qrs.qint8"):
        Q.convert(prepared)


def test_activation_observers_must_be_for_8_bits() -> None:
    qconfig = Q.QConfig(activation=Q.PlaceholderObserver, weight=Q.default_weight_observer)
    prepared = calibrated(nn.Linear(3, 2), data((2, 3)), qconfig)
    with pytest.raises(DtypeError, match=r"at 0 \(QuantStub\).*PlaceholderObserver has dtype"):
        Q.convert(prepared)
