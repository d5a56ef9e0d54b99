"""Which modules a run shows to feed each other alone, and what automatic fusion makes of them."""

from collections.abc import Callable

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import functional as F
from qrs.nn import intrinsic as nni
from qrs.quantization.trace import sole_readers


class Net(nn.Module):
    """Convolution, normalisation and activation, called as a test says."""

    def __init__(self, run: Callable[["Net", qrs.Tensor], object], inplace: bool = False) -> None:
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU(inplace)
        self.other = nn.Conv2d(3, 3, 1)
        self.drop, self.same = nn.Dropout(), nn.Identity()
        self.kept: object = None
        self.run = run

    def forward(self, x: qrs.Tensor) -> object:
        return self.run(self, x)


def keep(net: Net, x: qrs.Tensor) -> qrs.Tensor:
    net.kept = net.conv(x)
    return net.relu(net.bn(net.kept))


def keep_in_a_cycle(net: Net, x: qrs.Tensor) -> qrs.Tensor:
    y = net.conv(x)
    ring: list[object] = [y]
    ring.append(ring)
    return net.relu(net.bn(y))


def read_by_code(read: Callable[[qrs.Tensor], object]) -> Callable[[Net, qrs.Tensor], qrs.Tensor]:
    def run(net: Net, x: qrs.Tensor) -> qrs.Tensor:
        y = net.conv(x)
        read(y)
        return net.relu(net.bn(y))

    return run


def residual(net: Net, x: qrs.Tensor) -> qrs.Tensor:
    y = net.bn(net.conv(x))
    return net.relu(y) + y


def shared_relu(net: Net, x: qrs.Tensor) -> qrs.Tensor:
    return net.relu(net.other(net.relu(net.bn(net.conv(x)))))


def loop(net: Net, x: qrs.Tensor) -> qrs.Tensor:
    for _ in range(3):
        x = net.relu(net.bn(net.conv(x)))
    return x


WHOLE, FOLDED, ACTIVATED = [["conv", "bn", "relu"]], [["conv", "bn"]], [["bn", "relu"]]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (lambda net, x: net.relu(net.bn(net.conv(x))), WHOLE),
        (lambda net, x: net.relu(net.bn(net.same(net.conv(x)))), WHOLE),
        (lambda net, x: net.relu(net.bn(net.conv(x))).mean(), WHOLE),
        (lambda net, x: net.bn(net.conv(x)), FOLDED),
        (lambda net, x: F.relu(net.bn(net.conv(x))), FOLDED),
        (lambda net, x: net.relu(net.bn(net.conv(x)) + 1), FOLDED),
        (lambda net, x: net.relu(net.bn(net.drop(net.conv(x)))), ACTIVATED),
        (lambda net, x: net.bn(net.relu(net.conv(x))), [["conv", "relu"]]),
        (lambda net, x: net.other(net.conv(x)), []),
        (lambda net, x: (y := net.conv(x), net.relu(net.bn(y))), ACTIVATED),
        (lambda net, x: {"out": [net.relu(y := net.bn(net.conv(x))), y]}, FOLDED),
        (read_by_code(lambda y: y.sum()), ACTIVATED),
        (read_by_code(lambda y: y.detach().numpy()), ACTIVATED),
        (read_by_code(lambda y: y.add_(1)), ACTIVATED),
        (read_by_code(lambda y: y.view(-1)), ACTIVATED),
        (keep, ACTIVATED),
        (residual, FOLDED),
        (shared_relu, FOLDED),
        (loop, WHOLE),
    ],
)
@pytest.mark.parametrize("inplace", [False, True])
def test_groups(run: Callable, expected: list[list[str]], inplace: bool) -> None:
    net = Net(run, inplace).eval()
    x = qrs.randn(2, 3, 4, 4)
    assert Q.find_modules_to_fuse(net, x) == expected
    if expected and run is not keep:
        fused = Q.fuse_modules(net, "auto", example_inputs=x)
        x = qrs.randn(2, 3, 4, 4)
        for a, b in zip(results(fused(x.clone())), results(net(x)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def results(value: object) -> list[np.ndarray]:
    if isinstance(value, qrs.Tensor):
        return [value.detach().numpy()]
    items = value.values() if isinstance(value, dict) else value
    return [array for item in items for array in results(item)]


def test_what_is_held_by_a_dead_cycle_alone_is_free() -> None:
    assert Q.find_modules_to_fuse(Net(keep_in_a_cycle).eval(), qrs.randn(1, 3, 2, 2)) == WHOLE


def test_pairs_need_no_pattern() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Softmax(-1))
    assert sole_readers(net, qrs.randn(1, 2)) == {"0": "1", "1": "2"}


def test_one_module_under_two_names_is_left_alone() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()).eval()
    outer = nn.ModuleDict({"net": net})
    assert Q.find_modules_to_fuse(net, qrs.randn(1, 3, 2, 2)) == [["0", "1"]]
    outer["again"] = net[0]
    outer.forward = net.forward
    assert Q.find_modules_to_fuse(outer, qrs.randn(1, 3, 2, 2)) == []


def test_hooks_that_would_be_lost_keep_modules_apart() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU()).eval()
    net[0].register_forward_pre_hook(lambda *_: None)
    net[2].register_forward_hook(lambda *_: None)
    assert Q.find_modules_to_fuse(net, qrs.randn(1, 3, 2, 2)) == [["0", "1", "2"]]
    net[1].register_forward_hook(lambda *_: None)
    assert Q.find_modules_to_fuse(net, qrs.randn(1, 3, 2, 2)) == [["0", "1"]]


def test_training_takes_the_patterns_of_training_and_changes_nothing() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU()).train()
    x = qrs.randn(8, 3)
    assert Q.find_modules_to_fuse(net, x) == [["0", "1"]]
    assert net[1].num_batches_tracked.item() == 0
    assert net[1].running_mean.tolist() == [0.0] * 4
    assert type(Q.fuse_modules(net, "auto", example_inputs=x)[0]) is nni.LinearBn1d
    assert Q.find_modules_to_fuse(net.eval(), x) == [["0", "1", "2"]]


def test_modules_in_different_modes_are_left_alone() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    net[1].train()
    assert Q.find_modules_to_fuse(net, qrs.randn(2, 3, 2, 2)) == []


def test_normalisation_without_statistics_is_left_alone() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)).eval()
    assert Q.find_modules_to_fuse(net, qrs.randn(2, 3, 2, 2)) == []


def test_fused_modules_are_not_fused_again() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.ReLU()).eval()
    x = qrs.randn(1, 3, 2, 2)
    fused = Q.fuse_modules(net, "auto", example_inputs=x)
    assert Q.find_modules_to_fuse(fused, x) == []
    assert type(Q.fuse_modules(fused, "auto", example_inputs=x)[0]) is nni.ConvReLU2d


def test_patterns_of_ones_own_are_found() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Tanh(), nn.Tanh()).eval()
    types = (nn.Linear, nn.Tanh, nn.Tanh, nn.Tanh)
    config = {"additional_fuser_method_mapping": {types: nn.Sequential}}
    x = np.ones((1, 2), np.float32)
    assert Q.find_modules_to_fuse(net, x, config) == [["0", "1", "2", "3"]]
    fused = Q.fuse_modules(net, "auto", fuse_custom_config_dict=config, example_inputs=(x,))
    assert type(fused[0]) is nn.Sequential


@pytest.mark.parametrize(
    ("run", "bad"),
    [
        (lambda net, x: net.relu(net.bn(net.conv(x))), None),
        (loop, None),
        (shared_relu, ("bn", "relu")),
        (residual, ("bn", "relu")),
        (lambda net, x: net.relu(net.bn(net.drop(net.conv(x)))), ("conv", "bn")),
        (keep, ("conv", "bn")),
    ],
)
def test_groups_of_names_are_checked_by_a_run(run: Callable, bad: tuple[str, str] | None) -> None:
    """A shared ReLU, for one, would be lost in its second place."""
    net, x = Net(run).eval(), qrs.randn(2, 3, 4, 4)
    if bad is None:
        fused = Q.fuse_modules(net, WHOLE, example_inputs=x)
        assert type(fused.conv) is nni.ConvReLU2d
        return
    with pytest.raises(ValueError, match=rf"in a run '{bad[0]}' .* feed '{bad[1]}'.*of its own"):
        Q.fuse_modules(net, WHOLE, example_inputs=x)


@pytest.mark.parametrize("asked", [{"modules_to_fuse": "auto"}, {"modules_to_fuse": "conv"}])
def test_auto_needs_an_example(asked: dict) -> None:
    with pytest.raises(ValueError, match="without example_inputs"):
        Q.fuse_modules(nn.Sequential(nn.ReLU()), **asked)
