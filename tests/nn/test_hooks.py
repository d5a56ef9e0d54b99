"""Forward hooks: order, replacement, removal."""

import copy

import qrs
from qrs import nn


def test_hooks_run_in_order_of_registration():
    seen = []
    layer = nn.Identity()
    layer.register_forward_pre_hook(lambda module, args: seen.append("pre 1"))
    layer.register_forward_pre_hook(lambda module, args: seen.append("pre 2"))
    layer.register_forward_hook(lambda module, args, out: seen.append("post 1"))
    layer.register_forward_hook(lambda module, args, out: seen.append("post 0"), prepend=True)
    layer(1)
    assert seen == ["pre 1", "pre 2", "post 0", "post 1"]


def test_pre_hook_replaces_inputs_by_a_value_or_a_tuple():
    layer = nn.Identity()
    handle = layer.register_forward_pre_hook(lambda module, args: args[0] + 1)
    assert layer(1) == 2
    handle.remove()
    layer.register_forward_pre_hook(lambda module, args: (args[0] + 10,))
    assert layer(1) == 11


def test_forward_hook_sees_inputs_and_replaces_the_output():
    layer = nn.Linear(2, 2)
    seen = []

    def hook(module, args, output):
        seen.append((module, args[0].shape, output.shape))
        return output * 0

    layer.register_forward_hook(hook)
    assert float(layer(qrs.ones(3, 2)).abs().sum()) == 0
    assert seen == [(layer, (3, 2), (3, 2))]


def test_removed_hook_is_silent_and_may_be_removed_twice():
    layer = nn.Identity()
    handle = layer.register_forward_hook(lambda module, args, out: 0)
    handle.remove()
    handle.remove()
    assert layer(5) == 5


def test_hook_may_remove_itself_while_it_runs():
    layer = nn.Identity()
    handles = []
    calls = []

    def once(module, args, out):
        calls.append(out)
        handles[0].remove()

    handles.append(layer.register_forward_hook(once))
    layer(1)
    layer(2)
    assert calls == [1]


def test_handle_of_a_copied_module_removes_the_hook_of_the_copy():
    layer = nn.Identity()
    layer.handle = layer.register_forward_hook(lambda module, args, out: out + 1)
    twin = copy.deepcopy(layer)
    twin.handle.remove()
    assert twin(1) == 1
    assert layer(1) == 2


def test_handle_outlives_its_module():
    handle = nn.Identity().register_forward_hook(lambda module, args, out: out)
    handle.remove()
    assert copy.deepcopy(handle).id == handle.id
