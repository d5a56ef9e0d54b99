"""The net of the measured workflows; see README.md."""

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import quantized as nnq

from .cases import Case

__all__ = ["Net", "load_parameters"]


class Net(nn.Module):
    """Two convolutions, the second depthwise, their sum, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = Q.QuantStub()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.bn2 = nn.BatchNorm2d(8)
        self.ff = nnq.FloatFunctional()
        self.relu2 = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(32, 10)
        self.relu3 = nn.ReLU()
        self.dequant = Q.DeQuantStub()

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        x = self.relu1(self.bn1(self.conv1(self.quant(x))))
        x = self.relu2(self.ff.add(x, self.bn2(self.conv2(x))))
        x = self.pool(x)
        return self.dequant(self.relu3(self.fc(x.reshape(x.shape[0], -1))))


def load_parameters(model: Net, case: Case) -> Net:
    """The net with the parameters of a case."""
    model.load_state_dict({k[2:]: v for k, v in case.inputs.items() if k.startswith("p:")})
    return model
