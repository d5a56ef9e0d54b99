"""Every primitive runs on arrays that are not NumPy's, forward and backward, with equal results."""

from typing import Any

import numpy as np
import pytest
from tests.autograd.device import DeviceArray, to_device, to_host
from tests.autograd.test_gradients import NAMES

import qrs
from qrs.autograd import PRIMITIVES, Sample, apply, backward
from qrs.autograd.graph import wrap


def single(value: Any) -> Any:
    """Float64 arrays in float32, for which NumPy's have compiled kernels."""
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return value


def run(name: str, args: Any, params: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Outputs and gradients, as arrays."""
    primitive = PRIMITIVES[name]
    tensors = [wrap(a) if isinstance(a, (np.ndarray, DeviceArray)) else a for a in args]
    leaves = []
    for i, tensor in enumerate(tensors):
        can = primitive.backward is not None or primitive.rules[i] is not None
        if isinstance(tensor, qrs.Tensor) and tensor._array.dtype.kind == "f" and can:
            leaves.append(tensor.requires_grad_())
    out = apply(primitive, *tensors, **params)
    outs = list(out) if isinstance(out, tuple) else [out]
    given = [o for o in outs if o.requires_grad]
    backward(given, [wrap(np.ones_like(o._array)) for o in given])
    return [o._array for o in outs], [leaf.grad._array for leaf in leaves if leaf.grad is not None]


@pytest.mark.parametrize("kind", [lambda value: value, single], ids=["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_results_are_those_of_numpy(name: str, kind: Any) -> None:
    for sample in PRIMITIVES[name].samples(np.random.default_rng(0)):
        assert isinstance(sample, Sample)
        args = [kind(a) for a in sample.args]
        wanted = run(name, args, sample.params)
        got = run(name, to_device(args), to_device(sample.params))
        for ours, theirs in zip((*got[0], *got[1]), (*wanted[0], *wanted[1]), strict=True):
            assert isinstance(ours, DeviceArray)
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(to_host(ours), theirs, rtol=2e-6, atol=2e-6)
