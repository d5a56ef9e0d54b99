"""Which qconfig reaches which module."""

import pytest

import qrs
from qrs import nn
from qrs.errors import UnsupportedLayerError
from qrs.quantization import (
    QuantWrapper,
    add_quant_dequant,
    default_per_channel_qconfig,
    default_qconfig,
    propagate_qconfig_,
)

A, B = default_qconfig, default_per_channel_qconfig


class Sub(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(2, 2)
        self.b = nn.ReLU()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Linear(2, 2)
        self.sub = Sub()
        self.sub2 = Sub()


NAMES = ["", "x", "sub", "sub.a", "sub.b", "sub2", "sub2.a", "sub2.b"]


@pytest.mark.parametrize(
    ("entries", "attributes", "expected"),
    [
        ({"": A, "sub": B, nn.ReLU: None}, {}, [A, A, B, B, None, A, A, None]),
        ({nn.Linear: A, "sub2": None}, {}, [None, A, None, A, None, None, A, None]),
        ({}, {"": A, "sub": None}, [A, A, None, None, None, A, A, A]),
        ({}, {"": A, "sub": None, "sub.a": B}, [A, A, None, B, None, A, A, A]),
        ({nn.Linear: A}, {"": None}, [None, A, None, A, None, None, A, None]),
        ({"x": A, nn.Linear: B}, {}, [None, A, None, B, None, None, B, None]),
        ({Sub: A}, {}, [None, None, A, A, A, A, A, A]),
        ({}, {}, [None] * 8),
    ],
)
def test_rules(entries: dict, attributes: dict, expected: list) -> None:
    net = Net()
    for name, qconfig in attributes.items():
        net.get_submodule(name).qconfig = qconfig
    propagate_qconfig_(net, entries)
    assert [net.get_submodule(name).qconfig for name in NAMES] == expected


def test_what_is_no_qconfig_raises_and_names_the_module() -> None:
    net = Net()
    net.sub.qconfig = "fbgemm"
    with pytest.raises(TypeError, match="qconfig of sub: a str"):
        propagate_qconfig_(net)


def test_add_quant_dequant_wraps_leaves_with_a_qconfig() -> None:
    net = Net()
    propagate_qconfig_(net, {"sub": A})
    assert add_quant_dequant(net) is net
    assert type(net.sub.a) is QuantWrapper
    assert type(net.x) is nn.Linear


def test_quant_wrapper_takes_qconfig_and_mode_from_its_module() -> None:
    layer = nn.Linear(2, 1).eval()
    layer.qconfig = A
    wrapped = QuantWrapper(layer)
    assert wrapped.quant.qconfig is A
    assert wrapped.dequant.qconfig is A
    assert not wrapped.quant.training
    x = qrs.ones(1, 2)
    assert qrs.equal(wrapped(x), layer(x))


@pytest.mark.parametrize(("name", "hint"), [("sub.c", "did you mean 'sub"), ("q", "named_modules")])
def test_a_name_of_no_module_raises_and_changes_nothing(name: str, hint: str) -> None:
    net = Net()
    with pytest.raises(UnsupportedLayerError, match=rf"no module is named '{name}'.*{hint}"):
        propagate_qconfig_(net, {nn.Linear: A, name: B})
    assert not hasattr(net.x, "qconfig")


def test_a_key_that_is_no_type_of_modules_raises() -> None:
    with pytest.raises(TypeError, match=r"<class 'int'> came, expected types of modules"):
        propagate_qconfig_(Net(), {int: A})


def test_the_second_name_of_a_module_counts() -> None:
    net = Net()
    net.again = net.sub
    propagate_qconfig_(net, {"again.a": A})
    assert net.sub.a.qconfig is A


def test_the_first_parent_of_a_module_decides() -> None:
    net = Net()
    net.sub2.a = net.sub.a
    propagate_qconfig_(net, {"sub": A, "sub2": B})
    assert net.sub.a.qconfig is A
