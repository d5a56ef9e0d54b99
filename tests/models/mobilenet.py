"""MobileNet V2 and V3 as PyTorch users write them for eager-mode quantization."""

import qrs as torch
from qrs import nn
from qrs.nn.quantized import FloatFunctional
from qrs.quantization import DeQuantStub, QuantStub, fuse_modules

__all__ = ["MobileNetV2", "MobileNetV3"]


def scaled(channels: float, width: float) -> int:
    """A multiple of 8 near ``channels * width``, at least 8."""
    return max(8, round(channels * width / 8) * 8)


def conv(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> nn.Sequential:
    """Convolution, normalisation and activation."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class SqueezeExcitation(nn.Module):
    """Weights every channel by a function of the means of all of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = scaled(channels, 0.25)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, inner, 1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(inner, channels, 1)
        self.gate = nn.Hardsigmoid()
        self.product = FloatFunctional()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.gate(self.fc2(self.relu(self.fc1(self.pool(x)))))
        return self.product.mul(weight, x)


class InvertedResidual(nn.Module):
    def __init__(
        self,
        inputs: int,
        inner: int,
        outputs: int,
        kernel: int,
        stride: int,
        activation: type[nn.Module],
        excite: bool,
    ) -> None:
        super().__init__()
        layers = [] if inner == inputs else [conv(inputs, inner, 1, activation=activation)]
        layers.append(conv(inner, inner, kernel, stride, inner, activation))
        if excite:
            layers.append(SqueezeExcitation(inner))
        layers.append(conv(inner, outputs, 1))
        self.conv = nn.Sequential(*layers)
        self.skip = FloatFunctional() if stride == 1 and inputs == outputs else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return y if self.skip is None else self.skip.add(x, y)

    def last_norm(self) -> nn.BatchNorm2d:
        return self.conv[-1][1]


class MobileNet(nn.Module):
    def __init__(self, features: nn.Sequential, classifier: nn.Sequential) -> None:
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = classifier

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.features(self.quant(x)))
        return self.dequant(self.classifier(x.flatten(1)))

    def fuse(self) -> None:
        for module in self.modules():
            if type(module) is nn.Sequential and type(module[0]) is nn.Conv2d:
                names = ["0", "1", "2"] if type(module[-1]) is nn.ReLU else ["0", "1"]
                fuse_modules(module, names, inplace=True)
            elif type(module) is SqueezeExcitation:
                fuse_modules(module, ["fc1", "relu"], inplace=True)


def MobileNetV2(width: float = 1.0, classes: int = 1000) -> MobileNet:  # noqa: N802
    """Sandler et al. 2018, arXiv:1801.04381."""
    inputs = scaled(32, width)
    layers: list[nn.Module] = [conv(3, inputs, 3, 2, activation=nn.ReLU6)]
    table = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    for factor, channels, count, first in table:
        outputs = scaled(channels, width)
        for block in range(count):
            stride = 1 if block else first
            inner = inputs * factor
            layers.append(InvertedResidual(inputs, inner, outputs, 3, stride, nn.ReLU6, False))
            inputs = outputs
    last = scaled(1280, width)
    layers.append(conv(inputs, last, 1, activation=nn.ReLU6))
    head = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))
    return MobileNet(nn.Sequential(*layers), head)


def MobileNetV3(width: float = 1.0, classes: int = 1000) -> MobileNet:  # noqa: N802
    """The small one of Howard et al. 2019, arXiv:1905.02244."""
    inputs = scaled(16, width)
    layers: list[nn.Module] = [conv(3, inputs, 3, 2, activation=nn.Hardswish)]
    table = [
        (3, 16, 16, True, nn.ReLU, 2),
        (3, 72, 24, False, nn.ReLU, 2),
        (3, 88, 24, False, nn.ReLU, 1),
        (5, 96, 40, True, nn.Hardswish, 2),
        (5, 240, 40, True, nn.Hardswish, 1),
        (5, 240, 40, True, nn.Hardswish, 1),
        (5, 120, 48, True, nn.Hardswish, 1),
        (5, 144, 48, True, nn.Hardswish, 1),
        (5, 288, 96, True, nn.Hardswish, 2),
        (5, 576, 96, True, nn.Hardswish, 1),
        (5, 576, 96, True, nn.Hardswish, 1),
    ]
    for kernel, inner, channels, excite, activation, stride in table:
        outputs, wide = scaled(channels, width), scaled(inner, width)
        block = InvertedResidual(inputs, wide, outputs, kernel, stride, activation, excite)
        layers.append(block)
        inputs = outputs
    last, hidden = scaled(576, width), scaled(1024, width)
    layers.append(conv(inputs, last, 1, activation=nn.Hardswish))
    head = [nn.Linear(last, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, classes)]
    return MobileNet(nn.Sequential(*layers), nn.Sequential(*head))
