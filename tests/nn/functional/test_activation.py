"""Activations: in-place calls, far ends, quantized inputs; values are compared with PyTorch."""

import numpy as np
import pytest

import qrs
import qrs.nn.functional as F
from qrs.nn.functional.dispatch import QUANTIZED, also_quantized

IN_PLACE = ("relu", "relu6", "hardtanh", "leaky_relu", "elu", "celu", "selu", "hardswish")
IN_PLACE += ("hardsigmoid", "silu", "mish")


@pytest.mark.parametrize("name", IN_PLACE)
def test_inplace_call_overwrites_and_keeps_the_gradient(name):
    function = getattr(F, name)
    start = qrs.linspace(-5, 5, 21)
    a, b = start.clone().requires_grad_(), start.clone().requires_grad_()
    weights = qrs.linspace(1, 2, 21)
    (function(a) * weights).sum().backward()
    middle = b * 1
    result = function(middle, inplace=True)
    assert result is middle
    assert qrs.equal(result.detach(), function(start))
    (result * weights).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-6)


def test_inplace_threshold_and_negative_slope_keep_the_gradient():
    for call in (
        lambda x, inplace: F.threshold(x, 0.5, -1.0, inplace),
        lambda x, inplace: F.leaky_relu(x, -0.5, inplace),
    ):
        grads = []
        for inplace in (False, True):
            x = qrs.linspace(-2, 2, 9).requires_grad_()
            call(x * 1, inplace).sum().backward()
            grads.append(x.grad)
        assert qrs.equal(*grads)


SMOOTH = ("elu", "selu", "celu", "silu", "mish", "softplus", "logsigmoid", "gelu", "hardswish")


@pytest.mark.parametrize("name", [*SMOOTH, "sigmoid"])
def test_far_ends_are_finite_with_finite_gradients(name):
    x = qrs.tensor([-1e4, -100.0, 100.0, 1e4], requires_grad=True)
    out = getattr(F, name)(x)
    out.sum().backward()
    assert np.isfinite(out.detach().numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


def test_softmax_picks_the_axis_of_pytorch_without_dim():
    for shape, axis in (((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)):
        x = qrs.randn(*shape)
        assert qrs.equal(F.softmax(x), F.softmax(x, dim=axis))


def test_softmax_converts_first():
    assert F.softmax(qrs.zeros(2), 0, dtype=qrs.float64).dtype is qrs.float64
    assert F.log_softmax(qrs.zeros(2), 0, dtype=qrs.float64).dtype is qrs.float64


def test_unknown_gelu_is_refused():
    with pytest.raises(ValueError, match="'none' or 'tanh'"):
        F.gelu(qrs.zeros(1), "erf")


class Quantized:
    is_quantized = True


def test_quantized_tensor_reaches_the_quantized_form(monkeypatch):
    def probe(input, factor=1):
        return "float"

    call = also_quantized(probe)
    assert call(qrs.tensor(3)) == "float"
    with pytest.raises(qrs.DtypeError, match="probe: a int came, expected a tensor"):
        call(3)
    with pytest.raises(qrs.DtypeError, match="probe: a quantized tensor came"):
        call(Quantized())
    monkeypatch.setitem(QUANTIZED, "probe", lambda input, factor=1: ("quantized", factor))
    assert call(Quantized(), factor=2) == ("quantized", 2)


@pytest.mark.parametrize("slope", [0.0, 0.1, 1.0, 2.5, -0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_leaky_relu_is_the_choice_between_two_lines(slope, dtype):
    x = np.array([-np.inf, -3.0, -0.0, 0.0, 2.0, np.inf, np.nan], dtype)
    with np.errstate(invalid="ignore"):
        expected = np.where(x > 0, x, x * dtype(slope))
    if slope == 0:
        expected[0] = 0
    got = F.leaky_relu(qrs.from_numpy(x), slope).numpy()
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == dtype


@pytest.mark.parametrize("value", [0.0, -0.0, 3.5, float("inf")])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_threshold_keeps_what_is_above_and_nan(value, dtype):
    x = np.array(
        [[-np.inf, -3.0, 0.5], [np.nextafter(dtype(0.5), dtype(1)), np.inf, np.nan]], dtype
    )
    for array in (x, x.T, x[:, ::2]):
        got = F.threshold(qrs.from_numpy(array), 0.5, value).numpy()
        np.testing.assert_array_equal(got, np.where(array <= 0.5, dtype(value), array))
        assert got.dtype == dtype
    assert F.threshold(qrs.tensor(0.25), 0.5, value).item() == value
