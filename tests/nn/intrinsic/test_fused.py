"""Float fused modules."""

import pytest

import qrs
from qrs import nn
from qrs.nn import intrinsic as nni

CLASSES = [
    cls
    for name in nni.__all__
    if isinstance(cls := getattr(nni, name), type)
    and issubclass(cls, nni.FusedModule)
    and cls is not nni.FusedModule
]


def member(cls: type) -> nn.Module:
    if cls is nn.ReLU:
        return cls()
    if cls is nn.Linear:
        return cls(4, 4)
    return cls(4) if "BatchNorm" in cls.__name__ else cls(4, 4, 1)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_calls_its_members_in_order(cls: type) -> None:
    members = [member(kind) for kind in cls.types]
    ranks = [int(kind.__name__[-2]) for kind in cls.types if kind.__name__[-1] == "d"]
    rank = 0 if nn.Linear in cls.types else ranks[0]
    x = qrs.randn(2, 4, *[3] * rank)
    fused = cls(*members).eval()
    expected = x
    for part in members:
        expected = part(expected)
    assert qrs.equal(fused(x), expected)
    assert [fused[i] for i in range(len(members))] == members


def test_other_types_raise_and_are_named() -> None:
    with pytest.raises(TypeError, match=r"LinearReLU: \(Linear, ReLU6\) came.*\(Linear, ReLU\)"):
        nni.LinearReLU(nn.Linear(2, 2), nn.ReLU6())

    class Mine(nn.ReLU):
        pass

    with pytest.raises(TypeError, match="Mine"):
        nni.LinearReLU(nn.Linear(2, 2), Mine())
