"""fuse_modules over its whole table: values, hooks, errors."""

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import UnsupportedLayerError
from qrs.nn import intrinsic as nni
from qrs.quantization.fusion_patterns import PATTERNS, Pattern


def names(pattern: Pattern) -> str:
    return "-".join(cls.__name__ for cls in pattern.types)


def make(cls: type, groups: int = 1) -> nn.Module:
    """A layer from 4 to 6 channels, or on 6 channels, with values that are not the defaults."""
    if cls is nn.ReLU:
        return cls()
    if cls is nn.Linear:
        return cls(4, 6)
    if "BatchNorm" in cls.__name__:
        bn = cls(6)
        with qrs.no_grad():
            bn.weight.uniform_(0.5, 2.0)
            bn.bias.uniform_(-1.0, 1.0)
            bn.running_mean.uniform_(-1.0, 1.0)
            bn.running_var.uniform_(0.5, 3.0)
        return bn
    return cls(4, 6, 3, padding=1, groups=groups)


def rank(types: tuple[type, ...]) -> int:
    """Number of spatial dimensions, 1 where the names tell none."""
    found = [int(cls.__name__[-2]) for cls in types if cls.__name__[-2:] in ("1d", "2d", "3d")]
    return found[0] if found else 1


def data(pattern: Pattern) -> qrs.Tensor:
    first = pattern.types[0]
    if first is nn.Linear:
        return qrs.randn(5, 4)
    channels = 6 if "BatchNorm" in first.__name__ else 4
    return qrs.randn(2, channels, *[5] * rank(pattern.types))


@pytest.mark.parametrize("pattern", PATTERNS, ids=names)
@pytest.mark.parametrize("groups", [1, 2])
def test_fused_equals_unfused_in_evaluation(pattern: Pattern, groups: int) -> None:
    model = nn.Sequential(*(make(cls, groups) for cls in pattern.types)).eval()
    fused = Q.fuse_modules(model, [str(i) for i in range(len(model))])
    assert all(type(fused[i]) is nn.Identity for i in range(1, len(fused)))
    x = data(pattern)
    np.testing.assert_allclose(
        fused(x).detach().numpy(), model(x).detach().numpy(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("pattern", PATTERNS, ids=names)
def test_fused_equals_unfused_in_training(pattern: Pattern) -> None:
    model = nn.Sequential(*(make(cls) for cls in pattern.types)).train()
    group = [str(i) for i in range(len(model))]
    if pattern.training is None:
        with pytest.raises(UnsupportedLayerError, match="eval"):
            Q.fuse_modules(model, group)
        return
    fused = Q.fuse_modules(model, group)
    assert isinstance(fused[0], nni.FusedModule)
    x = data(pattern)
    assert qrs.equal(fused(x), model(x))
    assert fused[0].training


def test_folding_leaves_the_original_alone() -> None:
    model = nn.Sequential(make(nn.Conv2d), make(nn.BatchNorm2d)).eval()
    before = model[0].weight.detach().numpy().copy()
    fused = Q.fuse_modules(model, ["0", "1"])
    assert type(fused[0]) is nn.Conv2d
    assert np.array_equal(model[0].weight.detach().numpy(), before)
    assert isinstance(fused[0].bias, nn.Parameter)


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
        self.act = nn.ReLU()
        self.head = nn.Linear(3, 3)


def test_several_groups_under_different_parents_and_in_place() -> None:
    model = Nested().eval()
    assert Q.fuse_modules(model, [["body.0", "body.1"], ["head", "act"]], inplace=True) is model
    assert type(model.body[0]) is nni.LinearReLU
    assert type(model.head) is nni.LinearReLU
    assert type(model.act) is nn.Identity


def test_hooks_of_the_first_and_last_module_move() -> None:
    calls: list[str] = []
    model = nn.Sequential(make(nn.Conv2d), make(nn.BatchNorm2d), nn.ReLU()).eval()
    for name in ("first", "second"):
        model[0].register_forward_pre_hook(lambda *_, name=name: calls.append(name))
        model[2].register_forward_hook(lambda *_, name=name: calls.append(f"after {name}"))
    fused = Q.fuse_modules(model, ["0", "1", "2"])
    fused(qrs.randn(1, 4, 5, 5))
    assert calls == ["first", "second", "after first", "after second"]


@pytest.mark.parametrize(("place", "kind"), [(0, "forward_hook"), (1, "forward_pre_hook")])
def test_hooks_between_fused_modules_are_reported(place: int, kind: str) -> None:
    model = nn.Sequential(make(nn.Conv2d), make(nn.BatchNorm2d)).eval()
    getattr(model[place], f"register_{kind}")(lambda *_: None)
    with pytest.warns(
        UserWarning, match=r"\(Conv2d, BatchNorm2d\) came with hooks between.*remove"
    ):
        Q.fuse_modules(model, ["0", "1"])


@pytest.mark.parametrize(
    "modules",
    [
        [nn.BatchNorm1d(4), nn.ReLU6()],
        [nn.Conv2d(4, 4, 1), nn.ReLU6()],
        [nn.Conv2d(4, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)],
        [nn.Identity(), nn.ReLU()],
    ],
    ids=lambda modules: "-".join(type(m).__name__ for m in modules),
)
def test_unknown_pattern_raises_and_lists_the_known(modules: list[nn.Module]) -> None:
    model = nn.Sequential(*modules).eval()
    with pytest.raises(UnsupportedLayerError, match=r"came, expected one of: .*Linear, ReLU"):
        Q.fuse_modules(model, [str(i) for i in range(len(modules))])


def test_mistakes_raise() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval()
    with pytest.raises(ValueError, match="two names"):
        Q.fuse_modules(model, ["0"])
    with pytest.raises(ValueError, match="mixed"):
        Q.fuse_modules(model, ["0", ["1"]])
    with pytest.raises(AttributeError, match="fc"):
        Q.fuse_modules(model, ["fc", "1"])
    model[0].train()
    with pytest.raises(ValueError, match="one mode"):
        Q.fuse_modules(model, ["0", "1"])
    wide = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match="gives 3 channels, BatchNorm1d expects 4"):
        Q.fuse_modules(wide.eval(), ["0", "1"])
    plain = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, affine=False))
    with pytest.raises(ValueError, match="affine=False"):
        Q.fuse_modules(plain, ["0", "1"])
    untracked = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))
    with pytest.raises(UnsupportedLayerError, match="track_running_stats"):
        Q.fuse_modules(untracked.eval(), ["0", "1"])


def test_own_pattern_and_own_fuser() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh()).eval()
    table = {(nn.Linear, nn.Tanh): nn.Sequential}
    config = {"additional_fuser_method_mapping": table}
    fused = Q.fuse_modules(model, ["0", "1"], fuse_custom_config_dict=config)
    x = qrs.randn(1, 2)
    assert type(fused[0]) is nn.Sequential
    assert qrs.equal(fused(x), model(x))

    def swapped(modules: list[nn.Module], extra: object) -> list[nn.Module]:
        assert extra is table
        return modules[::-1]

    other = Q.fuse_modules(model, ["0", "1"], fuser_func=swapped, fuse_custom_config_dict=config)
    assert type(other[0]) is nn.Tanh
