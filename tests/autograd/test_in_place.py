import numpy as np
import pytest

import qrs


@pytest.fixture
def x():
    return qrs.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_change_of_a_saved_input_is_noticed(x):
    y = x * 1
    z = y * y
    y.add_(1)
    with pytest.raises(qrs.GradientError, match="'mul' saved for its gradient was modified"):
        z.sum().backward()


def test_change_of_a_saved_output_is_noticed(x):
    y = x.exp()
    y.add_(1)
    with pytest.raises(qrs.GradientError, match="'exp' saved"):
        y.sum().backward()


def test_change_through_a_view_is_noticed(x):
    y = x * 1
    z = y.exp()
    z[0].zero_()
    with pytest.raises(qrs.GradientError, match="modified in place"):
        z.sum().backward()


def test_change_through_detach_is_noticed(x):
    y = x.exp()
    y.detach().zero_()
    with pytest.raises(qrs.GradientError, match="modified in place"):
        y.sum().backward()


def test_change_of_a_value_that_no_rule_needs_is_fine(x):
    y = x + 1
    y.relu_()
    y += 1
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_scaling_in_place_needs_only_the_factor(x):
    y = x * 1
    y *= qrs.tensor([1.0, 2.0, 3.0])
    y.mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_value_before_the_change_is_kept_where_its_own_rule_needs_it(x):
    y = x * 1
    y.pow_(3)
    y.mul_(x)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [4.0, 32.0, 108.0])


def test_leaf_is_refused_while_recording(x):
    with pytest.raises(qrs.GradientError, match="add_: a leaf that requires a gradient"):
        x.add_(1)
    with pytest.raises(qrs.GradientError, match="fill_: a leaf"):
        x[0].zero_()


def test_leaf_may_be_changed_under_no_grad(x):
    with qrs.no_grad():
        x.sub_(1)
    assert x.tolist() == [0.0, 1.0, 2.0]
    assert x.requires_grad


def test_constant_joins_the_graph_when_a_result_is_written_into_it(x):
    buffer = qrs.zeros(2, 3)
    buffer[0] = x
    buffer[1].copy_(x * 2)
    (buffer * qrs.tensor([[1.0], [10.0]])).sum().backward()
    assert x.grad.tolist() == [21.0, 21.0, 21.0]


def test_writing_a_view_changes_the_history_of_its_base(x):
    y = x * 2
    y[1:].mul_(5)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 10.0, 10.0]


def test_writing_a_view_of_a_view_reaches_the_base(x):
    y = (x * 2).reshape(3, 1)
    y.t()[0][2].fill_(0)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 0.0]


def test_other_view_made_before_the_write_is_outdated(x):
    y = x * 2
    early = y[:2]
    y.mul_(3)
    with pytest.raises(qrs.GradientError, match="view of a tensor that was modified"):
        early * 1


def test_view_made_before_a_change_outside_the_graph_still_works(x):
    early = x.reshape(3, 1)
    with qrs.no_grad():
        x.mul_(2)
    (early * 1).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_outdated_view_is_not_written(x):
    buffer = qrs.zeros(2, 3)
    early = buffer[0]
    buffer.t_()
    with pytest.raises(qrs.GradientError, match="make the view again"):
        early.copy_(x)


def test_view_whose_shape_was_changed_in_place_is_not_written(x):
    part = (x * 2).reshape(1, 3)[0:1]
    part.squeeze_(0)
    with pytest.raises(qrs.GradientError, match="one of several views"):
        part.mul_(2)


def test_one_of_several_views_is_refused(x):
    first, _, _ = (x * 2).unbind(0)
    with pytest.raises(qrs.GradientError, match="one of several views"):
        first.mul_(2)


@pytest.mark.parametrize("make", [lambda t: t[0], lambda t: t.reshape(-1), lambda t: t.t()])
def test_views_share_memory(make):
    x = qrs.zeros(2, 2)
    make(x).add_(1)
    assert x.sum().item() > 0


def test_shape_stays():
    with pytest.raises(qrs.ShapeError, match=r"keeps the shape \(3,\)"):
        qrs.ones(3).add_(qrs.ones(2, 3))


def test_float_result_does_not_go_into_integers():
    with pytest.raises(qrs.DtypeError, match="div"):
        qrs.ones(3, dtype=qrs.int64).div_(2.0)
    with pytest.raises(qrs.DtypeError, match="add"):
        qrs.ones(3, dtype=qrs.int64).add_(0.5)


def test_read_only_memory_is_refused_with_the_reason():
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    with pytest.raises(qrs.ShapeError, match="read-only"):
        qrs.from_numpy(array).add_(1)
    with pytest.raises(qrs.ShapeError, match="read-only"):
        qrs.ones(1).expand(3).add_(1)


def test_sum_of_writes_agrees_with_finite_differences():
    def f(a, b):
        y = a * 1
        y[0] = b[1]
        y[:, 1] *= b[:, 0]
        y.view(-1)[2:4].add_(a.reshape(-1)[:2])
        y[b > 0] = 0.5
        return (y * y).sum()

    rng = np.random.default_rng(0)
    a = qrs.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    b = qrs.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    assert qrs.autograd.gradcheck(f, [a, b])
