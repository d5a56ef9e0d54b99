import gc
import weakref

import pytest

import qrs
from qrs.autograd import Function


class Scale(Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


class ExpSaved(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, grad):
        _, y = ctx.saved_tensors
        return grad * y


@pytest.fixture
def x():
    return qrs.tensor([1.0, 2.0], requires_grad=True)


def test_backward_of_the_class_is_used(x):
    Scale.apply(x, 3.0).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_forward_is_not_recorded(x):
    seen = []

    class Look(Function):
        @staticmethod
        def forward(ctx, x):
            seen.append((x * 2).requires_grad)
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return grad

    Look.apply(x)
    assert seen == [False]


def test_nothing_is_recorded_without_need(x):
    with qrs.no_grad():
        assert not Scale.apply(x, 2.0).requires_grad
    assert not Scale.apply(qrs.ones(2), 2.0).requires_grad


def test_needs_input_grad_tells_which_gradients_are_wanted(x):
    needs = []

    class Add(Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, grad):
            needs.append(ctx.needs_input_grad)
            return grad, None

    Add.apply(x, qrs.ones(2)).sum().backward()
    assert needs == [(True, False)]


def test_saved_output_does_not_keep_the_graph_alive(x):
    gc.disable()
    try:
        y = ExpSaved.apply(x)
        meta = weakref.ref(y._meta)
        del y
        assert meta() is None
    finally:
        gc.enable()


def test_saved_values_are_checked_and_freed(x):
    y = ExpSaved.apply(x)
    z = y.sum()
    z.backward()
    with pytest.raises(qrs.GradientError, match="'ExpSaved' were freed"):
        z.backward()
    y = ExpSaved.apply(x)
    y.detach().add_(1)
    with pytest.raises(qrs.GradientError, match="'ExpSaved' saved"):
        y.sum().backward()


def test_unused_output_arrives_as_zeros(x):
    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, first, second):
            return first + 2 * second

    _, second = Two.apply(x)
    second.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_unused_output_arrives_as_none_on_request(x):
    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, first, second):
            assert first is None
            return 2 * second

    Two.apply(x)[1].sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_output_marked_non_differentiable_stays_outside(x):
    class Sign(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.sign()
            ctx.mark_non_differentiable(y)
            return x * 1, y

        @staticmethod
        def backward(ctx, grad, _):
            return grad

    first, second = Sign.apply(x)
    assert first.requires_grad
    assert not second.requires_grad


def test_input_returned_as_it_is_keeps_its_own_history(x):
    class Identity(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 7

    y = Identity.apply(x)
    assert x.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == [7.0, 7.0]


def test_wrong_number_of_gradients_is_refused(x):
    class Short(Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, grad):
            return grad

    with pytest.raises(qrs.GradientError, match=r"Short.backward: 1 gradients came"):
        Short.apply(x, x).sum().backward()


def test_gradient_of_a_wrong_shape_or_type_is_refused(x):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, a, result):
            ctx.result = result
            return a * 1

        @staticmethod
        def backward(ctx, grad):
            return ctx.result, None

    with pytest.raises(qrs.ShapeError, match=r"'Wrong': a gradient of shape \(3,\)"):
        Wrong.apply(x, qrs.ones(3)).sum().backward()
    with pytest.raises(qrs.DtypeError, match=r"Wrong.backward: a float came"):
        Wrong.apply(x, 1.0).sum().backward()


def test_base_class_says_what_to_define(x):
    with pytest.raises(NotImplementedError, match="must define forward"):
        Function.apply(x)
