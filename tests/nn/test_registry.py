"""Tables of members stay in step with attributes, whichever side is written."""

import pytest

import qrs
from qrs import nn


def test_writing_to_the_table_changes_the_attribute():
    net = nn.Sequential(nn.Linear(2, 2))
    other = nn.ReLU()
    net._modules["0"] = other
    assert net[0] is other
    assert getattr(net, "0") is other


def test_deleting_from_the_table_deletes_the_attribute():
    layer = nn.Linear(2, 2)
    del layer._parameters["weight"]
    with pytest.raises(AttributeError):
        _ = layer.weight
    layer.weight = qrs.ones(2, 2)
    assert layer(qrs.ones(1, 2)).shape == (1, 2)


def test_every_way_of_changing_a_dict_is_followed():
    module = nn.Module()
    table = module._modules
    a, b = nn.ReLU(), nn.Tanh()
    table.update({"a": a}, b=b)
    assert (module.a, module.b) == (a, b)
    assert table.setdefault("a", b) is a
    assert table.setdefault("c", b) is module.c
    assert table.pop("c") is b
    assert not hasattr(module, "c")
    assert table.pop("c", None) is None
    with pytest.raises(KeyError):
        table.pop("c")
    assert table.popitem() == ("b", b)
    table |= {"d": b}
    assert module.d is b
    table.clear()
    assert not hasattr(module, "a")
    assert not table
