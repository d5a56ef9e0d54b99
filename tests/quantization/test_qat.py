"""Quantization-aware training from prepare_qat to convert."""

import copy

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import QrsError
from qrs.nn import intrinsic as nni
from qrs.nn.intrinsic import qat as nniqat
from qrs.nn.qat import WeightFakeQuant
from qrs.quantization.swaps import SWAPS


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant = Q.QuantStub()
        self.conv = nn.Conv2d(1, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(4 * 4 * 4, 3)
        self.dequant = Q.DeQuantStub()

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        x = self.relu(self.bn(self.conv(self.quant(x))))
        return self.dequant(self.fc(x.flatten(1)))


def prepared_net() -> nn.Module:
    model = Q.fuse_modules(Net().train(), ["conv", "bn", "relu"])
    model.qconfig = Q.get_default_qat_qconfig()
    return Q.prepare_qat(model)


class TestPrepare:
    def test_layers_are_replaced_and_observed(self) -> None:
        model = prepared_net()
        assert type(model.conv) is nniqat.ConvBnReLU2d
        assert type(model.fc) is nn.qat.Linear
        for name in ("quant", "conv", "fc"):
            assert type(getattr(model, name).activation_post_process) is Q.FakeQuantize
        assert not hasattr(model.conv.bn, "activation_post_process")
        assert not hasattr(model.dequant, "activation_post_process")

    def test_a_copy_is_prepared_unless_in_place(self) -> None:
        model = Net().train()
        model.qconfig = Q.get_default_qat_qconfig()
        prepared = Q.prepare_qat(model)
        assert type(model.fc) is nn.Linear
        assert prepared.fc.weight is not model.fc.weight
        weight = model.fc.weight
        assert Q.prepare_qat(model, inplace=True) is model
        assert model.fc.weight is weight

    def test_hooks_of_the_user_move_along_and_see_rounded_values(self) -> None:
        seen = []
        model = Net().train()
        model.fc.register_forward_hook(lambda module, args, output: seen.append(output))
        model.qconfig = Q.get_default_qat_qconfig()
        prepared = Q.prepare_qat(model)
        prepared(qrs.randn(2, 1, 6, 6))
        fq = prepared.fc.activation_post_process
        steps = seen[0].detach().numpy() / fq.scale.numpy()
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)

    def test_evaluation_mode_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"model\.train\(\)"):
            Q.prepare_qat(Net().eval())

    def test_a_qconfig_for_calibration_is_refused(self) -> None:
        model = Net()
        model.qconfig = Q.get_default_qconfig()
        with pytest.raises(
            QrsError, match=r"\(Conv2d\) has.*only observes.*get_default_qat_qconfig"
        ):
            Q.prepare_qat(model, inplace=True)
        assert type(model.fc) is nn.Linear

    def test_a_second_time_is_refused(self) -> None:
        with pytest.raises(qrs.QrsError, match="prepare: quant has an observer, so"):
            Q.prepare_qat(prepared_net())

    def test_none_leaves_a_layer_float(self) -> None:
        model = Net().train()
        model.qconfig = Q.get_default_qat_qconfig()
        model.fc.qconfig = None
        assert type(Q.prepare_qat(model).fc) is nn.Linear

    def test_the_embedding_gets_a_qconfig_of_its_own(self) -> None:
        model = nn.Sequential(nn.Embedding(6, 4), nn.EmbeddingBag(5, 4))
        model.qconfig = Q.default_embedding_qat_qconfig
        prepared = Q.prepare_qat(model)
        assert [type(part) for part in prepared] == [nn.qat.Embedding, nn.qat.EmbeddingBag]
        ids, bags = qrs.tensor([0, 3, 5]), qrs.tensor([[0, 3], [2, 2]])
        simulated = prepared[0](ids), prepared[1](bags)
        simulated[0].sum().backward()
        assert prepared[0].weight.grad.sum().item() == 12
        converted = Q.convert(prepared)
        for now, then in zip(simulated, (converted[0](ids), converted[1](bags)), strict=True):
            np.testing.assert_allclose(now.detach().numpy(), then.numpy(), rtol=0, atol=2e-6)

    def test_a_table_with_a_qconfig_for_other_layers_is_refused_before_the_training(self) -> None:
        model = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 2))
        model.qconfig = Q.get_default_qat_qconfig()
        words = r"at 0 \(Embedding\): .*qint8.*default_embedding_qat_qconfig, or to None"
        with pytest.raises(qrs.DtypeError, match=words):
            Q.prepare_qat(model)
        model[0].qconfig = None
        assert type(Q.prepare_qat(model)[0]) is nn.Embedding


class TestTraining:
    def test_gradients_reach_every_parameter(self) -> None:
        model = prepared_net()
        (model(qrs.randn(4, 1, 6, 6)) ** 2).sum().backward()
        for name, param in model.named_parameters():
            assert param.grad is not None, name
            # A bias before a normalisation has no effect.
            assert name == "conv.bias" or bool((param.grad != 0).any()), name

    def test_with_rounding_off_it_is_the_float_model(self) -> None:
        model = Net().train()
        x = qrs.randn(4, 1, 6, 6)
        model.qconfig = Q.get_default_qat_qconfig()
        prepared = Q.prepare_qat(Q.fuse_modules(model, ["conv", "bn", "relu"]))
        prepared.apply(Q.disable_fake_quant)
        for mode in (True, False):
            expected = model.train(mode)(x).detach().numpy()
            got = prepared.train(mode)(x).detach().numpy()
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)

    def test_state_dict_round_trip_goes_on_the_same(self) -> None:
        x = qrs.randn(4, 1, 6, 6)
        one, other = prepared_net(), prepared_net()
        one(x)
        other.load_state_dict(one.state_dict())
        assert qrs.equal(one(x), other(x))
        assert qrs.equal(Q.convert(one)(x), Q.convert(other)(x))

    def test_copies_are_independent(self) -> None:
        x = qrs.randn(4, 1, 6, 6)
        model = prepared_net()
        other = copy.deepcopy(model)
        model(x)
        with pytest.raises(qrs.NotCalibratedError, match=r"quant"):
            Q.convert(other)

    def test_divergence_stops_with_the_name_of_the_layer(self) -> None:
        model = prepared_net()
        with pytest.raises(qrs.NonFiniteError, match=r"quant.*NaN or infinite"):
            model(qrs.full((1, 1, 6, 6), float("inf")))

    def test_a_shape_error_in_a_loss_names_the_loss(self) -> None:
        class Scored(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net, self.loss = prepared_net(), nn.CrossEntropyLoss()

            def forward(self, x: qrs.Tensor, target: qrs.Tensor) -> qrs.Tensor:
                return self.loss(self.net(x), target)

        with pytest.raises(qrs.ShapeError, match=r"at loss \(CrossEntropyLoss\): .*\(2, 3\)"):
            Scored()(qrs.randn(2, 1, 6, 6), qrs.tensor([0, 1, 2]))


class TestConvert:
    def test_converted_classes_are_those_of_the_table(self) -> None:
        model = prepared_net()
        model(qrs.randn(4, 1, 6, 6))
        converted = Q.convert(model)
        assert type(converted.conv) is nni.quantized.ConvReLU2d
        assert type(converted.fc) is nn.quantized.Linear
        leftovers = [n for n, m in converted.named_modules() if isinstance(m, Q.FakeQuantizeBase)]
        assert leftovers == []
        assert not any(hasattr(module, "qconfig") for module in converted.modules())

    def test_the_model_in_training_is_left_as_it_was(self) -> None:
        model = prepared_net()
        x = qrs.randn(4, 1, 6, 6)
        model(x)
        model.eval().apply(Q.disable_observer)
        before = {k: v.numpy().copy() for k, v in model.state_dict().items()}
        Q.convert(model)
        for key, value in model.state_dict().items():
            assert np.array_equal(value.numpy(), before[key]), key

    def test_in_one_call(self) -> None:
        x, t = qrs.randn(8, 1, 6, 6), qrs.tensor([0, 1, 2, 0, 1, 2, 0, 1])
        losses = []

        def train(model: nn.Module, steps: int) -> None:
            optimizer = qrs.optim.Adam(model.parameters(), lr=0.01)
            for _ in range(steps):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x), t)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())

        model = Net()
        model.qconfig = Q.get_default_qat_qconfig()
        converted = Q.quantize_qat(model, train, (12,))
        assert type(converted.fc) is nn.quantized.Linear
        assert type(model.fc) is nn.Linear
        assert losses[-1] < losses[0]

    def test_the_model_of_one_call_is_ready_to_use(self) -> None:
        model = nn.Sequential(Q.QuantStub(), nn.Linear(3, 3), nn.Dropout(), Q.DeQuantStub())
        model.qconfig = Q.get_default_qat_qconfig()
        x = qrs.randn(4, 3)
        small = Q.quantize_qat(model, lambda prepared: prepared(x))
        assert not any(part.training for part in small.modules())
        assert qrs.equal(small(x), small(x))


@pytest.mark.parametrize(
    "row", [row for row in SWAPS if row.qat], ids=lambda row: row.float.__name__
)
def test_every_row_with_a_training_form_converts_to_its_static_one(row) -> None:
    assert issubclass(row.qat, WeightFakeQuant)
    assert row.qat.float_class is row.float
    mapping = Q.get_default_static_quant_module_mappings()
    assert mapping[row.qat] is mapping[row.float] is row.static
