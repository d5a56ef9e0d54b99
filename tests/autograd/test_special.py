import math

import numpy as np
import pytest

from qrs.autograd.special import erf, gelu, log_softmax, logsumexp, sigmoid, softmax, tanh


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erf_agrees_with_the_math_module(dtype):
    x = np.linspace(-8, 8, 20001).astype(dtype)
    expected = np.array([math.erf(v) for v in x.tolist()])
    got = erf(x)
    assert got.dtype == dtype
    assert np.abs(got - expected).max() < (3e-15 if dtype is np.float64 else 1.6e-7)


def test_erf_is_relatively_exact_near_zero():
    x = np.logspace(-300, -1, 500)
    expected = np.array([math.erf(v) for v in x.tolist()])
    assert np.abs(erf(x) / expected - 1).max() < 4e-15


def test_erf_at_the_ends():
    got = erf(np.array([-np.inf, np.inf, np.nan, 0.0]))
    assert got[:2].tolist() == [-1.0, 1.0]
    assert np.isnan(got[2])
    assert got[3] == 0.0


def test_sigmoid_at_the_ends():
    x = np.array([-np.inf, -1e4, 0.0, 1e4, np.inf], np.float32)
    assert sigmoid(x).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert math.isnan(sigmoid(np.array([np.nan]))[0])


def test_gelu_agrees_with_its_definition():
    x = np.linspace(-6, 6, 1001)
    expected = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    np.testing.assert_allclose(gelu(x), expected, rtol=1e-12, atol=1e-15)


def test_softmax_of_large_values_does_not_overflow():
    got = softmax(np.array([[1e4, 1e4, -1e4]], np.float32), 1)
    assert got.tolist() == [[0.5, 0.5, 0.0]]


def test_softmax_of_masked_places_is_zero():
    got = softmax(np.array([0.0, -np.inf]), 0)
    assert got.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_softmax_of_a_row_masked_everywhere_is_nan(function):
    assert np.isnan(function(np.full(2, -np.inf), 0)).all()


def test_softmax_along_an_empty_dimension_is_empty():
    assert softmax(np.zeros((2, 0)), 1).shape == (2, 0)
    assert log_softmax(np.zeros((2, 0)), 1).shape == (2, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-np.inf, -np.inf], -np.inf),
        ([np.inf, 0.0], np.inf),
        ([1e4, 1e4], 1e4 + math.log(2)),
    ],
)
def test_logsumexp_at_the_ends(values, expected):
    assert float(logsumexp(np.array(values), 0, False)) == expected


@pytest.mark.parametrize("function", [erf, gelu, sigmoid, tanh])
def test_float32_agrees_with_float64(function):
    x = np.concatenate([np.linspace(-30, 30, 5001), [0.0, -0.0, 1e-30, -1e-30, np.inf]])
    single = x.astype(np.float32)
    got, want = function(single), function(single.astype(np.float64))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=4e-7, atol=4e-37 + 2e-7 * (function is gelu))
    assert np.isnan(function(np.array([np.nan], np.float32))).all()


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_softmax_of_float32_agrees_with_float64(function, axis):
    x = np.random.default_rng(1).standard_normal((3, 4, 5)).astype(np.float32) * 10
    want = function(x.astype(np.float64), axis)
    np.testing.assert_allclose(function(x, axis), want, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_rows_of_float32_masked_everywhere_are_nan(function):
    assert np.isnan(function(np.full(2, -np.inf, np.float32), 0)).all()
    assert function(np.zeros((2, 0), np.float32), 1).shape == (2, 0)


def test_the_order_in_memory_is_kept():
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 3)).astype(np.float32)
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    got = sigmoid(channels_last)
    assert got.strides == channels_last.strides
    assert np.array_equal(got, sigmoid(x))
