"""Pooling: ties, NaN, unbatched input, errors; values are compared with PyTorch."""

import numpy as np
import pytest

import qrs
import qrs.nn.functional as F


def test_gradient_of_a_tie_goes_to_the_first_maximum():
    x = qrs.zeros(1, 1, 4, requires_grad=True)
    F.max_pool1d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[1, 0, 1, 0]]]


def test_nan_wins_the_maximum():
    x = qrs.tensor([[[1.0, float("nan"), 5.0, 2.0]]])
    out = F.max_pool1d(x, 2).numpy()
    assert np.isnan(out[0, 0, 0])
    assert out[0, 0, 1] == 5


def test_indices_point_to_the_maxima():
    x = qrs.randn(2, 3, 7, 6)
    for call in (
        lambda: F.max_pool2d(x, 3, 2, 1, return_indices=True),
        lambda: F.adaptive_max_pool2d(x, (3, 2), return_indices=True),
    ):
        out, places = call()
        picked = x.flatten(2).gather(2, places.flatten(2))
        assert qrs.equal(picked, out.flatten(2))


def test_stride_defaults_to_the_kernel():
    x = qrs.randn(1, 1, 6, 6)
    assert qrs.equal(F.avg_pool2d(x, 2), F.avg_pool2d(x, 2, stride=2))
    assert qrs.equal(F.max_pool2d(x, 2), F.max_pool2d(x, 2, stride=[]))


def test_unbatched_input_is_a_batch_of_one():
    x = qrs.randn(3, 6, 6)
    for call in (
        lambda v: F.max_pool2d(v, 2),
        lambda v: F.avg_pool2d(v, 2),
        lambda v: F.adaptive_avg_pool2d(v, 2),
        lambda v: F.adaptive_max_pool2d(v, 2),
    ):
        assert qrs.equal(call(x), call(x.unsqueeze(0)).squeeze(0))


def test_adaptive_pool_keeps_an_axis_at_none():
    assert F.adaptive_avg_pool2d(qrs.zeros(1, 2, 5, 7), (None, 1)).shape == (1, 2, 5, 1)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: F.max_pool2d(x, 2, padding=2), qrs.ShapeError, "at most half the kernel"),
        (lambda x: F.max_pool2d(x, 9), qrs.ShapeError, "kernel's reach of 9"),
        (lambda x: F.max_pool1d(x, 2), qrs.ShapeError, r"expected \(N, C, W\) or \(C, W\)"),
        (lambda x: F.max_pool2d(x, 0), qrs.ShapeError, "positive numbers"),
        (lambda x: F.avg_pool2d(x, 2, divisor_override=0), ValueError, "divisor_override 0"),
        (lambda x: F.adaptive_avg_pool2d(x, (1, 2, 3)), qrs.ShapeError, "expected 2 numbers"),
        (lambda x: F.avg_pool2d(x.long(), 2), qrs.DtypeError, "floating-point"),
        (lambda x: F.max_pool2d(x, (2, 2, 2)), qrs.ShapeError, "kernel_size"),
    ],
)
def test_misfits_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call(qrs.zeros(1, 1, 5, 5))
