import pytest

import qrs
from qrs.autograd import Function, gradcheck


class WrongSquare(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * x


@pytest.fixture
def x():
    return qrs.tensor([0.5, -1.5], dtype=qrs.float64, requires_grad=True)


def test_right_gradient_passes(x):
    assert gradcheck(lambda a: (a * a, a.exp()), x)


def test_wrong_gradient_is_reported_with_both_numbers(x):
    with pytest.raises(qrs.GradientError, match=r"recorded gradient gives .* differences give"):
        gradcheck(WrongSquare.apply, x)
    assert not gradcheck(WrongSquare.apply, x, raise_exception=False)


def test_missing_dependence_is_reported(x):
    other = qrs.ones(2, dtype=qrs.float64, requires_grad=True)
    assert not gradcheck(lambda a, b: a * b.detach(), [x, other], raise_exception=False)


def test_float32_is_refused():
    with pytest.raises(qrs.DtypeError, match="float64 was expected"):
        gradcheck(lambda a: a * 2, qrs.ones(2, requires_grad=True))


def test_nothing_to_check_is_an_error():
    with pytest.raises(qrs.GradientError, match="nothing to check"):
        gradcheck(lambda a: a * 2, qrs.ones(2, dtype=qrs.float64))
