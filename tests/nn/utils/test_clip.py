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
