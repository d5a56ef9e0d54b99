import numpy as np
import pytest

import qrs

X = qrs.tensor([[1.0, -2.0, 3.0], [4.0, 0.5, -6.0]])
Y = qrs.tensor([2.0, -4.0, 0.25])

PAIRS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "atan2": np.arctan2,
    "remainder": np.remainder,
    "fmod": np.fmod,
    "floor_divide": np.floor_divide,
}


@pytest.mark.parametrize("name", PAIRS)
def test_function_and_method_broadcast_as_numpy_does(name):
    expected = PAIRS[name](X.numpy(), Y.numpy())
    assert np.array_equal(getattr(qrs, name)(X, Y).numpy(), expected)
    assert np.array_equal(getattr(X, name)(Y).numpy(), expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (lambda x: 1 + x, [3.0, 5.0]),
        (lambda x: 1 - x, [-1.0, -3.0]),
        (lambda x: 2 * x, [4.0, 8.0]),
        (lambda x: 8 / x, [4.0, 2.0]),
        (lambda x: 9 // x, [4.0, 2.0]),
        (lambda x: 9 % x, [1.0, 1.0]),
        (lambda x: 2**x, [4.0, 16.0]),
        (lambda x: x**2, [4.0, 16.0]),
        (lambda x: x**0.5, [2.0**0.5, 2.0]),
        (lambda x: x**-1, [0.5, 0.25]),
        (lambda x: -x, [-2.0, -4.0]),
        (lambda x: +x, [2.0, 4.0]),
        (lambda x: abs(-x), [2.0, 4.0]),
        (lambda x: np.float64(3) * x, [6.0, 12.0]),
        (lambda x: np.array([1.0, 2.0], np.float32) * x, [2.0, 8.0]),
        (lambda x: x - np.array([1.0, 2.0], np.float32), [1.0, 2.0]),
    ],
)
def test_operators_with_numbers_and_arrays_on_either_side(expression, expected):
    result = expression(qrs.tensor([2.0, 4.0]))
    assert isinstance(result, qrs.Tensor)
    assert result.dtype is qrs.float32
    np.testing.assert_allclose(result.numpy(), np.float32(expected))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (qrs.float32, qrs.int64, qrs.float32),
        (qrs.float16, qrs.int32, qrs.float16),
        (qrs.float32, qrs.float64, qrs.float64),
        (qrs.int8, qrs.uint8, qrs.int16),
        (qrs.bool, qrs.uint8, qrs.uint8),
        (qrs.int32, qrs.int64, qrs.int64),
    ],
)
def test_float_wins_over_integer_and_wide_over_narrow(left, right, expected):
    a, b = qrs.ones(2, dtype=left), qrs.ones(2, dtype=right)
    assert (a + b).dtype is expected
    assert (b * a).dtype is expected


@pytest.mark.parametrize("scalar", [2, 2.5, True, np.float64(2.5), np.int64(2)])
@pytest.mark.parametrize("dtype", [qrs.float16, qrs.float32, qrs.float64])
def test_number_does_not_widen_a_float_tensor(scalar, dtype):
    x = qrs.ones(2, dtype=dtype)
    assert (x * scalar).dtype is dtype
    assert (scalar + x).dtype is dtype


def test_tensor_without_dimensions_does_not_widen():
    x = qrs.ones(2)
    assert (x * qrs.tensor(2.0, dtype=qrs.float64)).dtype is qrs.float32
    assert (qrs.ones(2, dtype=qrs.int64) * qrs.tensor(2.5)).dtype is qrs.float32


@pytest.mark.parametrize("dtype", [qrs.int64, qrs.uint8, qrs.bool])
def test_true_division_of_integers_gives_the_default_float(dtype):
    assert (qrs.ones(2, dtype=dtype) / qrs.ones(2, dtype=dtype)).dtype is qrs.float32
    assert (qrs.ones(2, dtype=dtype) / 2).dtype is qrs.float32


def test_division_by_zero_is_a_result():
    got = qrs.tensor([1.0, -1.0, 0.0]) / qrs.zeros(3)
    assert got.tolist()[:2] == [float("inf"), float("-inf")]
    assert np.isnan(got[2].item())


@pytest.mark.parametrize(
    ("mode", "expected"), [("floor", [3, -4]), ("trunc", [3, -3]), (None, [3.5, -3.5])]
)
def test_rounding_modes_of_division(mode, expected):
    assert qrs.div(qrs.tensor([7, -7]), 2, rounding_mode=mode).tolist() == expected


def test_unknown_rounding_mode_is_refused():
    with pytest.raises(ValueError, match="'trunc' or 'floor'"):
        qrs.div(qrs.ones(1), 2, rounding_mode="up")


def test_alpha_scales_the_second_operand():
    assert qrs.add(qrs.ones(2), qrs.ones(2), alpha=3).tolist() == [4.0, 4.0]
    assert qrs.ones(2).sub(1, alpha=3).tolist() == [-2.0, -2.0]
    assert qrs.rsub(qrs.ones(2), 5, alpha=2).tolist() == [3.0, 3.0]


def test_combined_forms():
    x = qrs.tensor([2.0])
    assert qrs.lerp(x, x + 8, 0.25).tolist() == [4.0]
    assert qrs.addcmul(x, x, x, value=0.5).tolist() == [4.0]
    assert qrs.addcdiv(x, x, x * 4, value=8).tolist() == [4.0]


def test_power_of_zero_has_a_zero_gradient():
    x = qrs.tensor([0.0, 2.0], requires_grad=True)
    (x**0).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_shapes_that_do_not_broadcast_are_refused():
    with pytest.raises(qrs.ShapeError, match=r"add\(float32\[2, 3\], float32\[2\]\)"):
        X + qrs.ones(2)


@pytest.mark.parametrize("bad", ["1", [1.0], None, object()])
def test_operand_that_is_no_number_is_refused(bad):
    with pytest.raises(TypeError):
        X + bad
    with pytest.raises(qrs.DtypeError, match="add"):
        qrs.add(X, bad)


def test_number_out_of_range_of_an_integer_type_is_refused():
    with pytest.raises(qrs.ShapeError, match="300"):
        qrs.ones(2, dtype=qrs.uint8) + 300


def test_object_with_its_own_reflected_operator_is_asked():
    class Other:
        def __radd__(self, other):
            return "asked"

        def __rsub__(self, other):
            return "asked"

    assert X + Other() == "asked"
    assert X - Other() == "asked"
