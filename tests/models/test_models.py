"""Known networks, reduced in width and image size, from float to int8."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.golden import reference as ref

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import ConvReLU2d
from qrs.nn.intrinsic import quantized as nniq
from qrs.quantization import _numeric_suite as ns

from .mobilenet import MobileNetV2, MobileNetV3
from .resnet import resnet50, resnext50

MODELS: dict[str, Callable[[], nn.Module]] = {
    "resnet50": lambda: resnet50(width=8, classes=10),
    "resnext50": lambda: resnext50(width=8, groups=4, classes=10),
    "mobilenet_v2": lambda: MobileNetV2(width=0.25, classes=10),
    "mobilenet_v3": lambda: MobileNetV3(width=0.25, classes=10),
}
ENGINES = ["qrs", "fbgemm", "qnnpack"]
# Cosine between the scores of float and int8; fbgemm has 7 bits for activations.
LEAST = {"qrs": 0.96, "fbgemm": 0.92, "qnnpack": 0.96}


def trained(name: str) -> nn.Module:
    """A network with running statistics of its own activations, as training leaves them.

    What a block adds is made small beside what it passes on, which training does as well: deep
    networks of random weights amplify every difference, that of rounding too.
    """
    qrs.manual_seed(0)
    model = MODELS[name]()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
        if getattr(module, "skip", None) is not None:
            module.last_norm().weight.data.fill_(0.2)
    model.train()
    with qrs.no_grad():
        for _ in range(2):
            model(qrs.randn(8, 3, 64, 64))
    return model.eval()


@pytest.fixture(scope="module", params=MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def float_model(name: str) -> nn.Module:
    return trained(name)


def quantized(model: nn.Module, engine: str) -> nn.Module:
    before, qrs.backends.quantized.engine = qrs.backends.quantized.engine, engine
    qrs.manual_seed(1)
    try:
        model = copy.deepcopy(model)
        model.fuse()
        model.qconfig = Q.get_default_qconfig(engine)
        prepared = Q.prepare(model)
        Q.calibrate(prepared, (qrs.randn(8, 3, 64, 64) for _ in range(2)))
        return Q.convert(prepared)
    finally:
        qrs.backends.quantized.engine = before


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


def oracle(layer: Any, x: qrs.QTensor) -> np.ndarray:
    """The integers that a convolution or linear layer must give, computed the slow way."""
    weight, bias = layer.weight(), layer.bias()
    if weight.qscheme().is_per_channel:
        scale, points = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
        scale, points = scale.numpy(), points.numpy()
    else:
        scale, points = np.array([weight.q_scale()]), np.array([weight.q_zero_point()])
    w, q, zero_point = weight.int_repr().numpy(), x.int_repr().numpy(), x.q_zero_point()
    linear = isinstance(layer, nnq.Linear)
    if linear:
        acc = ref.accumulate(q, zero_point, w, points)
    else:
        geo = ref.Geometry(layer.stride, layer.padding, layer.dilation, layer.groups)
        acc = np.moveaxis(ref.conv_accumulate(q, zero_point, w, points, geo), 1, -1)
    b = None if bias is None else bias.numpy()
    output = (layer.scale, layer.zero_point)
    y = ref.requantize(acc, x.q_scale(), scale, b, output, layer.engine, layer.relu)
    return y if linear else np.moveaxis(y, -1, 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_layer_is_exact(float_model: nn.Module, engine: str) -> None:
    model = quantized(float_model, engine)
    calls: list[tuple[Any, qrs.QTensor, qrs.QTensor]] = []
    for module in model.modules():
        if isinstance(module, nnq.Conv2d | nnq.Linear):
            module.register_forward_hook(lambda m, args, y: calls.append((m, args[0], y)))
    model(qrs.randn(2, 3, 64, 64))
    assert len(calls) >= 50
    for layer, x, y in calls:
        assert np.array_equal(y.int_repr().numpy(), oracle(layer, x)), layer


def in_steps(got: qrs.QTensor, wanted: qrs.Tensor) -> float:
    """How far a result is at most from the float one, clamped to its range."""
    scale, zero_point = got.q_scale(), got.q_zero_point()
    nearest = np.clip(wanted.detach().numpy() / scale + zero_point, 0, 255)
    return float(np.abs(got.int_repr().numpy() - nearest).max())


def test_what_lies_between_layers_is_within_half_a_step(
    float_model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = quantized(float_model, "qrs")
    floats = dict(float_model.named_modules())
    # From the rounding of floats next to a tie.
    most, seen = 0.5 + 1e-3, set()

    def compare(module: nn.Module, args: tuple[qrs.QTensor], y: qrs.QTensor) -> None:
        twin = floats[paths[module]]
        assert in_steps(y, twin(args[0].dequantize())) < most, paths[module]
        seen.add(type(module).__name__)

    kinds = nn.MaxPool2d | nn.AdaptiveAvgPool2d | nnq.Hardswish | nn.Hardsigmoid | nnq.ReLU6
    paths = {m: path for path, m in model.named_modules() if isinstance(m, kinds)}
    for module in paths:
        module.register_forward_hook(compare)
    for operation in ("add", "mul", "add_relu"):
        plain = getattr(nnq.QFunctional, operation)

        def checked(self: Any, a: Any, b: Any, plain: Any = plain, name: str = operation) -> Any:
            y = plain(self, a, b)
            wanted = getattr(nnq.FXFloatFunctional(), name)(a.dequantize(), b.dequantize())
            assert in_steps(y, wanted) < most, name
            seen.add(name)
            return y

        monkeypatch.setattr(nnq.QFunctional, operation, checked)
    model(qrs.randn(2, 3, 64, 64))
    assert len(seen) >= 3


@pytest.mark.parametrize("engine", ENGINES)
def test_from_float_to_int8(float_model: nn.Module, engine: str) -> None:
    model = quantized(float_model, engine)
    kinds = {type(module) for module in model.modules()}
    assert kinds & {nnq.Conv2d, nniq.ConvReLU2d}
    assert not kinds & {nn.Conv2d, nn.Linear, nn.BatchNorm2d, nnq.FloatFunctional}
    x = qrs.randn(8, 3, 64, 64)
    expected = float_model(x).detach().numpy()
    y = model(x).numpy()
    assert cosine(expected, y) > LEAST[engine]


def test_no_layer_is_off_and_a_broken_one_shows(float_model: nn.Module) -> None:
    """Each layer on its own, on the inputs that the int8 network gives it."""
    fused = copy.deepcopy(float_model)
    fused.fuse()
    model = quantized(float_model, "qrs")
    x = qrs.randn(8, 3, 64, 64)

    def errors() -> dict[str, float]:
        pairs = ns.compare_model_stub(fused, model, {ConvReLU2d, nn.Conv2d, nn.Linear}, x)
        found = {}
        for name, pair in pairs.items():
            wanted, got = pair["float"][0], pair["quantized"][0].dequantize()
            found[name] = ((got - wanted).norm() / wanted.norm()).item()
        return found

    sound = errors()
    assert len(sound) >= 50
    assert max(sound.values()) < 0.15
    # The middle one loses its bias.
    name = sorted(sound)[len(sound) // 2]
    layer = model.get_submodule(name.removesuffix(".stats"))
    layer.set_weight_bias(layer.weight(), qrs.zeros_like(layer.bias()))
    broken = errors()
    assert max(broken, key=lambda name: broken[name] - sound[name]) == name


def test_results_do_not_depend_on_batch_threads_or_copies(float_model: nn.Module) -> None:
    model = quantized(float_model, "qrs")
    x = qrs.randn(4, 3, 64, 64)
    expected = model(x)
    assert qrs.equal(model(x[1:2]), expected[1:2])
    assert qrs.equal(copy.deepcopy(model)(x), expected)
    before = qrs.get_num_threads()
    try:
        for threads in (1, 2, 3):
            qrs.set_num_threads(threads)
            assert qrs.equal(model(x), expected)
    finally:
        qrs.set_num_threads(before)


def test_a_saved_state_restores_the_model(
    float_model: nn.Module, name: str, tmp_path: Path
) -> None:
    model = quantized(float_model, "qrs")
    x = qrs.randn(2, 3, 64, 64)
    qrs.save(model.state_dict(), tmp_path / "model.qrs")
    other = quantized(MODELS[name]().eval(), "qrs")
    assert not qrs.equal(other(x), model(x))
    other.load_state_dict(qrs.load(tmp_path / "model.qrs"))
    assert qrs.equal(other(x), model(x))
