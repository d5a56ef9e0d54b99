"""What `qrs.nn.Module` promises: registration, traversal, modes, copies."""

import copy
import gc
import pickle
import weakref

import pytest

import qrs
from qrs import nn


class Block(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.gain = nn.Parameter(qrs.ones(1))
        self.register_buffer("offset", qrs.zeros(1))
        self.register_buffer("cache", qrs.zeros(1), persistent=False)

    def forward(self, x):
        return self.fc(x) * self.gain + self.offset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(2, 1)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def test_assignment_registers_parameters_and_children_in_order():
    net = Net()
    assert [name for name, _ in net.named_children()] == ["blocks", "head"]
    assert [name for name, _ in net.blocks[0].named_parameters()] == [
        "gain",
        "fc.weight",
        "fc.bias",
    ]
    assert [name for name, _ in net.named_buffers()] == [
        "blocks.0.offset",
        "blocks.0.cache",
        "blocks.1.offset",
        "blocks.1.cache",
    ]


def test_modules_are_walked_parents_first():
    assert [name for name, _ in Net().named_modules()] == [
        "",
        "blocks",
        "blocks.0",
        "blocks.0.fc",
        "blocks.1",
        "blocks.1.fc",
        "head",
    ]


def test_shared_module_is_listed_once_unless_asked():
    fc = nn.Linear(2, 2)
    net = nn.Sequential(fc, fc)
    assert len(list(net.modules())) == 2
    assert len(list(net.named_modules(remove_duplicate=False))) == 3
    assert len(list(net.children())) == 1
    assert len(list(net.parameters())) == 2


def test_shared_parameter_is_listed_once():
    net = Net()
    net.blocks[1].gain = net.blocks[0].gain
    assert [n for n, _ in net.named_parameters() if n.endswith("gain")] == ["blocks.0.gain"]


def test_named_parameters_without_recursion_are_the_own_ones():
    assert [name for name, _ in Block().named_parameters(recurse=False)] == ["gain"]


def test_prefix_starts_every_name():
    names = [name for name, _ in Block().named_parameters(prefix="b")]
    assert names == ["b.gain", "b.fc.weight", "b.fc.bias"]


def test_reassignment_moves_a_name_between_the_tables():
    module = nn.Module()
    module.x = nn.Parameter(qrs.ones(1))
    module.x = nn.Linear(1, 1)
    assert "x" not in module._parameters
    assert isinstance(module.x, nn.Linear)
    del module.x
    module.x = 3
    module.x = nn.Parameter(qrs.ones(2))
    assert module.x.shape == (2,)
    assert list(module._parameters) == ["x"]


def test_tensor_is_not_accepted_for_a_parameter():
    module = Block()
    with pytest.raises(TypeError, match=r"Block\.gain: a Tensor came .* expected a parameter"):
        module.gain = qrs.ones(1)


def test_plain_value_is_not_accepted_for_a_child():
    module = Block()
    with pytest.raises(TypeError, match=r"Block\.fc: a int came"):
        module.fc = 3


def test_class_in_place_of_a_module_is_explained():
    with pytest.raises(TypeError, match=r"class Linear \(not an instance"):
        nn.Module().add_module("fc", nn.Linear)


def test_none_keeps_the_name_of_a_parameter():
    module = Block()
    module.gain = None
    assert module.gain is None
    assert "gain" in module._parameters
    assert [name for name, _ in module.named_parameters()] == ["fc.weight", "fc.bias"]


def test_buffer_is_replaced_by_a_tensor():
    module = Block()
    module.offset = qrs.ones(1)
    assert module._buffers["offset"].item() == 1


@pytest.mark.parametrize("name", ["", "a.b"])
def test_empty_and_dotted_names_are_refused(name):
    with pytest.raises(KeyError, match="expected one without dots, not empty"):
        nn.Module().register_buffer(name, None)


def test_name_of_an_existing_attribute_is_refused():
    with pytest.raises(KeyError, match="'forward' exists already"):
        nn.Module().add_module("forward", nn.ReLU())


def test_parameter_before_init_is_explained():
    class Hasty(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(qrs.ones(1))

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) first"):
        Hasty()


def test_missing_attribute_raises_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = Block().nothing


def test_missing_forward_names_the_class():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty: no forward method"):
        Empty()(1)


def test_call_passes_positional_and_keyword_arguments():
    class Sum(nn.Module):
        def forward(self, a, b=1, *rest, c=0):
            return a + b + sum(rest) + c

    module = Sum()
    assert module(1) == 2
    assert module(1, 2, 3, c=4) == 10
    assert module(a=1, b=2) == 3


def test_train_and_eval_reach_every_module():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.blocks[0].train()
    assert net.blocks[0].fc.training
    assert not net.head.training
    with pytest.raises(ValueError, match="expected True or False"):
        net.train("yes")


def test_apply_visits_children_before_parents():
    seen = []
    Net().apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "Block", "Linear", "Block", "ModuleList", "Linear", "Net"]


def test_requires_grad_switches_every_parameter():
    net = Net().requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_zero_grad_drops_or_clears_gradients():
    net = Net()
    net(qrs.ones(3, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(float(p.grad.abs().sum()) == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_conversion_keeps_identity_and_integers():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    weight = net[0].weight
    net(qrs.ones(3, 2)).sum().backward()
    assert net.double() is net
    assert net[0].weight is weight
    assert weight.dtype is qrs.float64
    assert weight.grad.dtype is qrs.float64
    assert net[1].running_mean.dtype is qrs.float64
    assert net[1].num_batches_tracked.dtype is qrs.int64
    assert net(qrs.ones(3, 2, dtype=qrs.float64)).dtype is qrs.float64
    assert net.to(qrs.ones(1)).float()[0].weight.dtype is qrs.float32
    assert net.to("cpu", qrs.float16)[0].weight.dtype is qrs.float16
    assert net.half().cpu()[0].weight.dtype is qrs.float16


def test_conversion_to_integers_is_refused():
    with pytest.raises(qrs.DtypeError, match="expected float16, float32 or float64"):
        Net().to(qrs.int8)


def test_type_converts_integers_too():
    net = nn.BatchNorm1d(2).type(qrs.float64)
    assert net.num_batches_tracked.dtype is qrs.float64


def test_lookup_by_dotted_name():
    net = Net()
    assert net.get_submodule("blocks.1.fc") is net.blocks[1].fc
    assert net.get_submodule("") is net
    assert net.get_parameter("blocks.0.fc.weight") is net.blocks[0].fc.weight
    assert net.get_buffer("blocks.0.offset") is net.blocks[0].offset
    with pytest.raises(AttributeError, match="'blocks' has no child '7', expected one of: 0, 1"):
        net.get_submodule("blocks.7.fc")
    with pytest.raises(AttributeError, match="no parameter 'wait'"):
        net.get_parameter("head.wait")


def test_deep_copy_is_independent_and_whole():
    net = Net()
    net.head.register_forward_hook(lambda module, args, output: output * 0)
    twin = copy.deepcopy(net)
    with qrs.no_grad():
        twin.head.weight.fill_(5)
    assert float(net.head.weight.abs().max()) < 5
    assert twin.blocks[0].fc.weight is twin.blocks[0].fc._parameters["weight"]
    assert twin.blocks[0].fc.weight.requires_grad
    assert float(twin(qrs.ones(1, 2))) == 0
    twin.head = nn.Identity()
    assert twin._modules["head"] is twin.head
    assert isinstance(net.head, nn.Linear)


def test_pickle_round_trip_computes_the_same():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval()
    twin = pickle.loads(pickle.dumps(net))
    x = qrs.randn(4, 2)
    assert qrs.equal(net(x), twin(x))
    assert not twin.training
    twin[0].bias = None
    assert twin[0]._parameters["bias"] is None


def test_repr_nests_like_pytorch():
    assert repr(nn.Sequential(nn.Linear(2, 3, bias=False), nn.Sequential())) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=False)\n"
        "  (1): Sequential()\n"
        ")"
    )


def test_dir_lists_members_but_no_numbers():
    names = dir(nn.Sequential(nn.ReLU()))
    assert "forward" in names
    assert "0" not in names
    assert {"gain", "fc", "offset"} <= set(dir(Block()))


def test_module_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        net = Net()
        gone = weakref.ref(net.blocks[0].fc)
        del net
        assert gone() is None
    finally:
        gc.enable()


def test_error_names_the_path_of_the_failing_module():
    net = Net()
    net.blocks[1].fc = nn.Linear(3, 2)
    with pytest.raises(
        qrs.ShapeError, match=r"^at blocks\.1\.fc \(Linear\): linear: input"
    ) as info:
        net(qrs.ones(1, 2))
    assert info.value.module_path == "blocks.1.fc"


@pytest.mark.parametrize(
    ("gives", "advice"),
    [
        (lambda x: None, "look for a missing return"),
        (lambda x: (x, x), "unpack it, as in y, states"),
        (lambda x: x.tolist(), r"make one with qrs\.as_tensor\(\)"),
    ],
)
@pytest.mark.parametrize("make", [lambda: nn.Linear(2, 2), lambda: nn.Conv1d(1, 1, 1), nn.ReLU])
def test_what_is_no_tensor_is_named_with_what_to_do(gives, advice, make):
    class Before(nn.Module):
        def forward(self, x):
            return gives(x)

    net = nn.Sequential(Before(), make())
    with pytest.raises(qrs.DtypeError, match=rf"at 1 \(.* (list|tuple|NoneType).*; {advice}"):
        net(qrs.ones(1, 2))


def test_error_of_the_outermost_module_has_no_path():
    with pytest.raises(qrs.ShapeError, match=r"^linear: input") as info:
        nn.Linear(2, 2)(qrs.ones(1, 3))
    assert info.value.module_path == ""


def test_error_names_a_module_that_is_not_registered():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = [nn.Linear(2, 2)]

        def forward(self, x):
            return self.parts[0](x)

    with pytest.raises(qrs.ShapeError, match="at <unregistered Linear>"):
        Hidden()(qrs.ones(1, 3))
