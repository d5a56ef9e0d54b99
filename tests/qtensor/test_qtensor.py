"""Comparing, copying and refusing."""

import copy
import operator
import pickle

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError


def per_tensor(scale=0.1, point=3, kind=qrs.quint8):
    x = np.random.default_rng(1).standard_normal((2, 3)).astype(np.float32)
    return qrs.quantize_per_tensor(qrs.from_numpy(x), scale, point, kind)


def per_channel(kind=qrs.qint8):
    return qrs.quantize_per_channel(
        per_tensor().dequantize(), qrs.tensor([0.1, 0.2]), qrs.tensor([0, 5]), 0, kind
    )


TENSORS = [
    per_tensor(),
    per_tensor(kind=qrs.qint8),
    per_tensor(kind=qrs.qint32),
    per_tensor(kind=qrs.quint4x2),
    per_channel(),
    per_channel(qrs.quint4x2),
]


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_are_those_of_the_values(name):
    compare, q = getattr(operator, name), per_tensor()
    values = q.numpy()
    other = per_tensor(scale=0.2)
    middle = float(values[0, 0])
    for right, want in (
        (other, other.numpy()),
        (middle, np.float32(middle)),
        (q.dequantize(), values),
        (values, values),
    ):
        got = compare(q, right)
        assert isinstance(got, qrs.Tensor)
        assert np.array_equal(got.numpy(), compare(values, want))
        assert np.array_equal(getattr(q, name)(right).numpy(), compare(values, want))
        assert np.array_equal(getattr(qrs, name)(q, right).numpy(), compare(values, want))


def test_comparing_with_something_else_is_false():
    assert (per_tensor() == None) is False  # noqa: E711
    assert (per_tensor() != "x") is True
    with pytest.raises(TypeError):
        operator.lt(per_tensor(), "x")


def test_equal_means_equal_type_parameters_and_integers():
    q = per_tensor()
    assert q.equal(per_tensor())
    assert qrs.equal(q, per_tensor())
    for other in (
        per_tensor(scale=0.2),
        per_tensor(point=4),
        per_tensor(kind=qrs.qint8),
        q.reshape(3, 2),
        q.relu(),
        q.dequantize(),
        None,
    ):
        assert not q.equal(other)
    assert per_channel().equal(per_channel())
    assert not per_channel().equal(per_channel().flip(0))


def test_it_can_be_a_key():
    q = per_tensor()
    assert {q: 1}[q] == 1


@pytest.mark.parametrize("q", TENSORS, ids=lambda q: f"{q.dtype.name}-{q.qscheme().name}")
def test_copies_are_equal(q):
    for duplicate in (
        q.clone(),
        copy.copy(q),
        copy.deepcopy(q),
        pickle.loads(pickle.dumps(q)),
        q.detach(),
        q.cpu(),
        q.to("cpu"),
        q.to(q.dtype),
        q.to(qrs.device("cpu")),
    ):
        assert duplicate.equal(q)
        assert duplicate.shape == q.shape
        assert np.array_equal(duplicate.numpy(), q.numpy())
    assert copy.deepcopy(q) is not q


def test_views_can_be_pickled():
    q = per_tensor().t()[1:]
    assert pickle.loads(pickle.dumps(q)).equal(q)


@pytest.mark.parametrize(
    ("symbol", "compute"),
    [
        (r"\+", lambda q: q + q),
        (r"\+", lambda q: 1 + q),
        (r"\+", lambda q: qrs.ones(2, 3) + q),
        (r"\+", lambda q: np.ones((2, 3)) + q),
        ("-", lambda q: q - 1),
        ("-", lambda q: -q),
        (r"\*", lambda q: q * qrs.ones(2, 3)),
        (r"\*", lambda q: 2 * q),
        ("/", lambda q: q / 2),
        ("@", lambda q: q @ q),
        (r"\*\*", lambda q: q**2),
        ("abs", abs),
        ("add", lambda q: q.add(q)),
        ("mul", lambda q: qrs.mul(q, 2)),
    ],
)
def test_arithmetic_says_what_to_use_instead(symbol, compute):
    with pytest.raises(DtypeError, match=rf"^{symbol}: a quantized tensor came.*(use|dequantize)"):
        compute(per_tensor())


def test_operations_on_values_ask_for_them():
    q = per_tensor()
    for call in (lambda: q.exp, lambda: q.sum, lambda: q.softmax, lambda: qrs.exp(q)):
        with pytest.raises(
            DtypeError, match=r"insert a DeQuantStub before, or call dequantize\(\)"
        ):
            call()
    assert not hasattr(q, "exp")
    with pytest.raises(AttributeError, match="QTensor has no attribute 'shapes'"):
        q.shapes  # noqa: B018
    with pytest.raises(TypeError):
        np.exp(q)


def test_it_is_immutable():
    q = per_tensor()
    with pytest.raises(DtypeError, match="assignment: a quantized tensor came, which is immutable"):
        q[0] = 1.0
    with pytest.raises(DtypeError, match="relu_: a quantized tensor came, which is immutable"):
        q.relu_()
    with pytest.raises(AttributeError):
        q.anything = 1


def test_another_type_is_refused():
    with pytest.raises(DtypeError, match=r"to: qrs.float32 came for a tensor of qrs.quint8"):
        per_tensor().to(qrs.float32)
    with pytest.raises(ValueError, match="only 'cpu' exists"):
        per_tensor().to("cuda")
