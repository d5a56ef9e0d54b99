"""prepare and convert: where observers go, what they do to the model, and what is refused.

The quantized classes here are small stand-ins: what is tested is the passes over the module tree.
"""

import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import NotCalibratedError, QrsError
from qrs.nn import intrinsic as nni
from qrs.quantization.observe import observer_hook


class Quantized(nn.Module):
    """Remembers what it was made from."""

    @classmethod
    def from_float(cls, mod: nn.Module) -> "Quantized":
        new = cls()
        new.source = type(mod)
        new.scale = mod.activation_post_process.calculate_qparams()[0].item()
        return new

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return x


MAPPING = {nn.Linear: Quantized, nni.LinearReLU: Quantized, Q.QuantStub: Quantized}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant = Q.QuantStub()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Sigmoid())
        self.fused = nni.LinearReLU(nn.Linear(3, 3), nn.ReLU())
        self.dequant = Q.DeQuantStub()

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.dequant(self.fused(self.body(self.quant(x))))


def net(train: bool = False) -> Net:
    model = Net().train(train)
    model.qconfig = Q.get_default_qat_qconfig() if train else Q.default_qconfig
    return model


def observed(model: nn.Module) -> dict[str, type]:
    found: dict[str, nn.Module] = {}
    Q.get_observer_dict(model, found)
    return {name.removesuffix(".activation_post_process"): type(o) for name, o in found.items()}


LEAVES = {nn.Linear, Q.QuantStub}


def test_observers_go_behind_leaves_and_fused_modules() -> None:
    model = net()
    prepared = Q.prepare(model, allow_list=LEAVES)
    assert observed(prepared) == dict.fromkeys(("quant", "body.0", "fused"), Q.MinMaxObserver)
    assert observed(model) == {}
    assert not hasattr(model.quant, "qconfig")


def test_default_leaves_are_those_of_the_table() -> None:
    assert set(observed(Q.prepare(net()))) >= {"body.0", "fused"}
    assert {nn.Linear, nn.LSTM, nn.Sequential} <= Q.get_default_qconfig_propagation_list()


def test_in_training_sigmoid_gets_its_known_range() -> None:
    prepared = Q.prepare(net(train=True), allow_list=LEAVES)
    assert observed(prepared)["body.2"] is Q.FixedQParamsFakeQuantize
    assert prepared.body[2].activation_post_process.calculate_qparams()[0].item() == 1 / 256


def test_none_leaves_a_branch_unobserved() -> None:
    model = net()
    model.body.qconfig = None
    assert set(observed(Q.prepare(model, allow_list=LEAVES))) == {"quant", "fused"}


def test_whole_modules() -> None:
    prepared = Q.prepare(net(), allow_list=set(), observer_non_leaf_module_list={nn.Sequential})
    assert set(observed(prepared)) == {"body", "fused"}


def test_modules_that_call_their_own_observer_get_no_hook() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.activation_post_process = nn.Identity()

    model = nn.Sequential(Functional())
    model.qconfig = Q.default_qconfig
    prepared = Q.prepare(model)
    assert isinstance(prepared[0].activation_post_process, Q.MinMaxObserver)
    assert not prepared[0]._forward_hooks


def test_the_observer_sees_the_output_before_other_hooks() -> None:
    model = net()
    seen: list[object] = []
    model.body[0].register_forward_hook(lambda *_: seen.append("user"))
    prepared = Q.prepare(model, allow_list=LEAVES)
    assert next(iter(prepared.body[0]._forward_hooks.values())) is observer_hook
    x = qrs.randn(4, 3)
    y = prepared(x)
    assert seen == ["user"]
    assert qrs.equal(y, model(x))
    assert prepared.quant.activation_post_process.max_val.item() == x.max().item()


def test_a_fake_quantizer_replaces_the_output() -> None:
    model = net(train=True)
    prepared = Q.prepare(model, allow_list={Q.QuantStub})
    x = qrs.tensor([[0.1234, 1.0, -1.0]])
    assert prepared.quant(x).tolist() != x.tolist()


def test_without_a_qconfig_raises() -> None:
    model = net()
    model.qconfig = None
    with pytest.raises(QrsError, match="get_default_qconfig"):
        Q.prepare(model)


def test_prepare_twice_raises_and_names_a_module() -> None:
    prepared = Q.prepare(net(), allow_list=LEAVES)
    with pytest.raises(QrsError, match="quant has an observer, so the model is prepared"):
        Q.prepare(prepared)


def test_convert_swaps_and_cleans_up() -> None:
    prepared = Q.prepare(net(), allow_list=LEAVES)
    prepared(qrs.randn(4, 3))
    converted = Q.convert(prepared, MAPPING)
    assert converted.body[0].source is nn.Linear
    assert converted.fused.source is nni.LinearReLU
    assert converted.quant.scale > 0
    for module in converted.modules():
        assert not hasattr(module, "qconfig")
        assert not hasattr(module, "activation_post_process")
        assert observer_hook not in module._forward_hooks.values()
    # The prepared model goes on.
    assert type(prepared.body[0]) is nn.Linear
    assert observed(prepared)


def test_convert_in_place_and_keeping_qconfigs() -> None:
    prepared = Q.prepare(net(), inplace=True, allow_list=LEAVES)
    prepared(qrs.randn(4, 3))
    assert Q.convert(prepared, MAPPING, inplace=True, remove_qconfig=False) is prepared
    assert prepared.qconfig is Q.default_qconfig


def test_convert_without_prepare_raises() -> None:
    with pytest.raises(QrsError, match="call prepare"):
        Q.convert(net())


def test_convert_without_calibration_raises_and_names_the_module() -> None:
    prepared = Q.prepare(net(), allow_list={nn.Linear})
    with pytest.raises(NotCalibratedError, match=r"body\.0\.MinMaxObserver: no data"):
        Q.convert(prepared, {nn.Linear: Quantized})


def test_root_leaf_is_observed_and_swapped() -> None:
    layer = nn.Linear(3, 2)
    layer.qconfig = Q.default_qconfig
    prepared = Q.prepare(layer)
    prepared(qrs.randn(1, 3))
    assert type(Q.convert(prepared, MAPPING)) is Quantized


def test_user_hooks_and_mode_survive_the_swap() -> None:
    model = net()
    calls: list[str] = []
    model.body[0].register_forward_pre_hook(lambda *_: calls.append("before"))
    model.body[0].register_forward_hook(lambda *_: calls.append("after"))
    prepared = Q.prepare(model, allow_list=LEAVES)
    prepared(qrs.randn(1, 3))
    calls.clear()
    converted = Q.convert(prepared, MAPPING)
    converted(qrs.randn(1, 3))
    assert calls == ["before", "after"]
    assert not converted.body[0].training


def test_a_module_under_two_names_gets_one_observer_and_one_replacement() -> None:
    model = net()
    model.again = nn.Sequential(model.body[0])
    prepared = Q.prepare(model, allow_list=LEAVES)
    assert list(prepared.body[0]._forward_hooks.values()) == [observer_hook]
    prepared(qrs.randn(1, 3))
    converted = Q.convert(prepared, MAPPING)
    assert converted.again[0] is converted.body[0]


class Custom(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.fc(x)


class ObservedCustom(Custom):
    @classmethod
    def from_float(cls, mod: Custom) -> "ObservedCustom":
        new = cls()
        new.fc = mod.fc
        return new


class QuantizedCustom(nn.Module):
    @classmethod
    def from_observed(cls, mod: ObservedCustom) -> "QuantizedCustom":
        new = cls()
        new.scale = mod.activation_post_process.calculate_qparams()[0].item()
        return new


@pytest.mark.parametrize("nested", [False, True])
def test_custom_modules_at_any_depth(nested: bool) -> None:
    model = nn.Sequential(Custom())
    if nested:
        model = nn.Sequential(model)
    model.qconfig = Q.default_qconfig
    prepared = Q.prepare(
        model,
        prepare_custom_config_dict={
            "float_to_observed_custom_module_class": {Custom: ObservedCustom}
        },
    )
    prepared(qrs.randn(2, 3))
    converted = Q.convert(
        prepared,
        MAPPING,
        convert_custom_config_dict={
            "observed_to_quantized_custom_module_class": {ObservedCustom: QuantizedCustom}
        },
    )
    leaf = converted[0][0] if nested else converted[0]
    assert type(leaf) is QuantizedCustom
    assert leaf.scale > 0


def test_observer_states_move_between_models() -> None:
    first, second = Q.prepare(net()), Q.prepare(net())
    first(qrs.randn(4, 3))
    state = Q.get_observer_state_dict(first)
    assert state
    assert all("activation_post_process" in key for key in state)
    Q.load_observer_state_dict(second, state)
    a, b = ({}, {})
    Q.get_observer_dict(first, a)
    Q.get_observer_dict(second, b)
    for name, observer in a.items():
        assert observer.calculate_qparams()[0].item() == b[name].calculate_qparams()[0].item()
    state.popitem()
    with pytest.raises(QrsError, match="missing"):
        Q.load_observer_state_dict(second, state)
    with pytest.raises(QrsError, match=r"load_observer_state_dict: a str came.*qrs\.load"):
        Q.load_observer_state_dict(second, "observers.safetensors")


def test_quantize_in_one_call() -> None:
    model = net()
    batches: list[object] = []

    def run(prepared: nn.Module, data: list[tuple[qrs.Tensor, int]]) -> None:
        batches.extend(data)
        Q.default_eval_fn(prepared, data)

    mapping = {nni.LinearReLU: Quantized}
    converted = Q.quantize(model, run, ([(qrs.randn(2, 3), 0)],), mapping=mapping)
    assert len(batches) == 1
    assert converted.fused.source is nni.LinearReLU
    assert type(model.fused) is nni.LinearReLU


def test_prepare_qat_wants_training_mode() -> None:
    with pytest.raises(ValueError, match=r"model\.train\(\)"):
        Q.prepare_qat(net().eval())


def test_prepare_qat_swaps_and_observes() -> None:
    class Aware(nn.Linear):
        @classmethod
        def from_float(cls, mod: nn.Linear) -> "Aware":
            new = cls(mod.in_features, mod.out_features)
            new.qconfig = mod.qconfig
            new.weight = mod.weight
            return new

    model = net(train=True)
    aware = Q.prepare_qat(model, {nn.Linear: Aware})
    assert type(aware.body[0]) is Aware
    assert observed(aware)["body.0"] is Q.FakeQuantize
    assert type(model.body[0]) is nn.Linear


class Duck(nn.Module):
    """An observer of no base class."""

    dtype = qrs.quint8

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        self.highest = max(x.max().item(), getattr(self, "highest", 0.0))
        return x

    def calculate_qparams(self) -> tuple[qrs.Tensor, qrs.Tensor]:
        return qrs.tensor([self.highest / 255]), qrs.tensor([0])


def test_an_observer_of_no_base_class_observes() -> None:
    model = nn.Sequential(Q.QuantStub(), nn.Linear(3, 2)).eval()
    model.qconfig = Q.QConfig(Duck, Q.default_weight_observer)
    prepared = Q.prepare(model)
    assert Q.calibrate(prepared, [qrs.ones(1, 3), 2.55 * qrs.ones(1, 3)]) == 2
    with pytest.raises(QrsError, match="has an observer, so"):
        Q.prepare(prepared)
    converted = Q.convert(prepared)
    assert converted[0].scale.item() == pytest.approx(0.01)
    assert [type(part) for part in prepared.modules()].count(Duck) == 2
    assert not any(hasattr(part, "calculate_qparams") for part in converted.modules())
