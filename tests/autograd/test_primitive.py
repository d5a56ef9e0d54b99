import numpy as np
import pytest

import qrs
from qrs.autograd import PRIMITIVES, Sample, apply, define, define_fused, vjp


@pytest.fixture
def registered():
    """Names added by a test leave the table with it."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def samples(rng):
    return [Sample(rng.standard_normal(2))]


def test_defined_primitive_runs_and_differentiates(registered):
    triple = define("test_triple", lambda x: x * 3, vjp(lambda g, ans, x: g * 3), samples=samples)
    x = qrs.ones(2, requires_grad=True)
    y = apply(triple, x)
    y.sum().backward()
    assert y.tolist() == [3.0, 3.0]
    assert x.grad.tolist() == [3.0, 3.0]


def test_rule_cannot_read_a_value_that_it_did_not_name(registered):
    square = define(
        "test_square", lambda x: x * x, vjp(lambda g, ans, x: g * 2 * x), samples=samples
    )
    x = qrs.ones(2, requires_grad=True)
    with pytest.raises(TypeError):
        apply(square, x).sum().backward()


def test_rule_with_an_unknown_name_is_refused(registered):
    with pytest.raises(ValueError, match=r"'test_typo' use \['y'\]"):
        define("test_typo", np.exp, vjp(lambda g, ans, x: g, "y"), samples=samples)


def test_name_is_unique():
    with pytest.raises(ValueError, match="'exp' exists"):
        define("exp", np.exp, vjp(lambda g, ans, x: g), samples=samples)


def test_fused_primitive_saves_only_where_a_gradient_is_wanted(registered):
    saves = []

    def forward(x, w, *, save, power):
        saves.append(save)
        return (x * w, x**power), ((x, w) if save else None)

    def backward(grads, saved, needs, *, power):
        x, w = saved
        first, second = grads
        grad_x = first * w + second * power * x ** (power - 1) if needs[0] else None
        return grad_x, first * x if needs[1] else None

    fused = define_fused("test_fused", forward, backward, samples=samples)
    x, w = qrs.tensor([2.0], requires_grad=True), qrs.tensor([3.0])
    with qrs.no_grad():
        apply(fused, x, w, power=2)
    product, power = apply(fused, x, w, power=2)
    (product + power).sum().backward()
    assert saves == [False, True]
    assert x.grad.tolist() == [7.0]
    assert w.grad is None


def test_fused_primitive_gets_zeros_for_unused_outputs(registered):
    def backward(grads, saved, needs):
        return (grads[0] + grads[1],)

    fused = define_fused(
        "test_halves", lambda x, *, save: ((x * 1, x * 1), None), backward, samples=samples
    )
    x = qrs.ones(2, requires_grad=True)
    apply(fused, x)[0].sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_value_saved_by_a_fused_primitive_is_watched(registered):
    fused = define_fused(
        "test_kept",
        lambda x, *, save: (x * x, {"x": [x]}),
        lambda grads, saved, needs: (grads[0] * 2 * saved["x"][0],),
        samples=samples,
    )
    x = qrs.ones(2, requires_grad=True) * 1
    y = apply(fused, x)
    x.add_(1)
    with pytest.raises(qrs.GradientError, match="'test_kept' saved"):
        y.sum().backward()


def test_integer_result_is_not_recorded():
    x = qrs.ones(2, requires_grad=True)
    assert not x.long().requires_grad


def test_failure_names_operation_and_inputs():
    with pytest.raises(qrs.ShapeError, match=r"add\(float32\[2\], float32\[3\]\)"):
        qrs.ones(2) + qrs.ones(3)
