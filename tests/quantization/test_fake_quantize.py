"""Fake quantizers: values, gradients, switches and state."""

from collections.abc import Callable

import numpy as np
import pytest

import qrs
from qrs import quantization as Q
from qrs.errors import DtypeError, NotCalibratedError, ShapeError


def test_measured_values_and_mask() -> None:
    x = qrs.tensor([0.5, 1.5, 2.5, -0.5, -1.5], requires_grad=True)
    y = qrs.fake_quantize_per_tensor_affine(x, 1.0, 1, 0, 255)
    assert y.tolist() == [0.0, 2.0, 2.0, 0.0, -1.0]
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]


def test_not_finite_values() -> None:
    x = qrs.tensor([float("nan"), float("inf"), -float("inf")], requires_grad=True)
    y = qrs.fake_quantize_per_tensor_affine(x, 0.5, 3, 0, 255)
    assert y.tolist() == [0.0, 126.0, -1.5]
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_double_stays_double() -> None:
    x = qrs.tensor([0.3], dtype=qrs.float64)
    assert qrs.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255).dtype is qrs.float64


def test_per_channel_equals_per_tensor_slice_by_slice() -> None:
    x = qrs.randn(3, 4, 5)
    s, z = qrs.tensor([0.01, 0.02, 0.05, 0.1]), qrs.tensor([0, 3, -4, 127])
    y = qrs.fake_quantize_per_channel_affine(x, s, z, 1, -128, 127)
    for c in range(4):
        one = qrs.fake_quantize_per_tensor_affine(x[:, c], s[c].item(), z[c].item(), -128, 127)
        assert qrs.equal(y[:, c], one)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((0.1, 300, 0, 255), ValueError),
        ((0.1, -1, 0, 255), ValueError),
        ((0.1, 0, 5, 5), ValueError),
    ],
)
def test_bad_range_raises(args: tuple, error: type) -> None:
    with pytest.raises(error, match="fake_quantize_per_tensor_affine"):
        qrs.fake_quantize_per_tensor_affine(qrs.ones(2), *args)


def test_bad_input_raises() -> None:
    with pytest.raises(DtypeError, match="int64"):
        qrs.fake_quantize_per_tensor_affine(qrs.tensor([1]), 0.1, 0, 0, 255)
    scale, zero_point = qrs.ones(3), qrs.zeros(3, dtype=qrs.int64)
    for axis, z in ((0, zero_point), (2, zero_point), (1, zero_point[:2])):
        with pytest.raises(ShapeError, match="fake_quantize_per_channel_affine"):
            qrs.fake_quantize_per_channel_affine(qrs.ones(2, 3), scale, z, axis, 0, 255)


@pytest.mark.parametrize(
    "make", [Q.FakeQuantize, Q.LearnableFakeQuantize, Q.default_affine_fixed_qparams_fake_quant]
)
def test_integers_are_refused_before_they_are_observed(make: Callable[[], qrs.nn.Module]) -> None:
    """As when images come in bytes."""
    fq = make()
    with pytest.raises(DtypeError, match=r"FakeQuantize: qrs.uint8 came.*use \.float\(\)"):
        fq(qrs.tensor([0, 255], dtype=qrs.uint8))
    if hasattr(fq, "activation_post_process"):
        with pytest.raises(NotCalibratedError):
            fq.activation_post_process.calculate_qparams()


def test_default_fake_quant_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", "fbgemm")
    fq = Q.default_fake_quant()
    y = fq(qrs.tensor([-1.0, 0.3, 2.0]))
    assert fq.scale.item() == pytest.approx(3 / 127, rel=1e-6)
    assert fq.zero_point.tolist() == [42]
    np.testing.assert_allclose(y.numpy(), [-0.992126, 0.307087, 2.007874], rtol=1e-5)


def test_switches() -> None:
    fq = Q.default_fake_quant()
    fq.disable_observer()
    fq(qrs.tensor([5.0]))
    assert fq.scale.tolist() == [1.0]
    fq.enable_observer()
    fq.disable_fake_quant()
    x = qrs.tensor([0.123, 5.0])
    assert fq(x) is x
    assert fq.scale.item() < 0.1


def test_eval_does_not_stop_observation() -> None:
    fq = Q.default_fake_quant().eval()
    fq(qrs.tensor([5.0]))
    assert fq.scale.tolist() != [1.0]


def test_switches_through_apply() -> None:
    model = qrs.nn.Sequential(Q.default_fake_quant(), qrs.nn.ReLU())
    for switch, attribute, value in [
        (Q.disable_observer, "observer_enabled", 0),
        (Q.enable_observer, "observer_enabled", 1),
        (Q.disable_fake_quant, "fake_quant_enabled", 0),
        (Q.enable_fake_quant, "fake_quant_enabled", 1),
    ]:
        model.apply(switch)
        assert getattr(model[0], attribute).tolist() == [value]


def test_per_channel_state_dict_round_trip() -> None:
    fq = Q.default_per_channel_weight_fake_quant()
    weight = qrs.randn(4, 3)
    y = fq(weight)
    assert list(fq.state_dict()) == [
        "fake_quant_enabled",
        "observer_enabled",
        "scale",
        "zero_point",
        "activation_post_process.eps",
        "activation_post_process.min_vals",
        "activation_post_process.max_vals",
    ]
    loaded = Q.default_per_channel_weight_fake_quant()
    loaded.load_state_dict(fq.state_dict())
    loaded.disable_observer()
    assert qrs.equal(loaded(weight), y)


def test_empty_input_changes_nothing() -> None:
    fq = Q.default_fake_quant()
    assert fq(qrs.zeros(0, 3)).shape == (0, 3)
    assert fq.scale.tolist() == [1.0]


def test_range_must_fit_the_type() -> None:
    with pytest.raises(ValueError, match="-128"):
        Q.FakeQuantize(quant_min=-128, quant_max=127)


@pytest.mark.parametrize(
    ("factory", "scale", "zero_point"),
    [
        (Q.default_symmetric_fixed_qparams_fake_quant, 2 / 256, 128),
        (Q.default_affine_fixed_qparams_fake_quant, 1 / 256, 0),
    ],
)
def test_fixed_parameters_stay(factory: object, scale: float, zero_point: int) -> None:
    fq = factory()
    fq.enable_observer()
    fq(qrs.tensor([50.0]))
    got = fq.calculate_qparams()
    assert (got[0].item(), got[1].item()) == (scale, zero_point)
    fq.disable_fake_quant()
    x = qrs.tensor([0.1234])
    assert fq(x) is x


class TestRange:
    """What the observer computes scales for, and what is clamped to."""

    @pytest.mark.parametrize(("engine", "step"), [("qrs", 1), ("fbgemm", 2), ("qnnpack", 2)])
    def test_a_reduced_range_goes_unused_in_part_only_where_it_does_in_pytorch(
        self, engine: str, step: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(qrs.backends.quantized, "engine", engine)
        fq = Q.default_fake_quant()
        fq(qrs.tensor([0.0, 255.0]))
        fq.disable_observer()
        assert fq.scale.item() == pytest.approx(step, rel=0.01)
        assert fq(qrs.tensor([5000.0])).item() == pytest.approx(255 * step, rel=0.01)

    @pytest.mark.parametrize(("engine", "most"), [("qrs", 7.0), ("fbgemm", 7 * 7 / 127.5)])
    def test_few_integers_span_the_observed_range(
        self, engine: str, most: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(qrs.backends.quantized, "engine", engine)
        fq = Q.FakeQuantize(
            quant_min=-7, quant_max=7, dtype=qrs.qint8, qscheme=qrs.per_tensor_symmetric
        )
        assert fq(qrs.tensor([7.0, -7.0]))[0].item() == pytest.approx(most)

    def test_the_observers_own_range_wins(self) -> None:
        observer = Q.MovingAverageMinMaxObserver.with_args(quant_min=0, quant_max=15)
        fq = Q.FakeQuantize(observer=observer)
        assert (fq.quant_min, fq.quant_max) == (0, 15)
        assert fq(qrs.tensor([0.0, 0.4, 15.0])).tolist() == [0.0, 0.0, 15.0]


class TestFusedMovingAverage:
    def test_range_is_the_observers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(qrs.backends.quantized, "engine", "fbgemm")
        fq = Q.FusedMovingAvgObsFakeQuantize(reduce_range=True)
        assert (fq.quant_min, fq.quant_max) == (0, 127)

    def test_computes_as_the_two_parts_do(self) -> None:
        fused, plain = Q.FusedMovingAvgObsFakeQuantize(), Q.FakeQuantize()
        for _ in range(3):
            x = qrs.randn(4, 5)
            assert qrs.equal(fused(x), plain(x))

    def test_takes_no_other_observer(self) -> None:
        with pytest.raises(TypeError, match="a MinMaxObserver came as observer"):
            Q.FusedMovingAvgObsFakeQuantize(observer=Q.MinMaxObserver)


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_of_few_bits_use_every_integer_and_clamp_nothing(bits: int) -> None:
    weight = qrs.randn(6, 50, requires_grad=True)
    fq = Q.per_channel_weight_fake_quant(bits)()
    rounded = fq(weight)
    rounded.sum().backward()
    assert qrs.equal(weight.grad, qrs.ones(6, 50))
    steps = rounded.detach() / fq.scale.reshape(-1, 1)
    most = 2 ** (bits - 1) - 1
    np.testing.assert_allclose(steps.abs().amax(1).numpy(), most, rtol=1e-6)
    np.testing.assert_allclose(steps.numpy(), np.rint(steps.numpy()), atol=1e-4)


def test_weights_of_few_bits_follow_the_present_range() -> None:
    fq = Q.per_channel_weight_fake_quant(4)()
    fq(qrs.tensor([[70.0]]))
    assert fq(qrs.tensor([[0.7]])).item() == pytest.approx(0.7)


@pytest.mark.parametrize("bits", [1, 9, 4.5])
def test_other_numbers_of_bits_are_refused(bits: object) -> None:
    with pytest.raises(ValueError, match=f"bits={bits} came, expected 2 to 8"):
        Q.per_channel_weight_fake_quant(bits)


def test_embedding_rows_have_float_zero_points() -> None:
    rows = qrs.randn(4, 9, requires_grad=True)
    fq = Q.default_embedding_fake_quant()
    rounded = fq(rows)
    scale, zero_point = fq.calculate_qparams()
    stored = qrs.quantize_per_channel(rows.detach(), scale, zero_point, 0, qrs.quint8)
    np.testing.assert_allclose(rounded.detach().numpy(), stored.dequantize().numpy(), atol=1e-6)
    assert fq.zero_point.dtype is qrs.float32
    loaded = Q.default_embedding_fake_quant()
    loaded.load_state_dict(fq.state_dict())
    assert qrs.equal(loaded.zero_point, fq.zero_point)


def test_a_value_that_is_not_finite_stops_with_the_name_of_its_module() -> None:
    model = qrs.nn.Sequential(qrs.nn.Linear(2, 2), qrs.nn.Linear(2, 1))
    model.qconfig = Q.get_default_qat_qconfig()
    prepared = Q.prepare_qat(model)
    with qrs.no_grad():
        prepared[1].weight[0, 1] = float("nan")
    with pytest.raises(qrs.NonFiniteError, match=r"1\.weight\.MovingAveragePerChannel.*NaN"):
        prepared(qrs.ones(1, 2))
