"""Known networks, reduced in width and image size, from float to int8."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import quantized as nniq

from .mobilenet import MobileNetV2, MobileNetV3
from .resnet import resnet50, resnext50

MODELS: dict[str, Callable[[], nn.Module]] = {
    "resnet50": lambda: resnet50(width=8, classes=10),
    "resnext50": lambda: resnext50(width=8, groups=4, classes=10),
    "mobilenet_v2": lambda: MobileNetV2(width=0.25, classes=10),
    "mobilenet_v3": lambda: MobileNetV3(width=0.25, classes=10),
}
ENGINES = ["qrs", "fbgemm", "qnnpack"]


def trained(name: str) -> nn.Module:
    """A network with running statistics of its own activations, as training leaves them."""
    qrs.manual_seed(0)
    model = MODELS[name]()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
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


@pytest.mark.parametrize("engine", ENGINES)
def test_from_float_to_int8(float_model: nn.Module, engine: str) -> None:
    model = quantized(float_model, engine)
    kinds = {type(module) for module in model.modules()}
    assert kinds & {nnq.Conv2d, nniq.ConvReLU2d}
    assert not kinds & {nn.Conv2d, nn.Linear, nn.BatchNorm2d, nnq.FloatFunctional}
    x = qrs.randn(8, 3, 64, 64)
    expected = float_model(x).detach().numpy()
    y = model(x).numpy()
    # What the classes have in common says nothing about them.
    spread = expected - expected.mean(axis=0), y - y.mean(axis=0)
    assert cosine(expected, y) > 0.995
    assert cosine(*spread) > {"qrs": 0.97, "fbgemm": 0.95, "qnnpack": 0.85}[engine]


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
