import copy
import pickle
import weakref

import numpy as np
import pytest

import qrs


@pytest.fixture
def x():
    return qrs.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_facts(x):
    assert (x.ndim, x.dim(), x.numel(), x.nelement(), len(x)) == (2, 2, 6, 6, 2)
    assert (x.size(), x.size(1), x.size(-1)) == ((2, 3), 3, 3)
    assert (x.itemsize, x.element_size(), x.nbytes) == (4, 4, 24)
    assert (x.stride(), x.stride(0)) == ((3, 1), 3)
    assert x.is_contiguous()
    assert not x.t().is_contiguous()
    assert x.is_floating_point()
    assert not x.is_quantized
    assert not x.is_cuda
    assert x.is_leaf
    assert x.grad_fn is None


def test_size_of_a_missing_dimension_is_refused(x):
    with pytest.raises(qrs.ShapeError, match="dim 2 came for a tensor of 2"):
        x.size(2)


def test_numbers_and_lists(x):
    assert x[0, 1].item() == 2.0
    assert isinstance(x[0, 1].item(), float)
    assert isinstance(qrs.tensor(3).item(), int)
    assert isinstance(qrs.tensor(True).item(), bool)
    assert x.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert (float(x[0, 1]), int(x[0, 1]), bool(x[0, 1])) == (2.0, 2, True)
    assert [10, 20, 30][qrs.tensor(1)] == 20
    assert 5.0 in x
    assert 7.0 not in x


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda t: t.item(), qrs.ShapeError),
        (bool, qrs.ShapeError),
        (float, qrs.ShapeError),
        (lambda t: len(t[0, 0]), qrs.DtypeError),
        (lambda t: iter(t[0, 0]), qrs.DtypeError),
        (lambda t: range(t[0, 0]), qrs.DtypeError),
    ],
)
def test_several_elements_are_no_number(x, use, error):
    with pytest.raises(error, match="came"):
        use(x)


def test_numpy_shares_memory_and_asarray_converts(x):
    assert np.shares_memory(x.numpy(), np.asarray(x))
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.array_equal(np.exp(x[0]), np.exp(x.numpy()[0]))
    assert not np.shares_memory(np.array(x, copy=True), x.numpy())


def test_array_of_a_tensor_in_the_graph_is_refused(x):
    x.requires_grad_()
    for use in (lambda t: t.numpy(), np.asarray, np.from_dlpack):
        with pytest.raises(qrs.GradientError, match="detach"):
            use(x)
    with pytest.raises(qrs.GradientError):
        (x * 2).numpy()
    assert x.detach().numpy().shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("float", qrs.float32),
        ("double", qrs.float64),
        ("half", qrs.float16),
        ("long", qrs.int64),
        ("int", qrs.int32),
        ("short", qrs.int16),
        ("char", qrs.int8),
        ("byte", qrs.uint8),
        ("bool", qrs.bool),
    ],
)
def test_conversions(x, name, dtype):
    for got in (getattr(x, name)(), x.to(dtype), x.type(dtype), x.to("cpu", dtype=dtype)):
        assert got.dtype is dtype
    assert x.to(qrs.zeros(1, dtype=dtype)).dtype is dtype
    assert x.type_as(qrs.zeros(1, dtype=dtype)).dtype is dtype
    assert qrs.equal(getattr(x, name)().float(), x.bool().float() if name == "bool" else x)


def test_conversion_to_its_own_type_is_itself(x):
    assert x.float() is x
    assert x.to("cpu") is x
    assert x.cpu() is x
    copied = x.to(qrs.float32, copy=True)
    assert copied is not x
    assert x.type() == "qrs.float32"


def test_conversion_to_a_quantized_type_is_refused(x):
    with pytest.raises(qrs.DtypeError, match="plain qrs type"):
        x.to(qrs.qint8)


def test_gradient_flows_through_float_conversions(x):
    x.requires_grad_()
    x.double().half().float().sum().backward()
    assert x.grad.dtype is qrs.float32
    assert x.grad.tolist() == [[1.0] * 3] * 2


def test_new_tensors_take_the_type(x):
    y = x.double()
    assert y.new_zeros(2, 2).dtype is qrs.float64
    assert y.new_ones((2,)).tolist() == [1.0, 1.0]
    assert y.new_full((2,), 5).tolist() == [5.0, 5.0]
    assert y.new_tensor([1]).dtype is qrs.float64
    assert y.new_empty(3, dtype=qrs.int8).dtype is qrs.int8


def test_data_shares_memory_outside_the_graph(x):
    x.requires_grad_()
    x.data.zero_()
    assert x.sum().item() == 0
    assert not x.data.requires_grad
    x.data = qrs.ones(4)
    assert x.shape == (4,)
    x.sum().backward()
    assert x.grad.shape == (4,)
    with pytest.raises(qrs.DtypeError, match="a Tensor was expected"):
        x.data = np.ones(2)


def test_detach_leaves_the_graph(x):
    y = x.requires_grad_() * 2
    assert not y.detach().requires_grad
    assert y.detach_() is y
    assert not y.requires_grad
    with pytest.raises(qrs.GradientError, match="a view came"):
        (x * 2)[0].detach_()


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_keep_data_type_and_flag(x, copier):
    for tensor in (x, x.double().requires_grad_(), qrs.tensor(True), qrs.zeros(0, 3)):
        other = copier(tensor)
        assert type(other) is qrs.Tensor
        assert qrs.equal(other, tensor)
        assert other.dtype is tensor.dtype
        assert other.requires_grad == tensor.requires_grad
        assert not np.shares_memory(other.detach().numpy(), tensor.detach().numpy())


def test_deepcopy_keeps_gradient_and_sharing(x):
    x.requires_grad_().sum().backward()
    a, b = copy.deepcopy([x, x])
    assert a is b
    assert qrs.equal(a.grad, x.grad)
    assert a.grad is not x.grad


@pytest.mark.parametrize("copier", [copy.deepcopy, pickle.dumps])
def test_results_of_operations_are_not_copied(x, copier):
    with pytest.raises(qrs.GradientError, match="recorded operation"):
        copier(x.requires_grad_() * 2)


def test_tensors_have_no_dict_and_can_be_referenced_weakly(x):
    assert not hasattr(x, "__dict__")
    assert weakref.ref(x)() is x
    with pytest.raises(AttributeError):
        x.note = 1


def test_subclass_gives_plain_tensors_from_operations():
    class Named(qrs.Tensor):
        __slots__ = ()

    named = Named([1.0, 2.0])
    assert type(named) is Named
    assert type(named * 2) is qrs.Tensor
    assert type(copy.deepcopy(named)) is Named


@pytest.mark.parametrize("name", ["retain_grad", "register_hook"])
def test_hooks_need_a_tensor_in_the_graph(x, name):
    arguments = [lambda g: g] if name == "register_hook" else []
    with pytest.raises(qrs.GradientError, match=name):
        getattr(x, name)(*arguments)
