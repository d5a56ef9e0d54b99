import numpy as np
import pytest

import qrs

UNARY = "abs ceil exp floor log neg reciprocal relu round rsqrt sigmoid sign sqrt square tanh trunc"
BINARY = "add sub mul div pow floor_divide remainder fmod"


@pytest.mark.parametrize("name", UNARY.split())
def test_unary_form_writes_what_the_function_returns(name):
    x = qrs.tensor([0.25, 1.5, 3.0])
    expected = getattr(x, name)()
    memory = x.numpy()
    assert getattr(x, name + "_")() is x
    assert x.numpy() is memory
    assert qrs.equal(x, expected)


@pytest.mark.parametrize("other", [2, 2.5, qrs.tensor([1.0, 2.0, 4.0]), np.float32(3)])
@pytest.mark.parametrize("name", BINARY.split())
def test_binary_form_writes_what_the_function_returns(name, other):
    x = qrs.tensor([0.25, 1.5, 3.0])
    expected = getattr(x, name)(other)
    assert getattr(x, name + "_")(other) is x
    assert qrs.equal(x, expected)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("x += 2", [6, 10]),
        ("x -= 2", [2, 6]),
        ("x *= 2", [8, 16]),
        ("x //= 3", [1, 2]),
        ("x %= 3", [1, 2]),
        ("x **= 2", [16, 64]),
    ],
)
@pytest.mark.parametrize("dtype", [qrs.float32, qrs.int64])
def test_operators_keep_object_and_type(statement, expected, dtype):
    x = qrs.tensor([4, 8], dtype=dtype)
    scope = {"x": x}
    exec(statement, scope)
    assert scope["x"] is x
    assert x.dtype is dtype
    assert x.tolist() == expected


def test_integer_arithmetic_in_place_wraps_into_the_narrow_type():
    x = qrs.tensor([100], dtype=qrs.int8)
    x.add_(qrs.tensor([100], dtype=qrs.int64))
    assert x.tolist() == [-56]


def test_forms_with_two_tensors():
    x = qrs.tensor([1.0, 2.0])
    assert x.addcmul_(x, x, value=2).tolist() == [3.0, 10.0]
    assert x.addcdiv_(x, x, value=2).tolist() == [5.0, 12.0]
    assert x.lerp_(qrs.zeros(2), 0.5).tolist() == [2.5, 6.0]
    assert x.add_(x, alpha=2).tolist() == [7.5, 18.0]
    assert x.sub_(1, alpha=3).tolist() == [4.5, 15.0]


def test_filling_and_copying():
    x = qrs.zeros(2, 2)
    assert x.fill_(3).tolist() == [[3.0, 3.0]] * 2
    assert x.copy_(qrs.tensor([1, 2])).tolist() == [[1.0, 2.0]] * 2
    assert x.zero_().tolist() == [[0.0, 0.0]] * 2
    assert x.masked_fill_(qrs.tensor([True, False]), 9).tolist() == [[9.0, 0.0]] * 2
    with pytest.raises(qrs.ShapeError, match="fill"):
        x.copy_(qrs.ones(3))


def test_clamping():
    x = qrs.tensor([-2.0, 0.5, 2.0])
    assert x.clamp_(-1, 1).tolist() == [-1.0, 0.5, 1.0]
    assert x.clamp_min_(0).tolist() == [0.0, 0.5, 1.0]
    assert x.clamp_max_(0.75).tolist() == [0.0, 0.5, 0.75]


def test_scattering():
    x = qrs.zeros(3)
    index = qrs.tensor([0, 2, 0])
    assert x.scatter_add_(0, index, qrs.ones(3)).tolist() == [2.0, 0.0, 1.0]
    assert x.scatter_(0, index, 5.0).tolist() == [5.0, 0.0, 5.0]
    assert x.index_add_(-1, qrs.tensor([1, 1]), qrs.ones(2)).tolist() == [5.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("fill", "low", "high"),
    [
        (lambda x, g: x.uniform_(-2, -1, generator=g), -2, -1),
        (lambda x, g: x.normal_(0, 1, generator=g), -6, 6),
        (lambda x, g: x.bernoulli_(0.5, generator=g), 0, 1),
        (lambda x, g: x.random_(3, 7, generator=g), 3, 6),
    ],
)
def test_random_filling_follows_the_generator(fill, low, high):
    x, y = qrs.zeros(500), qrs.zeros(500)
    assert fill(x, qrs.Generator().manual_seed(3)) is x
    fill(y, qrs.Generator().manual_seed(3))
    assert qrs.equal(x, y)
    assert x.min() >= low
    assert x.max() <= high
    assert x.std() > 0


def test_random_filling_of_a_leaf_needs_no_grad():
    x = qrs.zeros(2, requires_grad=True)
    with pytest.raises(qrs.GradientError, match=r"normal_.*no_grad"):
        x.normal_()
    with qrs.no_grad():
        x.normal_()
    assert x.is_leaf


def test_changes_of_shape_in_place():
    x = qrs.zeros(1, 3)
    assert x.squeeze_().shape == (3,)
    assert x.unsqueeze_(1).shape == (3, 1)
    assert x.t_().shape == (1, 3)
    assert x.transpose_(0, 1).shape == (3, 1)


def test_change_of_shape_keeps_the_history():
    x = qrs.ones(1, 3, requires_grad=True)
    y = x * 2
    y.squeeze_(0)
    (y * qrs.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [[2.0, 4.0, 6.0]]
    with pytest.raises(qrs.GradientError, match="leaf"):
        x.t_()
