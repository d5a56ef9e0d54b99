"""A small convolutional network for handwritten digits, its weights and its data."""

from pathlib import Path

import qrs
from qrs import nn
from qrs.nn.quantized import FloatFunctional
from qrs.quantization import DeQuantStub, QuantStub

FOLDER = Path(__file__).parent / "digits"
TRAINING = 1000


class DigitsCNN(nn.Module):
    """Scores of the ten digits for images (N, 1, 8, 8); ready for static quantization."""

    FUSE = (("conv1", "bn1", "relu1"), ("conv2", "bn2", "relu2"), ("conv3", "bn3"))

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.conv1, self.bn1 = nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        self.conv3, self.bn3 = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.skip = FloatFunctional()
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(128, 10)

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(self.quant(x))))
        x = self.pool(self.relu2(self.bn2(self.conv2(x))))
        x = self.skip.add_relu(x, self.bn3(self.conv3(x)))
        return self.dequant(self.fc(self.pool(x).flatten(1)))


def load_model() -> DigitsCNN:
    """The trained network."""
    model = DigitsCNN()
    model.load_state_dict(qrs.load(FOLDER / "cnn.safetensors"))
    return model.eval()


def load_data():
    """Images (N, 1, 8, 8) from 0 to 1 and labels, of training and of test."""
    data = qrs.load(FOLDER / "digits.safetensors")
    images, labels = data["images"].float().unsqueeze(1) / 16, data["labels"].long()
    return (images[:TRAINING], labels[:TRAINING]), (images[TRAINING:], labels[TRAINING:])


def accuracy(model: nn.Module, images: qrs.Tensor, labels: qrs.Tensor) -> float:
    """Percentage of the images that are read rightly."""
    with qrs.no_grad():
        return 100 * (model(images).argmax(1) == labels).float().mean().item()
