"""Training for dynamic quantization: the simulation computes what the quantized layer will."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn.functional.dynamic_rounding import dynamic_fake_quantize

ENGINES = ("qrs", "fbgemm", "qnnpack")


def prepared(model: nn.Module, qconfig: Any = None) -> nn.Module:
    model.qconfig = qconfig or Q.get_default_qat_dynamic_qconfig()
    return Q.prepare_qat(model.train(), Q.get_default_qat_dynamic_module_mappings())


class TestRounding:
    def test_each_row_has_a_scale_of_its_own_under_qrs(self) -> None:
        rows = qrs.randn(5, 7)
        together = dynamic_fake_quantize(rows, "qrs")
        for i in range(5):
            assert qrs.equal(together[i : i + 1], dynamic_fake_quantize(rows[i : i + 1], "qrs"))

    @pytest.mark.parametrize(("engine", "top"), [("fbgemm", 127), ("qnnpack", 255)])
    def test_the_whole_input_has_one_scale_elsewhere(self, engine: str, top: int) -> None:
        x = qrs.tensor([[0.0, 0.3], [0.7, float(top)]])
        assert dynamic_fake_quantize(x, engine).tolist() == [[0.0, 0.0], [1.0, float(top)]]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_zero_stays_zero(self, engine: str) -> None:
        for values in ([[0.0, 0.0]], [[0.0, 3.3]], [[-2.7, 0.0]], [[0.0, 1e-44]]):
            assert dynamic_fake_quantize(qrs.tensor(values), engine)[0, 0].abs().item() < 3

    @pytest.mark.parametrize("engine", ENGINES)
    def test_the_gradient_passes_unchanged(self, engine: str) -> None:
        x, weights = qrs.randn(3, 4, requires_grad=True), qrs.randn(3, 4)
        (dynamic_fake_quantize(x, engine) * weights).sum().backward()
        assert qrs.equal(x.grad, weights)

    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_what_is_not_finite_is_refused(self, engine: str, bad: float) -> None:
        with pytest.raises(qrs.NonFiniteError, match="if training has diverged"):
            dynamic_fake_quantize(qrs.tensor([[1.0, bad]]), engine)

    def test_an_empty_input_is_fine(self) -> None:
        assert dynamic_fake_quantize(qrs.zeros(0, 3), "qrs").shape == (0, 3)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(qrs.backends.quantized, "engine", request.param)
    name: str = request.param
    return name


@pytest.mark.usefixtures("engine")
class TestConvertedEqualsSimulated:
    @pytest.mark.parametrize("shape", [(1, 9), (6, 9), (2, 3, 9)])
    def test_linear(self, shape: tuple[int, ...]) -> None:
        model = prepared(nn.Sequential(nn.Linear(9, 5)))
        x = qrs.randn(*shape)
        simulated = model(x)
        converted = Q.convert(model.eval())
        assert type(converted[0]) is nn.quantized.dynamic.Linear
        np.testing.assert_allclose(
            converted(x).numpy(), simulated.detach().numpy(), rtol=1e-5, atol=1e-6
        )

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"num_layers": 2, "batch_first": True},
            {"bidirectional": True, "bias": False},
            {"proj_size": 3},
        ],
        ids=str,
    )
    def test_lstm(self, settings: dict[str, Any]) -> None:
        model = prepared(nn.Sequential(nn.LSTM(4, 6, **settings)))
        x = qrs.randn(5, 3, 4)
        simulated, (h, c) = model(x)
        converted = Q.convert(model.eval())
        assert type(converted[0]) is nn.quantized.dynamic.LSTM
        exact, (h_exact, c_exact) = converted(x)
        # A state on the edge between two integers may fall to either side.
        for got, wanted in ((exact, simulated), (h_exact, h), (c_exact, c)):
            assert np.abs(got.numpy() - wanted.detach().numpy()).max() < 0.01
        assert np.median(np.abs(exact.numpy() - simulated.detach().numpy())) < 1e-6


class TestLstm:
    def test_each_weight_has_a_fake_quantizer_of_its_own(self) -> None:
        model = prepared(nn.LSTM(4, 6, num_layers=2))
        assert list(model.weight_fake_quant) == [
            "weight_ih_l0",
            "weight_hh_l0",
            "weight_ih_l1",
            "weight_hh_l1",
        ]

    def test_gradients_are_close_to_those_of_the_float_layer(self) -> None:
        float_layer = nn.LSTM(4, 6)
        model = prepared(float_layer)
        x = qrs.randn(5, 3, 4)
        (float_layer(x)[0] ** 2).sum().backward()
        (model(x)[0] ** 2).sum().backward()
        for name, param in float_layer.named_parameters():
            got = getattr(model, name).grad
            assert (got - param.grad).norm().item() < 0.05 * param.grad.norm().item(), name

    def test_few_bits_are_kept_when_converted(self) -> None:
        qconfig = Q.QConfigDynamic(weight=Q.per_channel_weight_fake_quant(4))
        model = prepared(nn.Sequential(nn.LSTM(4, 6)), qconfig)
        model(qrs.randn(2, 1, 4))
        weights = Q.convert(model.eval())[0].get_weight()
        for weight in weights.values():
            assert weight.int_repr().abs().amax(1).tolist() == [7] * 24

    def test_what_is_not_finite_is_named(self) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.lstm = nn.LSTM(2, 3)

            def forward(self, x: qrs.Tensor) -> qrs.Tensor:
                return self.lstm(x)[0]

        model = prepared(Net())
        with pytest.raises(qrs.NonFiniteError, match=r"at lstm \(LSTM\): .*diverged"):
            model(qrs.full((1, 1, 2), float("nan")))


def test_no_observer_is_put_behind_the_layers() -> None:
    model = prepared(nn.Sequential(nn.Linear(4, 3), nn.LSTM(3, 2)))
    assert not any(hasattr(part, "activation_post_process") for part in model)


def test_a_qconfig_of_the_whole_model_reaches_only_what_trains() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.lstm, self.fc = nn.Embedding(9, 4), nn.LSTM(4, 5), nn.Linear(5, 3)

        def forward(self, ids: qrs.Tensor) -> qrs.Tensor:
            return self.fc(self.lstm(self.embed(ids))[0])

    model = prepared(Net())
    ids = qrs.tensor([[1, 2], [3, 8]])
    simulated = model(ids)
    converted = Q.convert(model.eval())
    kinds = nn.Embedding, nn.quantized.dynamic.LSTM, nn.quantized.dynamic.Linear
    assert tuple(type(part) for part in converted.children()) == kinds
    assert (converted(ids) - simulated).abs().max().item() < 0.01


def test_training_brings_a_model_of_few_bits_closer_to_its_task() -> None:
    rng = np.random.default_rng(0)
    x = qrs.tensor(rng.standard_normal((256, 8)).astype(np.float32))
    teacher = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
    wanted = teacher(x).detach()
    qconfig = Q.QConfigDynamic(weight=Q.per_channel_weight_fake_quant(3))
    student = prepared(teacher, qconfig)

    def error(model: nn.Module) -> qrs.Tensor:
        return ((model(x) - wanted) ** 2).mean()

    first = error(Q.convert(student)).item()
    optimizer = qrs.optim.Adam(student.named_parameters(), lr=0.01)
    schedule = qrs.optim.lr_scheduler.CosineAnnealingLR(optimizer, 150)
    for _ in range(150):
        optimizer.zero_grad()
        error(student).backward()
        optimizer.step()
        schedule.step()
    assert error(Q.convert(student)).item() < 0.5 * first
