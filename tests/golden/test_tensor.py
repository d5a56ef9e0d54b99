"""Quantizing and dequantizing tensors against PyTorch 1.8.1."""

import numpy as np
import pytest

import qrs

from .cases import Case, load


@pytest.mark.parametrize("case", load("tensor"), ids=str)
def test_quantize(case: Case) -> None:
    x = qrs.from_numpy(case.inputs["x"])
    dtype = getattr(qrs, case.args["dtype"])
    if case.op == "quantize_per_tensor":
        q = qrs.quantize_per_tensor(x, case.args["scale"], case.args["zero_point"], dtype)
    else:
        scales, zero_points = (qrs.from_numpy(case.inputs[k]) for k in ("scales", "zero_points"))
        q = qrs.quantize_per_channel(x, scales, zero_points, case.args["axis"], dtype)
    assert np.array_equal(q.int_repr().numpy(), case.outputs["int_repr"])
    got, want = q.dequantize().numpy(), case.outputs["dequantize"]
    if case.op == "quantize_per_tensor":
        assert np.array_equal(got, want)
    else:
        # PyTorch multiplies by the float64 scale here only; the kernels use its nearest float32,
        # and a channel keeps its values when it is sliced out.
        assert np.allclose(got, want, rtol=1e-6, atol=0)
