"""Every primitive in the table against finite differences."""

import numpy as np
import pytest

import qrs
from qrs.autograd import PRIMITIVES, apply, gradcheck

NAMES = sorted(PRIMITIVES)


def differentiable(primitive, i):
    return primitive.backward is not None or primitive.rules[i] is not None


@pytest.mark.parametrize("name", NAMES)
def test_gradient_agrees_with_finite_differences(name):
    primitive = PRIMITIVES[name]
    samples = list(primitive.samples(np.random.default_rng(len(name))))
    assert samples, f"{name} was registered without samples"
    checked = 0
    for sample in samples:
        args = [
            qrs.from_numpy(a).requires_grad_()
            if isinstance(a, np.ndarray) and a.dtype == np.float64 and differentiable(primitive, i)
            else a
            for i, a in enumerate(sample.args)
        ]
        if not any(isinstance(a, qrs.Tensor) for a in args):
            continue
        checked += 1
        assert gradcheck(lambda *a, s=sample: apply(primitive, *a, **s.params), args)
    assert checked, f"no sample of {name} has a float64 array to differentiate"


@pytest.mark.parametrize("name", NAMES)
def test_gradient_has_shape_and_type_of_float32_input(name):
    primitive = PRIMITIVES[name]
    for sample in primitive.samples(np.random.default_rng(0)):
        args = [
            qrs.from_numpy(a.astype(np.float32)).requires_grad_(differentiable(primitive, i))
            if isinstance(a, np.ndarray) and a.dtype == np.float64
            else a
            for i, a in enumerate(sample.args)
        ]
        out = apply(primitive, *args, **sample.params)
        leaves = [a for a in args if isinstance(a, qrs.Tensor) and a.requires_grad]
        outs = [o for o in (out if isinstance(out, tuple) else (out,)) if o.requires_grad]
        qrs.autograd.backward(outs, [qrs.ones_like(o) for o in outs])
        for leaf in leaves:
            assert leaf.grad.dtype is qrs.float32
            assert leaf.grad.shape == leaf.shape
