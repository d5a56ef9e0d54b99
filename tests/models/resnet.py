"""ResNet-50 and ResNeXt-50 as PyTorch users write them for eager-mode quantization."""

import qrs as torch
from qrs import nn
from qrs.nn.quantized import FloatFunctional
from qrs.quantization import DeQuantStub, QuantStub, fuse_modules

__all__ = ["ResNet", "resnet50", "resnext50"]


class Bottleneck(nn.Module):
    def __init__(
        self, inputs: int, planes: int, inner: int, stride: int, groups: int, project: bool
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(inner, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.downsample = None
        if project:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * planes, 1, stride, bias=False), nn.BatchNorm2d(4 * planes)
            )
        self.skip = FloatFunctional()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        same = x if self.downsample is None else self.downsample(x)
        return self.skip.add_relu(y, same)

    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn3

    def fuse(self) -> None:
        names = [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"], ["conv3", "bn3"]]
        fuse_modules(self, names, inplace=True)
        if self.downsample is not None:
            fuse_modules(self.downsample, ["0", "1"], inplace=True)


class ResNet(nn.Module):
    """Stages of 3, 4, 6 and 3 bottlenecks; ``width`` is 64 in the paper."""

    def __init__(self, width: int, groups: int, group_width: int, classes: int) -> None:
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs, stages = width, []
        for stage, blocks in enumerate((3, 4, 6, 3)):
            planes = width << stage
            inner = groups * group_width << stage if groups > 1 else planes
            layers = []
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(Bottleneck(inputs, planes, inner, stride, groups, block == 0))
                inputs = 4 * planes
            stages.append(nn.Sequential(*layers))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.quant(x)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = torch.flatten(self.avgpool(x), 1)
        return self.dequant(self.fc(x))

    def fuse(self) -> None:
        fuse_modules(self, ["conv1", "bn1", "relu"], inplace=True)
        for module in self.modules():
            if type(module) is Bottleneck:
                module.fuse()


def resnet50(width: int = 64, classes: int = 1000) -> ResNet:
    """He et al. 2015, arXiv:1512.03385."""
    return ResNet(width, 1, width, classes)


def resnext50(width: int = 64, groups: int = 32, classes: int = 1000) -> ResNet:
    """Xie et al. 2016, arXiv:1611.05431: groups of 4 channels."""
    return ResNet(width, groups, 4, classes)
