"""Limits for gradients."""

import math

import pytest

import qrs
from qrs.nn.utils import clip_grad_norm_, clip_grad_value_


def weights(*gradients):
    made = []
    for gradient in gradients:
        w = qrs.zeros(len(gradient), requires_grad=True)
        w.grad = qrs.tensor(gradient)
        made.append(w)
    return made


def test_joint_norm_is_limited_and_direction_kept():
    a, b = weights([3.0], [0.0, 4.0])
    assert float(clip_grad_norm_([a, b], 1.0)) == 5.0
    assert a.grad.item() == pytest.approx(0.6, rel=1e-5)
    assert b.grad.tolist() == pytest.approx([0.0, 0.8], rel=1e-5)


def test_small_gradients_stay():
    (a,) = weights([0.5])
    clip_grad_norm_(a, 1.0)
    assert a.grad.item() == 0.5


def test_other_norms_and_missing_gradients():
    (a,) = weights([3.0, -4.0])
    bare = qrs.zeros(1, requires_grad=True)
    assert float(clip_grad_norm_([a, bare], 100.0, math.inf)) == 4.0
    assert float(clip_grad_norm_([a, bare], 100.0, 1.0)) == 7.0
    assert float(clip_grad_norm_([bare], 1.0)) == 0.0


def test_values_are_cut():
    (a,) = weights([3.0, -4.0, 0.5])
    clip_grad_value_([a], 1.0)
    assert a.grad.tolist() == [1.0, -1.0, 0.5]


@pytest.mark.parametrize("norm", [2.0, math.inf])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_gradients_that_are_not_finite_are_left_for_the_optimizer_to_name(bad, norm):
    a, b = weights([3.0], [bad, 4.0])
    assert not math.isfinite(float(clip_grad_norm_([a, b], 1.0, norm)))
    assert a.grad.tolist() == [3.0]
    assert b.grad[1].item() == 4.0
    optimizer = qrs.optim.SGD([("a", a), ("b", b)], lr=0.1)
    with pytest.raises(qrs.NonFiniteError, match="gradient of parameter 'b'"):
        optimizer.step()
    with pytest.raises(qrs.NonFiniteError, match=r"clip_grad_norm_: .* parameters \[1\] hold NaN"):
        clip_grad_norm_([a, b], 1.0, norm, error_if_nonfinite=True)
