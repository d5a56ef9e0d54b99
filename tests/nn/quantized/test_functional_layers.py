"""Quantized convolutions and linear layers as functions."""

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError
from qrs.nn import quantized as nnq
from qrs.nn.quantized import functional as QF


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_is_the_module(rank: int) -> None:
    x = qrs.quantize_per_tensor(qrs.rand(2, 4, *[6, 5, 4][:rank]), 0.01, 30, qrs.quint8)
    w = qrs.quantize_per_tensor(qrs.randn(6, 2, *[3, 2, 2][:rank]), 0.02, 0, qrs.qint8)
    b = qrs.randn(6)
    layer = getattr(nnq, f"Conv{rank}d")(4, 6, w.shape[2:], 2, 1, groups=2)
    layer.set_weight_bias(w, b)
    layer.scale, layer.zero_point = 0.1, 80
    conv = getattr(QF, f"conv{rank}d")
    y = conv(x, w, b, stride=2, padding=1, groups=2, scale=0.1, zero_point=80)
    assert y.equal(layer(x))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_transpose_is_the_module(rank: int) -> None:
    x = qrs.quantize_per_tensor(qrs.rand(2, 4, *[6, 5, 4][:rank]), 0.01, 30, qrs.quint8)
    w = qrs.quantize_per_channel(
        qrs.randn(4, 3, *[3, 2, 2][:rank]),
        qrs.tensor([0.01, 0.02, 0.03]),
        qrs.zeros(3, dtype=qrs.int64),
        1,
        qrs.qint8,
    )
    b = qrs.randn(6)
    layer = getattr(nnq, f"ConvTranspose{rank}d")(4, 6, w.shape[2:], 3, 1, 2, 2, dilation=2)
    layer.set_weight_bias(w, b)
    layer.scale, layer.zero_point = 0.1, 80
    conv = getattr(QF, f"conv_transpose{rank}d")
    settings = {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2, "dilation": 2}
    assert conv(x, w, b, **settings, scale=0.1, zero_point=80).equal(layer(x))


def test_linear_takes_its_output_from_the_input_by_default() -> None:
    x = qrs.quantize_per_tensor(qrs.rand(2, 4), 0.01, 30, qrs.quint8)
    w = qrs.quantize_per_tensor(qrs.randn(6, 4), 0.02, 0, qrs.qint8)
    y = QF.linear(x, w)
    assert (y.q_scale(), y.q_zero_point()) == (0.01, 30)
    layer = nnq.Linear(4, 6, bias_=False)
    layer.set_weight_bias(w, None)
    layer.scale, layer.zero_point = 0.01, 30
    assert y.equal(layer(x))


def test_signed_inputs_give_signed_outputs() -> None:
    x = qrs.quantize_per_tensor(qrs.rand(2, 4), 0.01, -30, qrs.qint8)
    w = qrs.quantize_per_tensor(qrs.randn(6, 4), 0.02, 0, qrs.qint8)
    assert QF.linear(x, w, scale=0.1, zero_point=-3).dtype is qrs.qint8


def test_floats_are_refused_by_name() -> None:
    w = qrs.quantize_per_tensor(qrs.ones(2, 2), 0.5, 0, qrs.qint8)
    with pytest.raises(DtypeError, match=r"quantized\.linear: a float tensor"):
        QF.linear(qrs.ones(1, 2), w)
    x = qrs.quantize_per_tensor(qrs.ones(1, 2), 0.5, 0, qrs.quint8)
    with pytest.raises(DtypeError, match=r"quantized\.conv_transpose1d: a float tensor"):
        QF.conv_transpose1d(qrs.ones(1, 2, 3), w)
    with pytest.raises(DtypeError, match=r"quantized\.linear: weight is a Tensor"):
        QF.linear(x, qrs.ones(2, 2))


def test_weights_and_biases_that_do_not_fit_are_refused() -> None:
    x, w = (qrs.quantize_per_tensor(qrs.ones(2, 2), 0.5, 0, k) for k in (qrs.quint8, qrs.qint8))
    with pytest.raises(DtypeError, match=r"bias: a numpy\.ndarray came.*with qrs\.as_tensor"):
        QF.linear(x, w, np.ones(2, np.float32))
    with pytest.raises(ShapeError, match=r"linear: weight of shape \(2,\) came, expected 2 dim"):
        QF.linear(x, w[0])
    for call in (QF.conv2d, QF.conv_transpose2d):
        with pytest.raises(ShapeError, match=r"2d: weight of shape \(2, 2\) came, expected 4 dim"):
            call(x, w, None)
