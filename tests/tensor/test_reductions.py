import math

import numpy as np
import pytest

import qrs

ARRAY = np.random.default_rng(0).standard_normal((2, 3, 4))
X = qrs.from_numpy(ARRAY)
DIMS = [None, 0, -1, (0, 2), (1, -1)]


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("name", ["sum", "mean", "var", "std"])
def test_reduction_along_dimensions(name, dim, keepdim):
    options = {"ddof": 1} if name in ("var", "std") else {}
    expected = getattr(np, name)(ARRAY, axis=dim, keepdims=keepdim, **options)
    got = getattr(X, name)(dim, keepdim=keepdim)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_running_sums_and_products(dim):
    np.testing.assert_allclose(X.cumsum(dim).numpy(), np.cumsum(ARRAY, dim))
    np.testing.assert_allclose(X.cumprod(dim).numpy(), np.cumprod(ARRAY, dim))
    np.testing.assert_allclose(X.prod(dim).numpy(), np.prod(ARRAY, dim))
    total = np.log(np.exp(ARRAY).sum(dim))
    np.testing.assert_allclose(X.logsumexp(dim).numpy(), total)
    np.testing.assert_allclose(X.softmax(dim).sum(dim).numpy(), 1)
    np.testing.assert_allclose(X.log_softmax(dim).numpy(), ARRAY - np.expand_dims(total, dim))


@pytest.mark.parametrize("dtype", [qrs.bool, qrs.uint8, qrs.int32])
def test_integers_are_summed_in_int64(dtype):
    x = qrs.ones(300, dtype=dtype)
    for total in (x.sum(), x.prod(), x.cumsum(0)):
        assert total.dtype is qrs.int64
    assert x.sum().item() == 300


@pytest.mark.parametrize("name", ["mean", "var", "std", "norm"])
def test_integers_have_no_mean(name):
    with pytest.raises(qrs.DtypeError, match=f"{name}: a tensor of int64"):
        getattr(qrs.tensor([1, 2]), name)()


def test_type_can_be_named():
    assert qrs.tensor([1, 2]).mean(dtype=qrs.float32).item() == 1.5
    assert qrs.ones(2).sum(dtype=qrs.float64).dtype is qrs.float64


def test_correction_and_its_short_forms():
    x = qrs.tensor([1.0, 3.0])
    assert x.var().item() == 2.0
    assert x.var(False).item() == x.var(unbiased=False).item() == 1.0
    assert x.var(correction=0).item() == 1.0
    variance, mean = qrs.var_mean(x)
    assert (variance.item(), mean.item()) == (2.0, 2.0)


def test_mean_and_variance_of_nothing_are_nan():
    empty = qrs.zeros(0)
    assert math.isnan(empty.mean().item())
    assert math.isnan(empty.var().item())
    assert empty.sum().item() == 0.0
    assert empty.prod().item() == 1.0


@pytest.mark.parametrize("p", [0, 1, 2, 3, math.inf, -math.inf])
def test_norms(p):
    expected = np.linalg.norm(ARRAY.reshape(-1), p)
    np.testing.assert_allclose(X.norm(p).item(), expected)
    np.testing.assert_allclose(X[0].norm(p, dim=1).numpy(), np.linalg.norm(ARRAY[0], p, axis=1))


def test_gradient_of_the_norm_at_zero_is_zero():
    x = qrs.zeros(3, requires_grad=True)
    x.norm().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_named_norms():
    assert qrs.tensor([3.0, 4.0]).norm("fro").item() == 5.0
    assert qrs.tensor([3.0, -4.0]).norm("inf").item() == 4.0
    with pytest.raises(ValueError, match="'nuc' came"):
        qrs.ones(2).norm("nuc")


@pytest.mark.parametrize("dim", [3, -4])
def test_dimension_out_of_range_is_refused(dim):
    for name in ("sum", "mean", "softmax", "cumsum", "argmax"):
        with pytest.raises(qrs.ShapeError, match=rf"dim {dim} came for a tensor of 3 dim"):
            getattr(X, name)(dim)


def test_dimension_twice_is_refused():
    with pytest.raises(qrs.ShapeError, match="each dimension once"):
        X.sum((0, -3))


@pytest.mark.parametrize("bad", [1.5, "0", True])
def test_dimension_must_be_an_integer(bad):
    with pytest.raises(qrs.DtypeError, match="an integer was expected"):
        X.sum(bad)


@pytest.mark.parametrize("name", ["sum", "softmax", "cumsum", "logsumexp", "amax"])
def test_tensor_without_dimensions_has_dimension_zero(name):
    assert getattr(qrs.tensor(2.0), name)(0).shape == ()
    assert getattr(qrs.tensor(2.0), name)(-1).shape == ()
