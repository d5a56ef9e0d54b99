"""Parameters are tensors that keep their class where it matters."""

import copy
import pickle

import qrs
from qrs import nn


def test_parameter_shares_memory_and_requires_a_gradient():
    data = qrs.zeros(2)
    parameter = nn.Parameter(data)
    data.fill_(3)
    assert parameter.tolist() == [3.0, 3.0]
    assert parameter.requires_grad
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    assert nn.Parameter().shape == (0,)


def test_parameter_of_a_computed_tensor_is_a_leaf():
    x = qrs.ones(2, requires_grad=True)
    parameter = nn.Parameter(x * 2)
    assert parameter.is_leaf


def test_results_are_plain_tensors():
    assert type(nn.Parameter(qrs.ones(1)) + 1) is qrs.Tensor


def test_copy_and_pickle_keep_class_and_flag():
    parameter = nn.Parameter(qrs.ones(2), requires_grad=False)
    for twin in (copy.deepcopy(parameter), pickle.loads(pickle.dumps(parameter))):
        assert type(twin) is nn.Parameter
        assert not twin.requires_grad
        assert twin.tolist() == [1.0, 1.0]


def test_repr_names_the_parameter():
    text = repr(nn.Parameter(qrs.ones(1)))
    assert text == "Parameter containing:\ntensor([1.], requires_grad=True)"
