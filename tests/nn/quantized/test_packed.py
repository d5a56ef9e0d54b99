"""Weights that no kernel could use are refused, and the layer stays as it was."""

from collections.abc import Callable

import pytest

import qrs
from qrs import nn
from qrs.errors import DtypeError, ShapeError, StateDictError
from qrs.nn import quantized as nnq
from qrs.nn.quantized import dynamic as nnqd

F = nnq.functional
# Square, so that only the axis of the scales is wrong.
LAYERS = {
    "Linear": (lambda: nnq.Linear(3, 3), (3, 3), 0),
    "dynamic Linear": (lambda: nnqd.Linear(3, 3), (3, 3), 0),
    "Conv1d": (lambda: nnq.Conv1d(3, 3, 1), (3, 3, 1), 0),
    "Conv2d": (lambda: nnq.Conv2d(3, 3, 1), (3, 3, 1, 1), 0),
    "ConvTranspose2d": (lambda: nnq.ConvTranspose2d(3, 3, 1), (3, 3, 1, 1), 1),
}


def weight(shape: tuple[int, ...], axis: int, zero_points: qrs.Tensor) -> qrs.QTensor:
    scales = qrs.tensor([0.1, 0.2, 0.05])
    return qrs.quantize_per_channel(qrs.randn(*shape), scales, zero_points, axis, qrs.qint8)


@pytest.mark.parametrize("name", LAYERS)
def test_scales_along_another_axis_are_refused(name: str) -> None:
    make, shape, axis = LAYERS[name]
    layer = make()
    good, bad = (weight(shape, a, qrs.tensor([0, 1, 2])) for a in (axis, 1 - axis))
    layer.set_weight_bias(good, qrs.zeros(3))
    words = f"weight: scales along axis {1 - axis} came, expected axis {axis}, the output channels"
    with pytest.raises(ShapeError, match=words):
        layer.set_weight_bias(bad, qrs.ones(3))
    assert layer.weight().equal(good)
    assert layer.bias().abs().max().item() == 0
    with pytest.raises(StateDictError, match=words):
        layer.load_state_dict({**layer.state_dict(), "weight": bad})


@pytest.mark.parametrize("name", LAYERS)
def test_float_zero_points_are_refused(name: str) -> None:
    make, shape, axis = LAYERS[name]
    with pytest.raises(DtypeError, match="float zero points came, expected integer ones"):
        make().set_weight_bias(weight(shape, axis, qrs.tensor([0.5, 1.0, 2.0])), qrs.zeros(3))


def test_functions_refuse_them_too() -> None:
    x = qrs.quantize_per_tensor(qrs.randn(2, 3), 0.05, 128, qrs.quint8)
    with pytest.raises(ShapeError, match="scales along axis 1 came"):
        F.linear(x, weight((3, 3), 1, qrs.tensor([0, 0, 0])), None, 0.05, 128)
    with pytest.raises(ShapeError, match="scales along axis 1 came"):
        F.conv2d(x.reshape(2, 3, 1, 1), weight((3, 3, 1, 1), 1, qrs.tensor([0, 0, 0])), None)


def test_weights_of_recurrent_layers_are_checked() -> None:
    model = nn.Sequential(nn.LSTM(8, 2))
    layer = qrs.quantization.quantize_dynamic(model)[0]
    state = layer.state_dict()
    scales, points = qrs.full((8,), 0.1), qrs.zeros(8, dtype=qrs.int64)
    state["weight_ih_l0"] = qrs.quantize_per_channel(qrs.randn(8, 8), scales, points, 1, qrs.qint8)
    with pytest.raises(StateDictError, match="scales along axis 1 came"):
        layer.load_state_dict(state)


@pytest.mark.parametrize("make", [lambda: nnq.Linear(3, 3), lambda: nnqd.Linear(3, 3)])
def test_what_is_computed_is_what_is_saved(make: Callable[[], nn.Module]) -> None:
    layer = make()
    layer.set_weight_bias(layer.weight(), qrs.tensor([1.0, -2.0, 3.0]))
    with qrs.no_grad():
        layer.bias().zero_()
        layer.state_dict()["bias"].mul_(2.0)
    assert layer.bias().tolist() == [1, -2, 3]
    assert layer.state_dict()["bias"].tolist() == [1, -2, 3]
