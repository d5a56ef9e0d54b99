"""Containers of modules and parameters."""

from collections import OrderedDict

import pytest

import qrs
from qrs import nn


def test_sequential_applies_in_order_and_names_by_number_or_dict():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    assert list(net.state_dict()) == ["0.weight", "0.bias"]
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    assert [name for name, _ in named.named_children()] == ["a", "b"]
    assert named.a is named[0]


def test_sequential_sees_hooks_registered_and_removed_after_calls():
    net = nn.Sequential(nn.ReLU(), nn.Identity(), nn.Identity())
    x = qrs.tensor([-1.0, 2.0])
    assert net(x).tolist() == [0, 2]
    before = net[1].register_forward_pre_hook(lambda module, args: args[0] + 1)
    after = net[2].register_forward_hook(lambda module, args, out: out * 10)
    assert net(x).tolist() == [10, 30]
    before.remove()
    assert net(x).tolist() == [0, 20]
    after.remove()
    net[1]._forward_hooks[0] = lambda module, args, out: out - 1
    assert net(x).tolist() == [-1, 1]
    net[1]._forward_hooks = OrderedDict()
    assert net(x).tolist() == [0, 2]


def test_sequential_sees_children_replaced_after_a_call():
    net = nn.Sequential(nn.ReLU(), nn.Identity())
    x = qrs.tensor([-4.0, 4.0])
    assert net(x).tolist() == [0, 4]
    net[1] = nn.ReLU6()
    net._modules["0"] = nn.Identity()
    assert net(2 * x).tolist() == [0, 6]
    net[1].forward = lambda input: input + 1
    assert net(x).tolist() == [-3, 5]


def test_sequential_calls_what_has_a_call_of_its_own(monkeypatch):
    class Doubled(nn.Identity):
        def __call__(self, input):
            return 2 * super().__call__(input)

    net = nn.Sequential(Doubled(), nn.Identity())
    assert net(3) == 6
    called = []
    plain = nn.Module.__call__

    def watched(self, *args, **kwargs):
        called.append(type(self).__name__)
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(nn.Module, "__call__", watched)
    assert net(3) == 6
    assert called == ["Sequential", "Doubled", "Identity"]


def test_a_child_that_is_none_cannot_be_called():
    net = nn.Sequential(nn.ReLU())
    net.add_module("1", None)
    with pytest.raises(TypeError, match="not callable"):
        net(qrs.ones(2))


def test_errors_inside_nested_sequentials_are_located():
    net = nn.Sequential(nn.Identity(), nn.Sequential(nn.ReLU(), nn.Linear(3, 2)))
    with pytest.raises(qrs.ShapeError, match=r"^at 1\.1 \(Linear\): linear: input") as info:
        net(qrs.ones(1, 2))
    assert info.value.module_path == "1.1"
    net[1][1].register_forward_hook(lambda module, args, out: None)
    with pytest.raises(qrs.ShapeError, match=r"^at 1\.1 \(Linear\): linear: input"):
        net(qrs.ones(1, 2))
    with pytest.raises(qrs.DtypeError, match=r"^at 1\.0 \(ReLU\): .*list came"):
        net([1.0, 2.0])


def test_sequential_slices_keep_modules_and_class():
    net = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())
    part = net[1:]
    assert type(part) is nn.Sequential
    assert list(part) == [net[1], net[2]]
    assert net[-1] is net[2]


def test_sequential_edits_renumber():
    net = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())
    del net[0]
    assert list(net._modules) == ["0", "1"]
    net.append(nn.GELU()).extend([nn.ELU()]).insert(1, nn.Identity())
    assert [type(m).__name__ for m in net] == ["Tanh", "Identity", "Sigmoid", "GELU", "ELU"]
    assert list(net._modules) == ["0", "1", "2", "3", "4"]
    assert isinstance(net.pop(), nn.ELU)
    net[0] = nn.ReLU()
    assert isinstance(net[0], nn.ReLU)
    assert len(net) == 4


def test_deleting_from_a_named_sequential_keeps_the_names():
    net = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    del net[0]
    assert list(net._modules) == ["b"]


def test_empty_sequential_is_the_identity():
    assert nn.Sequential()(7) == 7


@pytest.mark.parametrize("index", [2, -3])
def test_index_out_of_range_names_the_range(index):
    with pytest.raises(IndexError, match=r"expected -2\.\.1 \(2 entries\)"):
        nn.ModuleList([nn.ReLU(), nn.ReLU()])[index]


def test_module_list_behaves_like_a_list():
    layers = nn.ModuleList([nn.ReLU()])
    layers += [nn.Tanh()]
    layers.insert(0, nn.GELU())
    assert [type(m).__name__ for m in layers] == ["GELU", "ReLU", "Tanh"]
    assert len(layers[1:]) == 2
    longer = layers + nn.ModuleList([nn.ELU()])
    assert isinstance(longer, nn.ModuleList)
    assert len(longer) == 4
    del layers[0:2]
    assert list(layers._modules) == ["0"]
    with pytest.raises(TypeError, match="expected an iterable"):
        layers.extend(3)


def test_module_list_has_no_forward():
    with pytest.raises(NotImplementedError):
        nn.ModuleList()(1)


def test_module_dict_behaves_like_a_dict():
    table = nn.ModuleDict([("a", nn.ReLU())])
    table.update({"b": nn.Tanh()})
    table["a"] = nn.GELU()
    assert "a" in table
    assert list(table) == list(table.keys()) == ["a", "b"]
    assert [type(m).__name__ for m in table.values()] == ["GELU", "Tanh"]
    assert table.pop("b").__class__ is nn.Tanh
    del table["a"]
    assert len(table) == 0
    table.update(nn.ModuleDict({"c": nn.ReLU()}))
    assert [name for name, _ in table.items()] == ["c"]
    table.clear()
    assert not table.keys()


def test_module_dict_member_is_replaced_by_modules_only():
    table = nn.ModuleDict({"a": nn.ReLU()})
    with pytest.raises(TypeError):
        table["a"] = 3
