"""A float module and an input shape for every row of the swap table that has a static form."""

from collections.abc import Callable

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import intrinsic as nni
from qrs.nn import quantized as nnq
from qrs.quantization.swaps import SWAPS

__all__ = ["ENGINES", "SAMPLES", "calibrated", "converted", "data"]

ENGINES = ["qrs", "fbgemm", "qnnpack"]


class Sum(nn.Module):
    """A `FloatFunctional` at work."""

    def __init__(self) -> None:
        super().__init__()
        self.functional = nnq.FloatFunctional()

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.functional.add(x, x)


def trained(norm: nn.Module) -> nn.Module:
    """A normalisation whose parameters and statistics are not those it starts with."""
    for tensor in [*norm.parameters(), *norm.buffers()]:
        if tensor.is_floating_point():
            tensor.data.copy_(qrs.rand(*tensor.shape) + 0.5)
    return norm


def conv_relu(rank: int) -> nn.Module:
    conv = getattr(nn, f"Conv{rank}d")(3, 6, 3, padding=1, bias=False)
    return getattr(nni, f"ConvReLU{rank}d")(conv, nn.ReLU())


SAMPLES: dict[type, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    Q.QuantStub: (nn.Identity, (4, 3)),
    Q.DeQuantStub: (nn.Identity, (4, 3)),
    nnq.FloatFunctional: (Sum, (4, 3)),
    nn.Linear: (lambda: nn.Linear(7, 5), (4, 2, 7)),
    nni.LinearReLU: (lambda: nni.LinearReLU(nn.Linear(7, 5, bias=False), nn.ReLU()), (4, 7)),
    nn.Conv1d: (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9)),
    nn.Conv2d: (lambda: nn.Conv2d(3, 6, (3, 2), dilation=2), (2, 3, 9, 7)),
    nn.Conv3d: (lambda: nn.Conv3d(3, 4, 2), (2, 3, 4, 5, 4)),
    nn.ConvTranspose1d: (lambda: nn.ConvTranspose1d(3, 4, 3, 2), (2, 3, 5)),
    nn.ConvTranspose2d: (
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, padding=1, output_padding=1, groups=2),
        (2, 4, 5, 4),
    ),
    nn.ConvTranspose3d: (lambda: nn.ConvTranspose3d(3, 4, 2), (2, 3, 3, 2, 3)),
    nni.ConvReLU1d: (lambda: conv_relu(1), (2, 3, 8)),
    nni.ConvReLU2d: (lambda: conv_relu(2), (2, 3, 8, 6)),
    nni.ConvReLU3d: (lambda: conv_relu(3), (2, 3, 4, 3, 4)),
    nn.BatchNorm1d: (lambda: trained(nn.BatchNorm1d(3)), (4, 3, 5)),
    nn.BatchNorm2d: (lambda: trained(nn.BatchNorm2d(3)), (4, 3, 5, 2)),
    nn.BatchNorm3d: (lambda: trained(nn.BatchNorm3d(3)), (2, 3, 2, 4, 2)),
    nni.BNReLU1d: (lambda: nni.BNReLU1d(trained(nn.BatchNorm1d(3)), nn.ReLU()), (4, 3, 5)),
    nni.BNReLU2d: (lambda: nni.BNReLU2d(trained(nn.BatchNorm2d(3)), nn.ReLU()), (4, 3, 5, 2)),
    nni.BNReLU3d: (lambda: nni.BNReLU3d(trained(nn.BatchNorm3d(3)), nn.ReLU()), (2, 3, 2, 4, 2)),
    nn.LayerNorm: (lambda: trained(nn.LayerNorm((4, 6))), (3, 4, 6)),
    nn.GroupNorm: (lambda: trained(nn.GroupNorm(2, 6)), (3, 6, 4, 5)),
    nn.InstanceNorm1d: (lambda: nn.InstanceNorm1d(3), (2, 3, 16)),
    nn.InstanceNorm2d: (lambda: trained(nn.InstanceNorm2d(3, affine=True)), (2, 3, 5, 4)),
    nn.InstanceNorm3d: (
        lambda: trained(nn.InstanceNorm3d(3, track_running_stats=True)),
        (2, 3, 3, 4, 2),
    ),
    nn.CELU: (lambda: nn.CELU(0.5), (4, 30)),
    nn.ELU: (lambda: nn.ELU(0.5), (4, 30)),
    nn.GELU: (lambda: nn.GELU("tanh"), (4, 30)),
    nn.Hardswish: (nn.Hardswish, (4, 30)),
    nn.LeakyReLU: (lambda: nn.LeakyReLU(0.2), (4, 30)),
    nn.ReLU6: (nn.ReLU6, (4, 30)),
    nn.SiLU: (nn.SiLU, (4, 30)),
}

# Their inputs are indices: they have tests of their own.
LOOKUPS = {nn.Embedding, nn.EmbeddingBag}
missing = {row.float for row in SWAPS if row.static and not row.qat} - {*SAMPLES, *LOOKUPS}
assert not missing, f"rows of the swap table without a sample: {missing}"


def data(shape: tuple[int, ...]) -> qrs.Tensor:
    """Random values, some beyond 6."""
    return qrs.randn(*shape) * 3


def calibrated(
    float_module: nn.Module, x: qrs.Tensor, qconfig: Q.QConfig | None = None
) -> nn.Module:
    """The module between stubs, prepared and run once."""
    model = nn.Sequential(Q.QuantStub(), float_module, Q.DeQuantStub()).eval()
    model.qconfig = qconfig or Q.get_default_qconfig()
    prepared = Q.prepare(model)
    prepared(x)
    return prepared


def converted(
    float_module: nn.Module, x: qrs.Tensor, qconfig: Q.QConfig | None = None
) -> nn.Module:
    """The same, converted."""
    return Q.convert(calibrated(float_module, x, qconfig))
