import gc
import weakref

import numpy as np
import pytest

import qrs
from qrs.autograd import backward, grad


@pytest.fixture
def x():
    return qrs.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_gradients_of_every_use_are_added(x):
    y = x * 2
    (y * y + x).sum().backward()
    assert x.grad.tolist() == [9.0, 17.0, 25.0]


def test_second_backward_adds_to_the_gradient(x):
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0, 12.0]


def test_gradients_of_two_leaves_do_not_share_memory():
    a, b = qrs.ones(2, requires_grad=True), qrs.ones(2, requires_grad=True)
    (a + b).sum().backward()
    a.grad.zero_()
    assert b.grad.tolist() == [1.0, 1.0]


def test_given_gradient_is_not_modified_or_shared(x):
    seed = qrs.ones(3)
    (x * 1).backward(seed)
    x.grad.add_(5)
    assert seed.tolist() == [1.0, 1.0, 1.0]


def test_deep_graph_is_walked_and_freed_without_recursion():
    x = qrs.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    y.backward(retain_graph=True)
    assert x.grad.tolist() == [1.0]
    node = weakref.ref(y._meta)
    del y
    assert node() is None


def test_graph_is_freed_without_the_garbage_collector(x):
    gc.disable()
    try:
        y = (x * x).exp()
        node = weakref.ref(y._meta)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_wide_graph_visits_each_node_once(x):
    # Without one visit for each node this would take 2 ** 60 steps.
    y = x
    for _ in range(60):
        y = y + y
    y.sum().backward()
    assert x.grad.tolist() == [2.0**60] * 3


def test_second_backward_over_freed_values_is_refused(x):
    y = (x * x).sum()
    y.backward()
    with pytest.raises(qrs.GradientError, match=r"'mul' were freed.*retain_graph=True"):
        y.backward()


def test_retain_graph_allows_a_second_backward(x):
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0, 12.0]


def test_shared_part_that_saves_nothing_serves_two_backwards(x):
    shared = x + 1
    (shared * 2).sum().backward()
    (shared * 3).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0, 5.0]


def test_non_scalar_needs_a_gradient(x):
    with pytest.raises(qrs.GradientError, match=r"shape \(3,\) came without a gradient"):
        (x * 2).backward()


def test_gradient_of_another_shape_is_refused(x):
    with pytest.raises(qrs.ShapeError, match=r"\(2,\) came for tensor 0 of shape \(3,\)"):
        (x * 2).backward(qrs.ones(2))


def test_tensor_outside_the_graph_has_no_backward():
    with pytest.raises(qrs.GradientError, match="does not require a gradient"):
        qrs.ones(1).backward()


def test_create_graph_is_refused(x):
    with pytest.raises(qrs.GradientError, match="gradients of gradients"):
        x.sum().backward(create_graph=True)


def test_leaf_of_one_element_is_its_own_gradient():
    x = qrs.tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1.0


def test_several_roots_share_one_pass(x):
    backward([x.sum(), x * 2], [None, qrs.ones(3)])
    assert x.grad.tolist() == [3.0, 3.0, 3.0]


def test_one_gradient_for_each_root_is_expected(x):
    with pytest.raises(qrs.ShapeError, match="1 gradients came for 2 tensors"):
        backward([x.sum(), x.sum()], [None])


def test_gradient_has_the_type_of_the_leaf(x):
    wide = qrs.ones(3, dtype=qrs.float64, requires_grad=True)
    (x * wide).sum().backward()
    assert x.grad.dtype is qrs.float32
    assert wide.grad.dtype is qrs.float64


def test_grad_leaves_the_attributes_alone(x):
    y = x * 3
    got_x, got_y = grad((y * y).sum(), [x, y])
    assert got_x.tolist() == [18.0, 36.0, 54.0]
    assert got_y.tolist() == [6.0, 12.0, 18.0]
    assert x.grad is None


def test_grad_of_an_unused_input(x):
    other = qrs.ones(1, requires_grad=True)
    with pytest.raises(qrs.GradientError, match="do not depend on input 1"):
        grad(x.sum(), [x, other])
    assert grad(x.sum(), [x, other], allow_unused=True)[1] is None


def test_grad_with_respect_to_a_constant_is_refused(x):
    with pytest.raises(qrs.GradientError, match="input 0 does not require a gradient"):
        grad(x.sum(), qrs.ones(3))


def test_hook_on_a_leaf_sees_and_replaces_the_whole_gradient(x):
    seen = []

    def hook(g):
        seen.append(g.tolist())
        return g * 10

    handle = x.register_hook(hook)
    (x + x).sum().backward()
    assert seen == [[2.0, 2.0, 2.0]]
    assert x.grad.tolist() == [20.0, 20.0, 20.0]
    handle.remove()
    x.grad = None
    (x + x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_hook_on_a_result_changes_what_flows_on(x):
    y = x * 2
    y.register_hook(lambda g: g * 0)
    (y + x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_retain_grad_keeps_the_gradient_of_a_result(x):
    y = x * 2
    y.retain_grad()
    (y * 3).sum().backward()
    assert y.grad.tolist() == [3.0, 3.0, 3.0]


def test_result_has_no_gradient_unless_retained(x):
    y = x * 2
    y.sum().backward()
    assert y.grad is None


def test_division_by_zero_in_the_backward_pass_gives_infinity():
    x = qrs.zeros(1, requires_grad=True)
    x.sqrt().sum().backward()
    assert x.grad.tolist() == [float("inf")]


def test_requires_grad_needs_a_float_type():
    with pytest.raises(qrs.DtypeError, match="int64 came"):
        qrs.ones(2, dtype=qrs.int64).requires_grad_()


def test_result_cannot_leave_the_graph_by_assignment(x):
    y = x * 2
    with pytest.raises(qrs.GradientError, match="detach"):
        y.requires_grad = False


def test_switching_a_leaf_off_keeps_it_out_of_new_graphs(x):
    x.requires_grad_(False)
    assert not (x * 2).requires_grad


@pytest.mark.parametrize("bad", [np.ones(3), [1.0]])
def test_grad_attribute_takes_tensors_only(x, bad):
    with pytest.raises(qrs.DtypeError, match="a Tensor or None"):
        x.grad = bad


def test_grad_attribute_keeps_the_shape(x):
    with pytest.raises(qrs.GradientError, match=r"the shape of its owner \(3,\)"):
        x.grad = qrs.ones(2)
