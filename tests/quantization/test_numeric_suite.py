"""The numeric suite finds the layer that is broken, and leaves the models as they were."""

from collections import OrderedDict

import pytest

import qrs
import qrs.quantization._numeric_suite as ns
from qrs import nn
from qrs import quantization as Q
from qrs.nn import intrinsic as nni
from qrs.nn import quantized as nnq


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant = Q.QuantStub()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1))
        self.skip = nnq.FloatFunctional()
        self.fc = nn.Linear(8, 4)
        self.dequant = Q.DeQuantStub()

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        x = self.relu(self.conv1(self.quant(x)))
        x = self.skip.add_relu(x, self.block(x))
        return self.dequant(self.fc(x.mean((2, 3))))


LAYERS = {nni.ConvReLU2d, nn.Conv2d, nn.Linear, nnq.FloatFunctional}
NAMES = {"conv1", "block.0", "fc", "skip"}


@pytest.fixture
def data() -> qrs.Tensor:
    return qrs.randn(8, 3, 6, 6)


@pytest.fixture
def models(data: qrs.Tensor) -> tuple[Net, Net]:
    float_model = Q.fuse_modules(Net().eval(), ["conv1", "relu"])
    float_model.qconfig = Q.get_default_qconfig()
    prepared = Q.prepare(float_model)
    Q.calibrate(prepared, [data])
    return float_model, Q.convert(prepared)


def noise(pair: dict[str, list[object]]) -> float:
    """The error of the first recorded output over its size."""
    wanted, got = pair["float"][0], pair["quantized"][0]
    got = got.dequantize() if got.is_quantized else got
    return ((got - wanted).norm() / wanted.norm()).item()


def names(model: nn.Module) -> list[str]:
    return [name for name, _ in model.named_modules()]


# ---- weights -------------------------------------------------------------------------------


def test_weights_are_paired_through_fusion(models: tuple[Net, Net]) -> None:
    float_model, quantized = models
    pairs = ns.compare_weights(float_model.state_dict(), quantized.state_dict())
    assert set(pairs) == {"conv1.weight", "block.0.weight", "fc.weight"}
    assert pairs["conv1.weight"]["float"] is not None
    for pair in pairs.values():
        weight = pair["quantized"]
        step = weight.q_per_channel_scales().max().item()
        assert (weight.dequantize() - pair["float"]).abs().max().item() <= 0.51 * step


def test_weights_of_an_unfused_model_too(models: tuple[Net, Net]) -> None:
    pairs = ns.compare_weights(Net().state_dict(), models[1].state_dict())
    assert "conv1.weight" in pairs


def test_all_matrices_of_a_recurrent_layer_are_paired() -> None:
    model = nn.Sequential(nn.LSTM(3, 4, num_layers=2, bidirectional=True)).eval()
    pairs = ns.compare_weights(model.state_dict(), Q.quantize_dynamic(model).state_dict())
    wanted = {
        f"0.weight_{side}_l{layer}{end}"
        for side in ("ih", "hh")
        for layer in (0, 1)
        for end in ("", "_reverse")
    }
    assert set(pairs) == wanted
    for pair in pairs.values():
        assert pair["float"].shape == pair["quantized"].shape


def test_weights_in_the_layout_of_pytorch() -> None:
    weight = qrs.quantize_per_tensor(qrs.ones(2, 3), 0.1, 0, qrs.qint8)
    packed = OrderedDict({"fc._packed_params._packed_params": (weight, None)})
    pairs = ns.compare_weights({"fc.weight": qrs.ones(2, 3)}, packed)
    assert pairs["fc._packed_params._packed_params"]["quantized"] is weight


def test_state_dicts_of_different_models_raise() -> None:
    other = {"body.weight": qrs.ones(2, 2)}
    with pytest.raises(ValueError, match=r"compare_weights: none .* before and after"):
        ns.compare_weights(nn.Linear(2, 2).state_dict(), other)


def test_models_in_place_of_state_dicts_raise() -> None:
    with pytest.raises(
        qrs.StateDictError, match="compare_weights: a Linear came, expected a state"
    ):
        ns.compare_weights(nn.Linear(2, 2), nn.Linear(2, 2))


# ---- layers on equal inputs ----------------------------------------------------------------


def halve(layer: nn.Module) -> None:
    """What a scale that got lost on the way does."""
    weight = layer.weight()
    scales = weight.q_per_channel_scales()
    half = qrs.quantize_per_channel(
        weight.dequantize() / 2, scales, weight.q_per_channel_zero_points(), 0, qrs.qint8
    )
    layer.set_weight_bias(half, layer.bias() / 2)


def test_the_broken_layer_shows_and_no_other(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    float_model, quantized = models
    sound = ns.compare_model_stub(float_model, quantized, LAYERS, data)
    assert set(sound) == {f"{name}.stats" for name in NAMES}
    assert max(map(noise, sound.values())) < 0.05
    halve(quantized.block[0])
    broken = ns.compare_model_stub(float_model, quantized, LAYERS, data)
    errors = {name.removesuffix(".stats"): noise(pair) for name, pair in broken.items()}
    assert errors["block.0"] > 0.4
    assert max(error for name, error in errors.items() if name != "block.0") < 0.05


def test_all_samples_of_a_batch_are_recorded(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    pair = ns.compare_model_stub(*models, {nn.Linear}, data)["fc.stats"]
    assert tuple(pair["float"][0].shape) == tuple(pair["quantized"][0].shape) == (8, 4)


def test_the_model_is_as_before(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    float_model, quantized = models
    before = names(float_model), names(quantized), quantized(data).tolist()
    layer = quantized.conv1
    for _ in range(2):
        ns.compare_model_stub(float_model, quantized, LAYERS, data)
        ns.compare_model_outputs(float_model, quantized, data)
    assert (names(float_model), names(quantized), quantized(data).tolist()) == before
    assert quantized.conv1 is layer
    with pytest.raises(qrs.ShapeError):
        ns.compare_model_stub(float_model, quantized, LAYERS, qrs.randn(1, 2, 6, 6))
    with pytest.raises(qrs.ShapeError):
        ns.compare_model_outputs(float_model, quantized, qrs.randn(1, 2, 6, 6))
    assert (names(float_model), names(quantized)) == before[:2]


def test_stubs_stay_until_removed(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    float_model, quantized = models
    ns.prepare_model_with_stubs(float_model, quantized, LAYERS, ns.ShadowLogger)
    ns.prepare_model_with_stubs(float_model, quantized, LAYERS, ns.ShadowLogger)
    assert type(quantized.conv1) is ns.Shadow
    assert type(quantized.conv1.orig_module) is not ns.Shadow
    quantized(data)
    quantized(data)
    assert len(ns.get_logger_dict(quantized)["conv1.stats"]["float"]) == 2
    assert "net.conv1.stats" in ns.get_logger_dict(quantized, "net")
    ns.remove_stubs(quantized)
    assert ns.get_logger_dict(quantized) == {}


def test_a_block_is_compared_as_a_whole(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    kinds = {nn.Sequential, nn.Conv2d}
    assert list(ns.compare_model_stub(*models, kinds, data)) == ["block.stats"]


def test_a_module_under_two_names_is_wrapped_once(data: qrs.Tensor) -> None:
    layer = nn.Linear(4, 4)
    model = nn.Sequential(layer, nn.ReLU(), layer).eval()
    small = Q.quantize_dynamic(model)
    stats = ns.compare_model_stub(model, small, {nn.Linear}, qrs.randn(3, 4))
    assert len(stats["0.stats"]["float"]) == 2
    assert small[0] is small[2]


def test_recurrent_layers_are_compared() -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 5)

        def forward(self, x: qrs.Tensor) -> qrs.Tensor:
            return self.lstm(x)[0]

    model = Tagger().eval()
    small = Q.quantize_dynamic(model)
    x = qrs.randn(6, 2, 4)
    pair = ns.compare_model_stub(model, small, {nn.LSTM}, x)["lstm.stats"]
    assert tuple(pair["quantized"][0].shape) == (6, 2, 5)
    assert noise(pair) < 0.05
    outputs = ns.compare_model_outputs(model, small, x)["lstm.stats"]
    assert tuple(outputs["float"][0][1][0].shape) == (1, 2, 5)


def test_models_that_were_not_fused_alike_raise(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    with pytest.raises(
        ValueError, match=r"conv1 is a float Conv2d and a quantized ConvReLU2d.*fuse both models"
    ):
        ns.compare_model_stub(Net().eval(), models[1], {nn.Conv2d}, data)
    with pytest.raises(ValueError, match=r"outputs: conv1 is a float Conv2d.* or ConvReLU2d"):
        ns.compare_model_outputs(Net().eval(), models[1], data)


@pytest.mark.parametrize("types", [nn.Conv2d, ["conv1"]])
def test_what_is_no_collection_of_types_raises(
    models: tuple[Net, Net], data: qrs.Tensor, types: object
) -> None:
    with pytest.raises(TypeError, match=r"stubs: .* came, expected types of modules"):
        ns.compare_model_stub(*models, types, data)
    with pytest.raises(TypeError, match=r"outputs: .* came, expected types of modules"):
        ns.compare_model_outputs(*models, data, allow_list=types)


def test_nothing_to_compare_raises(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    with pytest.raises(ValueError, match="no module of type Conv3d in the float model"):
        ns.compare_model_stub(*models, {nn.Conv3d}, data)


# ---- activations ---------------------------------------------------------------------------


def test_activations_are_paired_and_errors_add_up(
    models: tuple[Net, Net], data: qrs.Tensor
) -> None:
    float_model, quantized = models
    pairs = ns.compare_model_outputs(float_model, quantized, data)
    assert {f"{name}.stats" for name in ("quant", *NAMES, "dequant")} == set(pairs)
    assert max(map(noise, pairs.values())) < 0.05
    assert pairs["conv1.stats"]["quantized"][0].is_quantized
    halve(quantized.block[0])
    pairs = ns.compare_model_outputs(float_model, quantized, data)
    errors = {name: noise(pair) for name, pair in pairs.items()}
    assert errors["conv1.stats"] < 0.05
    assert min(errors["block.0.stats"], errors["skip.stats"], errors["fc.stats"]) > 0.05


def test_what_is_never_called_is_left_out(data: qrs.Tensor) -> None:
    model = Net().eval()
    model.unused = nnq.FloatFunctional()
    model.qconfig = Q.default_qconfig
    prepared = Q.prepare(model)
    prepared(data)
    small = Q.convert(prepared)
    assert "unused.stats" not in ns.compare_model_outputs(model, small, data)
    found = ns.compare_model_stub(model, small, {nnq.FloatFunctional}, data)
    assert list(found) == ["skip.stats"]


def test_recorded_values_survive_what_works_in_place() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)).eval()
    pairs = ns.compare_model_outputs(model, Q.quantize_dynamic(model), qrs.randn(16, 4))
    assert pairs["0.stats"]["float"][0].min().item() < 0


def test_types_and_loggers_are_the_callers(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    class Largest(ns.OutputLogger):
        def forward(self, x: qrs.Tensor) -> qrs.Tensor:
            self.stats["tensor_val"].append(x.max().item())
            return x

    pairs = ns.compare_model_outputs(
        *models, data, Logger=Largest, allow_list={nni.ConvReLU2d, nni.quantized.ConvReLU2d}
    )
    assert set(pairs) == {"conv1.stats", "skip.stats"}
    assert type(pairs["conv1.stats"]["float"][0]) is float


def test_a_prepared_model_raises(models: tuple[Net, Net], data: qrs.Tensor) -> None:
    float_model, quantized = models
    with pytest.raises(ValueError, match=r"quant has an observer.*before prepare"):
        ns.compare_model_outputs(Q.prepare(float_model), quantized, data)


def test_parts_left_in_float_are_no_obstacle(data: qrs.Tensor) -> None:
    model = nn.Sequential(Net(), nn.Linear(4, 4)).eval()
    model.qconfig = Q.default_qconfig
    model[1].qconfig = None
    prepared = Q.prepare(model)
    prepared(data)
    small = Q.convert(prepared)
    assert "1.weight" in ns.compare_weights(model.state_dict(), small.state_dict())
    for found in (
        ns.compare_model_stub(model, small, {nn.Linear}, data),
        ns.compare_model_outputs(model, small, data),
    ):
        assert {"0.fc.stats", "1.stats"} <= set(found)
        assert noise(found["1.stats"]) < 0.05
