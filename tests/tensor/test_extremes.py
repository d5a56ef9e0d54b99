import numpy as np
import pytest

import qrs

ARRAY = np.random.default_rng(1).permutation(24).reshape(2, 3, 4).astype(np.float32)
X = qrs.from_numpy(ARRAY)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", ["max", "min"])
def test_values_and_indices_along_a_dimension(name, dim, keepdim):
    values, indices = getattr(X, name)(dim, keepdim)
    assert np.array_equal(values.numpy(), getattr(ARRAY, name)(dim, keepdims=keepdim))
    chosen = getattr(np, "arg" + name)(ARRAY, dim, keepdims=keepdim)
    assert np.array_equal(indices.numpy(), chosen)
    assert np.array_equal(getattr(X, "arg" + name)(dim, keepdim).numpy(), chosen)


@pytest.mark.parametrize("dim", [None, 0, (0, 2)])
def test_extremes_over_several_dimensions(dim):
    assert np.array_equal(X.amax(dim).numpy(), ARRAY.max(dim))
    assert np.array_equal(X.amin(dim).numpy(), ARRAY.min(dim))


def test_extremes_of_everything():
    assert X.max().item() == 23
    assert X.min().item() == 0
    assert X.argmax().item() == int(ARRAY.argmax())
    low, high = qrs.aminmax(X)
    assert (low.item(), high.item()) == (0, 23)


def test_extreme_of_two_tensors():
    assert np.array_equal(qrs.max(X, 5 - X).numpy(), np.maximum(ARRAY, 5 - ARRAY))
    assert np.array_equal(qrs.min(X, 5 - X).numpy(), np.minimum(ARRAY, 5 - ARRAY))


def test_median_is_the_lower_middle():
    x = qrs.tensor([[4.0, 1.0, 3.0, 2.0], [9.0, 9.0, 0.0, 1.0]])
    assert x.median(1).values.tolist() == [2.0, 1.0]
    assert x.median(1).indices.tolist() == [3, 3]
    assert x.median().item() == 2.0


def test_equal_elements_share_the_gradient_of_the_whole_extreme():
    x = qrs.tensor([2.0, 2.0, 1.0], requires_grad=True)
    x.max().backward()
    assert x.grad.tolist() == [0.5, 0.5, 0.0]


def test_gradient_along_a_dimension_goes_to_the_chosen_element():
    x = qrs.tensor([[2.0, 2.0, 1.0]], requires_grad=True)
    x.max(1).values.sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0, 0.0]]


def test_nan_is_the_extreme():
    x = qrs.tensor([1.0, float("nan"), 3.0])
    assert x.max().isnan()
    assert x.min(0).indices.item() == 1


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "amax", "median"])
def test_extreme_of_nothing_is_refused(name):
    with pytest.raises(qrs.ShapeError, match="no elements to choose from"):
        getattr(qrs.zeros(0, 3), name)(0)


def test_extreme_along_a_full_dimension_of_an_empty_tensor_is_empty():
    assert qrs.zeros(0, 3).amax(1).shape == (0,)


def test_number_of_nonzero_elements():
    assert qrs.count_nonzero(qrs.tensor([[0, 1], [2, 3]]), 0).tolist() == [1, 2]
