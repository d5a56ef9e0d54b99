"""Quantized layers with a ReLU: the layer without, cut at its zero point."""

import pytest

import qrs
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import quantized as nniq

PAIRS = [
    (nniq.LinearReLU, nnq.Linear, (4, 3), (2, 4)),
    (nniq.ConvReLU1d, nnq.Conv1d, (4, 3, 2), (2, 4, 5)),
    (nniq.ConvReLU2d, nnq.Conv2d, (4, 3, 2), (2, 4, 5, 3)),
    (nniq.ConvReLU3d, nnq.Conv3d, (4, 3, 2), (2, 4, 5, 3, 2)),
    (nniq.BNReLU1d, nnq.BatchNorm1d, (4,), (2, 4, 5)),
    (nniq.BNReLU2d, nnq.BatchNorm2d, (4,), (2, 4, 5, 3)),
    (nniq.BNReLU3d, nnq.BatchNorm3d, (4,), (2, 4, 5, 3, 2)),
]


@pytest.mark.parametrize(("cls", "plain", "sizes", "shape"), PAIRS)
def test_relu_is_a_cut_at_the_zero_point(
    cls: type, plain: type, sizes: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    qrs.manual_seed(0)
    first, second = cls(*sizes), plain(*sizes)
    if hasattr(first, "set_weight_bias"):
        weight = qrs.quantize_per_tensor(qrs.randn(*first.weight().shape), 0.02, 0, qrs.qint8)
        for layer in (first, second):
            layer.set_weight_bias(weight, qrs.zeros(3))
    for layer in (first, second):
        layer.scale, layer.zero_point = 0.1, 60
    x = qrs.quantize_per_tensor(qrs.randn(*shape), 0.05, 100, qrs.quint8)
    cut = second(x).relu()
    assert not cut.equal(second(x))
    assert first(x).equal(cut)
    assert repr(first).startswith(f"Quantized{cls.__name__}(")


def test_the_cut_follows_an_assigned_zero_point() -> None:
    layer = nniq.LinearReLU(1, 1)
    layer.set_weight_bias(qrs.quantize_per_tensor(-qrs.ones(1, 1), 1.0, 0, qrs.qint8), qrs.zeros(1))
    x = qrs.quantize_per_tensor(qrs.ones(1, 1), 1.0, 0, qrs.quint8)
    layer.zero_point = 7
    assert layer(x).int_repr().item() == 7
