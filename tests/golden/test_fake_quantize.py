"""Fake quantization and its gradient against PyTorch 1.8.1."""

import numpy as np
import pytest

import qrs

from .cases import Case, load


@pytest.mark.parametrize("case", load("fake_quantize"), ids=str)
def test_fake_quantize(case: Case) -> None:
    x = qrs.from_numpy(case.inputs["x"].copy()).requires_grad_()
    params = [qrs.from_numpy(case.inputs[k]) for k in ("scale", "zero_point") if k in case.inputs]
    y = getattr(qrs, case.op)(x, *params, **case.args)
    y.backward(qrs.from_numpy(case.inputs["grad_output"]))
    assert np.array_equal(y.detach().numpy(), case.outputs["y"])
    assert np.array_equal(x.grad.numpy(), case.outputs["grad_x"])
