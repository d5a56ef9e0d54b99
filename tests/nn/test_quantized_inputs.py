"""A quantized tensor in a float module: it passes, or the error names the module and what to do."""

from collections.abc import Callable

import pytest

import qrs
from qrs import nn
from qrs.errors import DtypeError

PASSES: list[Callable[[], nn.Module]] = [
    nn.ReLU,
    nn.ReLU6,
    nn.Sigmoid,
    nn.Tanh,
    nn.Hardsigmoid,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.Flatten,
    nn.Identity,
    lambda: nn.Threshold(0.1, 0.0),
    lambda: nn.Dropout(0.5).eval(),
    lambda: nn.MaxPool2d(2),
    lambda: nn.AvgPool2d(2),
    lambda: nn.AdaptiveAvgPool2d(1),
    lambda: nn.Upsample(scale_factor=2),
    lambda: nn.ReflectionPad2d(1),
    lambda: nn.PixelShuffle(2),
    lambda: nn.ChannelShuffle(2),
]
STOPS: list[Callable[[], nn.Module]] = [
    lambda: nn.Conv2d(4, 4, 1),
    lambda: nn.ConvTranspose2d(4, 4, 1),
    lambda: nn.Linear(6, 6),
    lambda: nn.BatchNorm2d(4).eval(),
    lambda: nn.InstanceNorm2d(4),
    lambda: nn.LayerNorm(6),
    lambda: nn.GroupNorm(2, 4),
    lambda: nn.Softmax(1),
    nn.GELU,
    nn.SiLU,
    nn.Softplus,
    nn.Softsign,
    nn.Tanhshrink,
    nn.PReLU,
    nn.Hardswish,
    nn.ELU,
    lambda: nn.LSTM(6, 4),
]


class Outer(nn.Module):
    """Puts a module one level down."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(module)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.body(x)


def image() -> qrs.QTensor:
    return qrs.quantize_per_tensor(qrs.randn(2, 4, 6, 6), 0.05, 128, qrs.quint8)


@pytest.mark.parametrize("make", PASSES, ids=lambda make: type(make()).__name__)
def test_modules_for_both(make: Callable[[], nn.Module]) -> None:
    y = make()(image())
    assert y.dtype is qrs.quint8


@pytest.mark.parametrize("make", STOPS, ids=lambda make: type(make()).__name__)
def test_modules_for_floats_only(make: Callable[[], nn.Module]) -> None:
    module = make()
    name = type(module).__name__
    with pytest.raises(DtypeError, match=rf"at body\.0 \({name}\): \w+: .*DeQuantStub"):
        Outer(module)(image())
