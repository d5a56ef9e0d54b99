"""Observers against PyTorch 1.8.1: ranges, histograms, scales and zero points to the last bit."""

import numpy as np
import pytest

import qrs
from qrs import quantization

from .cases import Case, load


@pytest.mark.parametrize("case", load("observers"), ids=str)
def test_observer(case: Case) -> None:
    args = {key: value for key, value in case.args.items() if key != "kind"}
    args["dtype"] = getattr(qrs, args["dtype"])
    args["qscheme"] = getattr(qrs, args["qscheme"])
    observer = getattr(quantization, case.op)(**args)
    for role in sorted(case.inputs):
        observer(qrs.from_numpy(case.inputs[role]))
    scale, zero_point = observer.calculate_qparams()
    lo = getattr(observer, "min_vals", None)
    lo, hi = (observer.min_val, observer.max_val) if lo is None else (lo, observer.max_vals)
    assert np.array_equal(lo.numpy().reshape(-1), case.outputs["min_val"])
    assert np.array_equal(hi.numpy().reshape(-1), case.outputs["max_val"])
    if "histogram" in case.outputs:
        np.testing.assert_allclose(
            observer.histogram.numpy(), case.outputs["histogram"], rtol=0, atol=1.5e-4
        )
    assert np.array_equal(scale.numpy(), case.outputs["scale"])
    assert np.array_equal(zero_point.numpy(), case.outputs["zero_point"])
