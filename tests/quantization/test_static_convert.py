"""Static conversion of whole models: what is replaced, and what is said about what is not."""

import copy
import warnings
from collections.abc import Callable

import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, UnquantizedLayerWarning
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import quantized as nniq
from qrs.quantization.swaps import SWAPS


class Net(nn.Module):
    """Layers that call each other in turn, between stubs."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.dequant(self.layers(self.quant(x)))


def prepared(model: nn.Module, *shape: int) -> nn.Module:
    model.eval().qconfig = Q.get_default_qconfig()
    model = Q.prepare(model)
    model(qrs.randn(*shape))
    return model


def test_every_static_class_of_the_table_comes_from_its_float_class() -> None:
    mapping = Q.get_default_static_quant_module_mappings()
    for row in SWAPS:
        if row.static is not None:
            assert mapping[row.float] is row.static
            assert hasattr(row.static, "from_float")


def test_a_quiet_conversion_leaves_nothing_in_float() -> None:
    model = prepared(Net(nn.Linear(4, 4), nn.Hardswish(), nn.LayerNorm(4)), 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted = Q.convert(model)
    kinds = [type(layer) for layer in converted.layers]
    assert kinds == [nnq.Linear, nnq.Hardswish, nnq.LayerNorm]


class Mine(nn.Linear):
    """A derived type, of which nobody said how to quantize it."""


@pytest.mark.parametrize("layer", [lambda: Mine(4, 4), lambda: nn.GRU(4, 4)])
def test_layers_that_stay_float_are_reported(layer: type) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(layer()))
    model.eval().qconfig = Q.get_default_qconfig()
    model = Q.prepare(model)
    model[0](qrs.randn(2, 4))
    with pytest.warns(UnquantizedLayerWarning, match=r"left in float: 1\.0 \((Mine|GRU)\)"):
        converted = Q.convert(model)
    assert type(converted[0]) is nnq.Linear


def test_a_qconfig_of_none_is_no_reason_to_warn() -> None:
    model = Net(nn.Linear(4, 4))
    model.dequant = nn.Sequential(Q.DeQuantStub(), Mine(4, 4))
    model.dequant[1].qconfig = None
    converted = Q.convert(prepared(model, 2, 4))
    assert type(converted.dequant[1]) is Mine
    assert tuple(converted(qrs.randn(2, 4)).shape) == (2, 4)


def test_errors_of_conversion_name_the_layer() -> None:
    model = Net(nn.Sequential(nn.Linear(4, 4)))
    model.layers[0][0].qconfig = Q.QConfig(activation=Q.default_observer, weight=Q.MinMaxObserver)
    with pytest.raises(
        DtypeError, match=r"at layers\.0\.0 \(Linear\): QuantizedLinear\.from_float"
    ):
        Q.convert(prepared(model, 2, 4))


def test_a_conv_fused_for_training_is_folded() -> None:
    qrs.manual_seed(0)
    model = Net(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).train()
    fused = Q.fuse_modules(copy.deepcopy(model), [["layers.0", "layers.1", "layers.2"]])
    x = qrs.randn(2, 3, 6, 6)
    expected = model.eval()(x)
    fused.eval().qconfig = Q.get_default_qconfig()
    calibrated = Q.prepare(fused)
    calibrated(x)
    converted = Q.convert(calibrated)
    assert type(converted.layers[0]) is nniq.ConvReLU2d
    assert (converted(x) - expected).abs().max().item() < 0.03 * expected.max().item()


def test_a_shared_layer_stays_one() -> None:
    layer = nn.Linear(4, 4)
    converted = Q.convert(prepared(Net(layer, nn.ReLU(), layer), 3, 4))
    assert converted.layers[0] is converted.layers[2]
    assert type(converted.layers[0]) is nnq.Linear
    assert tuple(converted(qrs.randn(3, 4)).shape) == (3, 4)


def test_quantized_models_have_no_parameters_to_train() -> None:
    converted = Q.convert(prepared(Net(nn.Linear(4, 4), nn.LayerNorm(4)), 3, 4))
    assert list(converted.parameters()) == []


def test_hooks_of_users_see_quantized_tensors() -> None:
    model = Net(nn.Linear(4, 4))
    seen: list[qrs.dtypes.dtype] = []
    model.layers[0].register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    converted = Q.convert(prepared(model, 3, 4))
    converted(qrs.randn(3, 4))
    assert seen == [qrs.float32, qrs.quint8]


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.fc, self.dequant = Q.QuantStub(), nn.Linear(8, 8), Q.DeQuantStub()
        self.attention = nn.MultiheadAttention(8, 2)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        x = self.dequant(self.fc(self.quant(x)))
        return self.attention(x, x, x)[0]


def test_attention_without_a_qconfig_stays_float() -> None:
    model, x = Attending().eval(), qrs.randn(5, 2, 8)
    expected = model(x)
    model.attention.qconfig = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted = Q.convert(prepared(model, 5, 2, 8))
    assert type(converted.fc) is nnq.Linear
    assert type(converted.attention.out_proj) is nn.Linear
    assert (converted(x) - expected).abs().max().item() < 0.05


def test_attention_behind_a_dequantstub_says_what_to_do() -> None:
    converted = Q.convert(prepared(Attending().eval(), 5, 2, 8))
    with pytest.raises(DtypeError, match=r"attention\.linear_Q.*: a float tensor .* QuantStub"):
        converted(qrs.randn(5, 2, 8))


def test_attention_can_be_of_a_user_s_own_making() -> None:
    class Observed(nn.MultiheadAttention):
        @classmethod
        def from_float(cls, mod: nn.MultiheadAttention) -> "Observed":
            return cls(mod.embed_dim, mod.num_heads)

    model = Attending().eval()
    model.qconfig = Q.get_default_qconfig()
    custom = {"float_to_observed_custom_module_class": {nn.MultiheadAttention: Observed}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(Q.prepare(model, prepare_custom_config_dict=custom).attention) is Observed


@pytest.mark.parametrize(
    "act",
    [
        lambda: nn.ReLU(inplace=True),
        lambda: nn.ReLU6(inplace=True),
        lambda: nn.Hardtanh(-0.5, 0.5, inplace=True),
        lambda: nn.LeakyReLU(0.2, inplace=True),
        lambda: nn.ELU(0.5, inplace=True),
        lambda: nn.Hardswish(inplace=True),
        lambda: nn.SiLU(inplace=True),
        lambda: nn.Hardsigmoid(inplace=True),
        lambda: nn.CELU(0.5, inplace=True),
        lambda: nn.Threshold(0.1, 0.5, inplace=True),
    ],
)
def test_an_activation_in_place_changes_the_shortcut_too(act: Callable[[], nn.Module]) -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
            self.act, self.conv, self.sum = (
                act(),
                nn.Conv2d(3, 3, 1),
                nn.quantized.FloatFunctional(),
            )

        def forward(self, x: qrs.Tensor) -> qrs.Tensor:
            x = self.quant(x)
            y = self.conv(self.act(x))
            return self.dequant(self.sum.add(x, y))

    qrs.manual_seed(0)
    model, x = Block().eval(), qrs.randn(2, 3, 8, 8)
    expected = model(x.clone()).detach()
    model.qconfig = Q.get_default_qconfig()
    model = Q.prepare(model)
    model(x.clone())
    error = Q.convert(model)(x.clone()) - expected
    # A threshold may turn over for a value beside it.
    assert (error * error).mean().item() < 0.003 * (expected * expected).mean().item()
