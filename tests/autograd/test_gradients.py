"""Every primitive in the table against finite differences, for every argument that has a rule."""

import contextlib
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import qrs
from qrs.autograd import PRIMITIVES, apply, gradcheck

# A primitive counts wherever in the package it is defined.
for module in pkgutil.walk_packages(qrs.__path__, "qrs."):
    if not module.name.endswith("__main__"):
        with contextlib.suppress(ImportError):  # what PyTorch has and qrs has not says so
            importlib.import_module(module.name)
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
        call = lambda *a, s=sample: apply(primitive, *a, **s.params)  # noqa: E731
        assert gradcheck(call, args, atol=1e-7, rtol=1e-6)
    assert checked, f"no sample of {name} has a float64 array to differentiate"


@pytest.mark.parametrize("name", NAMES)
def test_samples_differentiate_every_argument_that_can_be(name):
    primitive = PRIMITIVES[name]
    if primitive.backward is None:
        wanted = {i for i in range(len(primitive.rules)) if differentiable(primitive, i)}
    else:
        kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = inspect.signature(primitive.forward).parameters.values()
        wanted = {i for i, p in enumerate(parameters) if p.kind in kinds}
    checked = {
        i
        for sample in primitive.samples(np.random.default_rng(0))
        for i, a in enumerate(sample.args)
        if isinstance(a, np.ndarray) and a.dtype == np.float64
    }
    assert wanted <= checked, f"no sample of {name} differentiates arguments {wanted - checked}"


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
