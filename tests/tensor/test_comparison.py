import pytest

import qrs

X = qrs.tensor([1.0, 2.0, float("nan")])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (lambda x: x == 2, [False, True, False]),
        (lambda x: x != 2, [True, False, True]),
        (lambda x: x < 2, [True, False, False]),
        (lambda x: x <= 2, [True, True, False]),
        (lambda x: x > 1, [False, True, False]),
        (lambda x: x >= 1, [True, True, False]),
        (lambda x: qrs.tensor(2) > x, [True, False, False]),
        (lambda x: x == x, [True, True, False]),
        (lambda x: x.isnan(), [False, False, True]),
        (lambda x: x.isfinite(), [True, True, False]),
        (lambda x: (x > 0) & (x < 2), [True, False, False]),
        (lambda x: (x > 1) | (x < 2), [True, True, False]),
        (lambda x: (x > 0) ^ (x < 2), [False, True, False]),
        (lambda x: ~(x > 0), [False, False, True]),
    ],
)
def test_comparisons(expression, expected):
    result = expression(X)
    assert result.dtype is qrs.bool
    assert result.tolist() == expected


def test_comparison_with_none_is_plain_inequality():
    assert (X == None) is False  # noqa: E711
    assert (X != None) is True  # noqa: E711


def test_tensors_in_sets_go_by_identity():
    a, b = qrs.ones(1), qrs.ones(1)
    assert len({a, b, a}) == 2


def test_shapes_that_do_not_broadcast_are_refused():
    with pytest.raises(qrs.ShapeError, match="eq: these shapes"):
        qrs.ones(2) == qrs.ones(3)  # noqa: B015


def test_number_out_of_range_of_the_type_compares_by_value():
    x = qrs.tensor([0, 255], dtype=qrs.uint8)
    assert (x < 300).tolist() == [True, True]
    assert (x == -1).tolist() == [False, False]


def test_all_and_any_along_dimensions():
    x = qrs.tensor([[True, False], [True, True]])
    assert x.all(1).tolist() == [False, True]
    assert x.any(0, keepdim=True).tolist() == [[True, True]]
    assert not x.all()
    assert x.any()


def test_equality_of_whole_tensors():
    assert qrs.equal(qrs.tensor([1, 2]), qrs.tensor([1, 2]))
    assert not qrs.equal(qrs.tensor([1, 2]), qrs.tensor([[1, 2]]))
    assert qrs.allclose(qrs.ones(2), qrs.ones(2) + 1e-7)
    assert not qrs.allclose(qrs.ones(2), qrs.ones(2) + 1e-3)
    assert qrs.isclose(X, X, equal_nan=True).all()


def test_logical_functions_take_numbers_as_truth():
    a, b = qrs.tensor([0, 0, 2, 3]), qrs.tensor([0, 5, 0, 7])
    assert qrs.logical_and(a, b).tolist() == [False, False, False, True]
    assert qrs.logical_or(a, b).tolist() == [False, True, True, True]
    assert qrs.logical_xor(a, b).tolist() == [False, True, True, False]
    assert qrs.logical_not(a).tolist() == [True, True, False, False]
