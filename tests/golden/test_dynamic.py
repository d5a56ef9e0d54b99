"""Dynamically quantized layers under profile "fbgemm" against PyTorch 1.8.1."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs import nn, quantization

from .cases import Case, load

LINEAR = [case for case in load("dynamic") if case.op == "dynamic_linear"]
RECURRENT = [case for case in load("dynamic") if case.op != "dynamic_linear"]


@pytest.fixture(autouse=True)
def fbgemm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", "fbgemm")


def converted(module: Any, case: Case, qconfig: Any) -> Any:
    state = {k.removeprefix("p:"): v for k, v in case.inputs.items() if k.startswith("p:")}
    module.load_state_dict(state)
    return quantization.quantize_dynamic(module, {type(module): qconfig})


@pytest.mark.parametrize("case", LINEAR, ids=str)
def test_linear(case: Case) -> None:
    out_features, in_features = case.inputs["p:weight"].shape
    module = nn.Linear(in_features, out_features, bias="p:bias" in case.inputs)
    layer = converted(module, case, getattr(quantization, case.args["qconfig"]))
    y = layer(qrs.from_numpy(case.inputs["x"])).numpy()
    if "float16" in case.args["qconfig"]:
        np.testing.assert_allclose(y, case.outputs["y"], rtol=1e-6, atol=1e-6)
    else:
        assert np.array_equal(y, case.outputs["y"])


@pytest.mark.parametrize("case", RECURRENT, ids=str)
def test_recurrent(case: Case) -> None:
    name = case.op.removeprefix("dynamic_")
    args = dict(case.args)
    layer = converted(getattr(nn, name)(**args), case, quantization.default_dynamic_qconfig)
    states = [qrs.from_numpy(case.inputs[k]) for k in ("h0", "c0") if k in case.inputs]
    result = layer(
        qrs.from_numpy(case.inputs["x"]), states[0] if len(states) == 1 else tuple(states)
    )
    if name.endswith("Cell"):
        got = dict(zip("hc", result if len(states) == 2 else (result,), strict=False))
    else:
        y, last = result
        got = {"y": y, **dict(zip("hc", last if len(states) == 2 else (last,), strict=False))}
    for role, value in got.items():
        np.testing.assert_allclose(value.numpy(), case.outputs[role], rtol=0, atol=1e-6)
