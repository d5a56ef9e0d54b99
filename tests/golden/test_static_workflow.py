"""Fusing, preparing, calibrating and converting a small CNN against PyTorch 1.8.1."""

import functools

import numpy as np
import pytest

import qrs
from qrs import quantization as Q

from .cases import Case, load
from .net import Net, load_parameters

CASES: dict[str, Case] = {c.args["backend"]: c for c in load("workflows") if c.op == "static"}
BACKENDS = sorted(CASES)


# Kernels of fbgemm ran in both, with the qconfigs of either backend; see README.md.
@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", "fbgemm")


@functools.cache
def converted(backend: str) -> Net:
    case = CASES[backend]
    model = load_parameters(Net(), case).eval()
    model.qconfig = Q.get_default_qconfig(backend)
    prepared = Q.prepare(Q.fuse_modules(model, case.args["fuse"]))
    Q.calibrate(prepared, (qrs.from_numpy(case.inputs[f"x{i}"]) for i in range(3)))
    return Q.convert(prepared)


@pytest.mark.parametrize("backend", BACKENDS)
def test_float_output(backend: str) -> None:
    case = CASES[backend]
    y = load_parameters(Net(), case).eval()(qrs.from_numpy(case.inputs["xt"]))
    np.testing.assert_allclose(y.detach().numpy(), case.outputs["y_float"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["quant", "conv1", "conv2", "ff", "fc"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_converted_modules(backend: str, name: str) -> None:
    case, module = CASES[backend], getattr(converted(backend), name)
    # A sum of float convolutions may differ in its last bit, and with it the ends of the range.
    scale = case.outputs[f"scale:{name}"].item()
    assert float(module.scale) == pytest.approx(scale, rel=2e-7)
    assert int(module.zero_point) == case.outputs[f"zero_point:{name}"].item()
    if f"weight:{name}" in case.outputs:
        ints = module.weight().int_repr().numpy()
        assert np.array_equal(ints, case.outputs[f"weight:{name}"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_quantized_output(backend: str) -> None:
    case = CASES[backend]
    y = converted(backend)(qrs.from_numpy(case.inputs["xt"]))
    step = case.outputs["scale:fc"].item()
    assert np.array_equal(np.rint(y.numpy() / step), np.rint(case.outputs["y"] / step))
