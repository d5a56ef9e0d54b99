"""The fake quantizer that learns its scale and zero point."""

import math
from typing import Any

import numpy as np
import pytest

import qrs
from qrs import quantization as Q


def learning(**settings: Any) -> Q.LearnableFakeQuantize:
    fq = Q.LearnableFakeQuantize(**settings).enable_param_learning()
    assert isinstance(fq, Q.LearnableFakeQuantize)
    return fq


def test_measured_gradients() -> None:
    # PyTorch 1.8.1: z = 0, s = 0.5.
    fq = learning(scale=0.5)
    fq(qrs.tensor([0.5, 1.5, 2.5, -0.5, -300.0, 300.0, 0.26])).sum().backward()
    assert fq.scale.grad.item() == pytest.approx(255.48)
    assert fq.zero_point.grad.item() == pytest.approx(-1.5)


def test_measured_gradients_with_a_factor() -> None:
    # PyTorch 1.8.1: s = .02, z = 100, gradient factor .5. Here the factor is 1 / sqrt(8 * 255).
    x = qrs.tensor(np.sin(np.arange(8) + 3.5).astype(np.float32) * 3.0, requires_grad=True)
    fq = learning(scale=0.02, zero_point=100.0, use_grad_scaling=True)
    y = fq(x)
    y.sum().backward()
    inside = np.abs(y.detach().numpy() - x.detach().numpy()) <= 0.011
    assert np.array_equal(x.grad.numpy(), inside.astype(np.float32))
    outside = ~inside
    factor = 1 / math.sqrt(8 * 255)
    assert fq.zero_point.grad.item() == pytest.approx(-0.02 * outside.sum() * factor)
    ends = np.where(x.detach().numpy() > 0, 155, -100)
    within = (y.detach().numpy() - x.detach().numpy()) / 0.02
    total = np.where(inside, within, ends).sum() * factor
    assert fq.scale.grad.item() == pytest.approx(total, rel=1e-4)


def test_gradients_of_each_channel_are_those_of_one_tensor() -> None:
    x = qrs.randn(3, 8)
    scales, points = [0.02, 0.03, 0.05], [0.0, 3.0, -2.0]
    per_channel = Q.LearnableFakeQuantize(
        observer=Q.MovingAveragePerChannelMinMaxObserver,
        quant_min=-8,
        quant_max=7,
        channel_len=3,
        dtype=qrs.qint8,
        qscheme=qrs.per_channel_affine,
    ).enable_param_learning()
    per_channel.scale.data = qrs.tensor(scales)
    per_channel.zero_point.data = qrs.tensor(points)
    together = per_channel(x)
    together.sum().backward()
    for c in range(3):
        one = learning(
            quant_min=-8, quant_max=7, scale=scales[c], zero_point=points[c], dtype=qrs.qint8
        )
        alone = one(x[c])
        alone.sum().backward()
        assert qrs.equal(together[c], alone)
        assert per_channel.scale.grad[c].item() == pytest.approx(one.scale.grad.item(), rel=1e-5)
        assert per_channel.zero_point.grad[c].item() == pytest.approx(one.zero_point.grad.item())


class TestSwitches:
    def test_it_starts_by_estimating(self) -> None:
        fq, plain = Q.LearnableFakeQuantize(), Q.FakeQuantize()
        x = qrs.randn(20)
        assert qrs.equal(fq(x), plain(x))
        assert fq.scale.item() == plain.scale.item()
        assert not fq.scale.requires_grad

    def test_learning_stops_the_observer_and_starts_the_gradients(self) -> None:
        fq = Q.LearnableFakeQuantize()
        fq(qrs.tensor([0.0, 1.0]))
        fq.enable_param_learning()
        before = fq.scale.item()
        fq(qrs.tensor([0.0, 100.0])).sum().backward()
        assert fq.scale.item() == before
        assert fq.scale.grad.item() == pytest.approx(255.0)

    def test_observation_alone_rounds_nothing(self) -> None:
        fq = Q.LearnableFakeQuantize().enable_static_observation()
        x = qrs.tensor([0.0, 0.123, 1.0])
        assert fq(x) is x
        assert fq.scale.item() == pytest.approx(1 / 255)

    def test_estimating_again_takes_the_observers_word(self) -> None:
        fq = learning(scale=7.0)
        fq.enable_static_estimate()
        fq(qrs.tensor([0.0, 2.55]))
        assert fq.scale.item() == pytest.approx(0.01)
        assert not fq.scale.requires_grad

    def test_the_switches_of_all_fake_quantizers_work_on_it(self) -> None:
        model = qrs.nn.Sequential(Q.LearnableFakeQuantize())
        model.apply(Q.disable_observer).apply(Q.disable_fake_quant)
        x = qrs.tensor([0.0, 5.0])
        assert model(x) is x
        assert model[0].scale.item() == 1.0


def test_the_zero_point_of_a_symmetric_scheme_stays() -> None:
    fq = learning(
        quant_min=-127, quant_max=127, zero_point=5.0, dtype=qrs.qint8,
        qscheme=qrs.per_tensor_symmetric,
    )  # fmt: skip
    fq(qrs.tensor([500.0])).sum().backward()
    assert not fq.zero_point.requires_grad
    assert fq.zero_point.item() == 0.0
    assert fq.scale.grad.item() == 127.0


def test_a_scale_that_a_step_made_negative_is_held_above_zero() -> None:
    fq = learning(scale=-1.0)
    assert fq(qrs.tensor([0.0])).item() == 0.0
    assert fq.scale.item() == 2.0**-23


def test_stored_parameters_are_rounded_into_the_range() -> None:
    fq = learning(scale=0.5, zero_point=3.7)
    scale, zero_point = fq.calculate_qparams()
    assert (scale.item(), zero_point.tolist(), zero_point.dtype) == (0.5, [4], qrs.int64)
    assert fq(qrs.tensor([0.3])).item() == 0.5
    fq.zero_point.data = qrs.tensor([300.0])
    assert fq.calculate_qparams()[1].tolist() == [255]


def test_the_zero_points_of_channels_are_rounded_like_that_of_a_tensor() -> None:
    """To the nearest integer of the range, where PyTorch 1.8.1 truncates or refuses."""
    points = [3.7, -5.0, 300.0]
    fq = Q.LearnableFakeQuantize(
        observer=Q.MovingAveragePerChannelMinMaxObserver,
        channel_len=3,
        qscheme=qrs.per_channel_affine,
    ).enable_param_learning()
    fq.zero_point.data = qrs.tensor(points)
    x = qrs.tensor([[0.4, 9.0, -9.0]] * 3)
    for row, point in zip(fq(x), points, strict=True):
        assert qrs.equal(row, learning(zero_point=point)(x[0]))
    assert fq.calculate_qparams()[1].tolist() == [4, 0, 255]


def test_training_it_lowers_the_error_of_rounding() -> None:
    """A Gaussian in four values: the best scale is far below the observed one."""
    x = qrs.randn(2000)
    fq = Q.LearnableFakeQuantize(quant_min=-2, quant_max=1, dtype=qrs.qint8, use_grad_scaling=True)

    def error() -> qrs.Tensor:
        return ((fq(x) - x) ** 2).mean()

    first = error().item()
    fq.enable_param_learning()
    optimizer = qrs.optim.Adam([fq.scale, fq.zero_point], lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        error().backward()
        optimizer.step()
    assert error().item() < 0.5 * first


def test_state_dict_round_trip() -> None:
    fq = learning(scale=0.3, zero_point=2.0)
    fresh = Q.LearnableFakeQuantize()
    fresh.load_state_dict(fq.state_dict())
    assert fresh.learning_enabled.tolist() == [1]
    x = qrs.randn(9)
    assert qrs.equal(fresh(x), fq(x))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channel_len": 3}, "channel_len=3 came with"),
        (
            {
                "observer": Q.PerChannelMinMaxObserver,
                "qscheme": qrs.per_channel_affine,
            },
            "channel_len=-1 came with",
        ),
        ({"quant_min": -128, "quant_max": 127}, "-128"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Q.LearnableFakeQuantize(**settings)


def test_as_the_weight_of_a_layer_it_is_trained_and_converted() -> None:
    weight = Q.LearnableFakeQuantize.with_args(
        observer=Q.MovingAveragePerChannelMinMaxObserver, quant_min=-7, quant_max=7, channel_len=3,
        dtype=qrs.qint8, qscheme=qrs.per_channel_symmetric,
    )  # fmt: skip
    model = qrs.nn.Sequential(Q.QuantStub(), qrs.nn.Linear(4, 3), Q.DeQuantStub())
    model.qconfig = Q.QConfig(activation=Q.get_default_qat_qconfig().activation, weight=weight)
    prepared = Q.prepare_qat(model)
    x = qrs.randn(16, 4)
    prepared(x)
    prepared[1].weight_fake_quant.enable_param_learning()
    assert "1.weight_fake_quant.scale" in dict(prepared.named_parameters())
    optimizer = qrs.optim.SGD(prepared.named_parameters(), lr=0.01)
    (prepared(x) ** 2).sum().backward()
    optimizer.step()
    prepared.apply(Q.disable_observer).eval()
    converted = Q.convert(prepared)
    ints = converted[1].weight().int_repr().numpy()
    assert np.abs(ints).max() <= 7
    step = converted[1].scale
    assert (converted(x) - prepared(x)).abs().max().item() <= 1.01 * step
