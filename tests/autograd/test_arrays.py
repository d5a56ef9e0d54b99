import numpy as np
import pytest

from qrs.autograd.arrays import as_array, promote, unbroadcast


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (np.ones(2, "f4"), np.ones(2, "i8"), "f4"),
        (np.ones(2, "f2"), np.ones(2, "i8"), "f2"),
        (np.ones(2, "f4"), np.ones(2, "f8"), "f8"),
        (np.ones(2, "i1"), np.ones(2, "u1"), "i2"),
        (np.ones(2, "?"), np.ones(2, "u1"), "u1"),
        (np.ones(2, "f4"), np.ones((), "f8"), "f4"),
        (np.ones(2, "i4"), np.ones((), "i8"), "i4"),
        (np.ones(2, "i8"), np.ones((), "f8"), "f8"),
        (np.ones((), "f8"), np.ones((), "f4"), "f8"),
        (np.ones(2, "f4"), 2.5, "f4"),
        (np.ones(2, "i8"), 2.5, "f4"),
        (np.ones(2, "u1"), 3, "u1"),
        (np.ones(2, "?"), 3, "i8"),
        (np.ones(2, "f4"), np.float64(2.5), "f4"),
        (np.ones(2, "f4"), np.int64(2), "f4"),
        (np.ones(2, "f4"), True, "f4"),
    ],
)
def test_promotion(x, y, expected):
    for left, right in [(x, y), (y, x)]:
        a, b = promote(left, right)
        assert (a + b).dtype == np.dtype(expected)


def test_operand_without_a_number_is_refused():
    with pytest.raises(TypeError, match="operand of type str"):
        promote(np.ones(2), "1")


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 3), (2, 3), (1, 1)])
def test_unbroadcast_sums_over_the_copies(shape):
    like = np.ones(shape)
    grad = np.arange(12.0).reshape(2, 2, 3)
    got = unbroadcast(grad, like)
    assert got.shape == shape
    assert got.sum() == grad.sum()


def test_unbroadcast_of_an_equal_shape_is_the_gradient_itself():
    grad = np.ones((2, 3))
    assert unbroadcast(grad, np.zeros((2, 3))) is grad


def test_native_array_is_not_copied():
    x = np.ones(3, np.float32)
    assert as_array(x) is x


def test_byte_swapped_and_unaligned_arrays_become_native():
    swapped = np.array([1.5, 2.5], dtype=">f4")
    raw = np.zeros(9, np.uint8)
    unaligned = raw[1:].view(np.float32)
    unaligned[:] = [1.5, 2.5]
    for array in (swapped, unaligned):
        got = as_array(array)
        assert got.dtype.isnative
        assert got.flags.aligned
        assert got.tolist() == [1.5, 2.5]
