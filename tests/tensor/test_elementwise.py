import math

import numpy as np
import pytest

import qrs

VALUES = np.linspace(-3, 3, 13).astype(np.float32)
POSITIVE = np.linspace(0.25, 4, 12).astype(np.float32)
SMALL = np.linspace(-0.9, 0.9, 7).astype(np.float32)

FUNCTIONS = {
    "abs": (np.abs, VALUES),
    "acos": (np.arccos, SMALL),
    "asin": (np.arcsin, SMALL),
    "atan": (np.arctan, VALUES),
    "ceil": (np.ceil, VALUES),
    "cos": (np.cos, VALUES),
    "exp": (np.exp, VALUES),
    "expm1": (np.expm1, VALUES),
    "floor": (np.floor, VALUES),
    "log": (np.log, POSITIVE),
    "log10": (np.log10, POSITIVE),
    "log1p": (np.log1p, POSITIVE),
    "log2": (np.log2, POSITIVE),
    "reciprocal": (np.reciprocal, POSITIVE),
    "relu": (lambda x: np.maximum(x, 0), VALUES),
    "round": (np.rint, VALUES),
    "rsqrt": (lambda x: 1 / np.sqrt(x), POSITIVE),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), VALUES),
    "sign": (np.sign, VALUES),
    "sin": (np.sin, VALUES),
    "sqrt": (np.sqrt, POSITIVE),
    "square": (np.square, VALUES),
    "tan": (np.tan, SMALL),
    "tanh": (np.tanh, VALUES),
    "trunc": (np.trunc, VALUES),
    "frac": (lambda x: x - np.trunc(x), VALUES),
    "erf": (np.vectorize(math.erf), VALUES),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_and_method_agree_with_numpy(name):
    reference, values = FUNCTIONS[name]
    expected = reference(values).astype(np.float32)
    x = qrs.from_numpy(values)
    np.testing.assert_allclose(getattr(qrs, name)(x).numpy(), expected, rtol=1e-6, atol=1e-7)
    assert np.array_equal(getattr(x, name)().numpy(), getattr(qrs, name)(x).numpy())


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sigmoid", "tanh", "sin", "erf"])
def test_integers_give_the_default_float(name):
    assert getattr(qrs.tensor([1, 2]), name)().dtype is qrs.float32


@pytest.mark.parametrize("name", ["abs", "neg", "sign", "relu", "square"])
def test_integers_stay_integers(name):
    x = qrs.tensor([-3, 0, 4], dtype=qrs.int32)
    assert getattr(x, name)().dtype is qrs.int32


@pytest.mark.parametrize("name", FUNCTIONS)
def test_infinities_and_nan_pass_without_warnings(name):
    x = qrs.tensor([float("inf"), float("-inf"), float("nan"), 0.0, -1.0])
    assert getattr(x, name)().shape == (5,)


def test_clamp_bounds():
    x = qrs.tensor([-2.0, 0.5, 2.0, float("nan")])
    assert x.clamp(-1, 1).tolist()[:3] == [-1.0, 0.5, 1.0]
    assert math.isnan(x.clamp(-1, 1)[3].item())
    assert x.clamp(min=0).tolist()[:3] == [0.0, 0.5, 2.0]
    assert x.clamp(max=0).tolist()[:3] == [-2.0, 0.0, 0.0]
    assert x[:3].clamp(qrs.tensor([0.0, 1.0, 5.0]), 4).tolist() == [0.0, 1.0, 4.0]
    assert qrs.tensor([1, 5]).clamp(2, 3).tolist() == [2, 3]


def test_clamp_without_bounds_is_refused():
    with pytest.raises(ValueError, match="neither min nor max"):
        qrs.ones(1).clamp()
    with pytest.raises(ValueError, match="neither min nor max"):
        qrs.ones(1).clamp_()


def test_gradient_of_clamp_passes_at_its_bounds():
    x = qrs.tensor([-1.0, 0.0, 1.0, 2.0], requires_grad=True)
    x.clamp(0, 1).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_where_chooses_and_promotes():
    mask = qrs.tensor([True, False])
    assert qrs.where(mask, qrs.ones(2), 0).tolist() == [1.0, 0.0]
    assert qrs.where(mask, 1, 2).dtype is qrs.int64
    assert qrs.where(mask, qrs.ones(2, dtype=qrs.int64), 0.5).dtype is qrs.float32
    assert qrs.ones(2).where(mask, qrs.zeros(2)).tolist() == [1.0, 0.0]
    (rows,) = qrs.where(mask)
    assert rows.tolist() == [0]


@pytest.mark.parametrize("bad", [qrs.ones(2), [True, False], 1])
def test_where_needs_a_bool_condition(bad):
    with pytest.raises(qrs.DtypeError, match="bool was expected"):
        qrs.where(bad, qrs.ones(2), 0)


def test_masked_fill_needs_a_bool_mask():
    x = qrs.ones(2)
    assert x.masked_fill(x > 0, 5).tolist() == [5.0, 5.0]
    with pytest.raises(qrs.DtypeError, match="bool was expected"):
        x.masked_fill(x, 5)
    with pytest.raises(qrs.DtypeError, match="bool was expected"):
        x.masked_fill_(x, 5)


def test_nan_to_num_replaces_and_stops_the_gradient():
    x = qrs.tensor([1.0, float("nan"), float("inf")], requires_grad=True)
    y = x.nan_to_num(0.0, posinf=9.0)
    y.sum().backward()
    assert y.tolist() == [1.0, 0.0, 9.0]
    assert x.grad.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("bad", [np.ones(2), [1.0], 3])
def test_function_of_something_else_says_what_to_do(bad):
    with pytest.raises(qrs.DtypeError, match=r"exp: a value of type .* convert it with qrs.tensor"):
        qrs.exp(bad)


def test_function_runs_the_method_of_another_tensor_kind():
    class Quantized:
        def relu(self):
            return "its own"

    assert qrs.relu(Quantized()) == "its own"
