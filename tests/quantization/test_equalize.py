"""Cross-layer equalization: the same function, ranges made equal, less lost in int8."""

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import NonFiniteError, QrsError, ShapeError, UnsupportedLayerError
from qrs.nn import intrinsic as nni
from qrs.quantization._equalize import (
    channel_range,
    converged,
    cross_layer_equalization,
    equalize,
)

PER_TENSOR = Q.QConfig(activation=Q.HistogramObserver, weight=Q.default_weight_observer)


def linear(weight: list[list[float]], bias: list[float] | None = None) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight), bias=bias is not None)
    with qrs.no_grad():
        layer.weight.copy_(qrs.tensor(weight))
        if bias is not None:
            layer.bias.copy_(qrs.tensor(bias))
    return layer


def test_numbers_of_pytorch() -> None:
    first, second = linear([[1, 2], [0.1, 0.3]], [1, -1]), linear([[0.5, 4], [0.25, -2]], [0, 0])
    cross_layer_equalization(first, second)
    for got, wanted in [
        (first.weight, [[0.5, 1], [0.5477225184, 1.6431676149]]),
        (first.bias, [0.5, -5.4772253036]),
        (second.weight, [[1, 0.7302967906], [0.5, -0.3651483953]]),
    ]:
        np.testing.assert_allclose(got.tolist(), wanted, rtol=1e-6)


def test_ranges_of_channels() -> None:
    x = qrs.tensor([[[1.0, 2.0], [0.0, 5.0]], [[-1.0, 1.0], [2.0, 2.0]]])
    assert channel_range(x).tolist() == [5.0, 3.0]
    assert channel_range(x, 1).tolist() == [3.0, 5.0]


def chain() -> nn.Sequential:
    """Dense, depthwise and grouped convolutions in a row, fused and not, with skewed channels."""
    model = nn.Sequential(
        nni.ConvReLU2d(nn.Conv2d(3, 8, 3), nn.ReLU()),
        nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, groups=4),
        nn.ReLU(),
        nn.Conv2d(12, 6, 1, groups=2),
    ).eval()
    with qrs.no_grad():
        for layer in (model[0][0], model[3]):
            shape = (-1, 1, 1, 1)
            layer.weight.mul_(qrs.logspace(-1.5, 1.5, layer.out_channels).reshape(shape))
    return model


PAIRS = [["0", "1"], ["1", "3"], ["3", "5"]]


def test_the_function_stays() -> None:
    model, x = chain(), qrs.randn(4, 3, 12, 12)
    before = model(x)
    after = equalize(model, PAIRS)(x)
    assert (after - before).abs().max().item() < 1e-5 * before.abs().max().item()


def test_ranges_are_equal_at_the_end() -> None:
    model = equalize(chain(), PAIRS)
    depthwise = channel_range(model[1].weight)
    np.testing.assert_allclose(channel_range(model[0][0].weight), depthwise, rtol=1e-3)
    # Six outputs in two groups of six inputs each.
    inputs = model[5].weight.reshape(2, 3, 6).transpose(1, 2).reshape(12, 3)
    np.testing.assert_allclose(
        channel_range(model[3].weight).tolist(), channel_range(inputs).tolist(), rtol=1e-3
    )


def test_in_place_or_not() -> None:
    model = chain()
    weight = model[0][0].weight.tolist()
    other = equalize(model, PAIRS, inplace=False)
    assert model[0][0].weight.tolist() == weight
    assert other[0][0].weight.tolist() != weight
    assert equalize(model, PAIRS) is model
    assert model[0][0].weight.tolist() == other[0][0].weight.tolist()


def test_accuracy_of_a_skewed_net_with_one_scale() -> None:
    def error(model: nn.Module) -> float:
        wrapped = Q.QuantWrapper(model)
        wrapped.qconfig = PER_TENSOR
        prepared = Q.prepare(wrapped.eval())
        Q.calibrate(prepared, [x])
        return ((Q.convert(prepared)(x) - model(x)).norm() / model(x).norm()).item()

    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)).eval()
    skew = qrs.logspace(-2, 2, 32)
    with qrs.no_grad():
        # The same function as without the skew.
        model[0].weight.mul_(skew.reshape(-1, 1))
        model[0].bias.mul_(skew)
        model[2].weight.div_(skew)
    x = qrs.randn(256, 16)
    skewed = error(model)
    equal = error(equalize(model, [["0", "2"]], inplace=False))
    assert skewed > 0.2
    assert equal < 0.03


def test_channels_without_range_stay() -> None:
    first, second = linear([[0, 0], [1, 2]], [3, 4]), linear([[1, 0.5], [2, 0.25]])
    cross_layer_equalization(first, second)
    assert first.weight[0].tolist() == [0, 0]
    assert first.bias[0].item() == 3
    assert second.weight[:, 0].tolist() == [1, 2]
    assert np.isfinite(second.weight.tolist()).all()


def test_converged() -> None:
    layer, other = linear([[1.0]]), linear([[1.5]])
    assert not converged({"a": layer}, {"a": None})
    assert not converged({"a": layer}, {"a": other})
    assert converged({"a": layer}, {"a": other}, threshold=0.6)
    with pytest.raises(ValueError, match="the same names"):
        converged({"a": layer}, {"b": layer})


def test_without_pairs_nothing_happens() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    assert equalize(model, []) is model


def test_an_endless_round_is_reported(monkeypatch) -> None:
    monkeypatch.setattr("qrs.quantization._equalize._MOST_ROUNDS", 1)
    with pytest.warns(UserWarning, match="still changing after 1 rounds"):
        equalize(chain(), PAIRS, threshold=1e-12)


@pytest.mark.parametrize(
    ("pair", "kind", "message"),
    [
        (["0", "missing"], AttributeError, "no module 'missing'"),
        (["0", "2"], UnsupportedLayerError, "a ReLU came, expected one of Conv1d"),
        ("conv1", ValueError, r"'conv1' came as a pair, expected two dotted names"),
        (["0", "2", "5"], ValueError, "came as a pair, expected two dotted names"),
        (["0", "5"], ShapeError, r"\(ConvReLU2d\) has 8 output channels, the second .* 12 input"),
    ],
)
def test_wrong_pairs(pair: list[str], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        equalize(chain(), [pair])


def test_a_model_that_was_calibrated_or_converted_is_refused() -> None:
    model = nn.Sequential(Q.QuantStub(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    model.qconfig = Q.default_qconfig
    prepared = Q.prepare(model)
    prepared(qrs.randn(4, 3))
    with pytest.raises(QrsError, match=r"equalize: 1 has an observer.*before prepare"):
        equalize(prepared, [["1", "3"]])
    with pytest.raises(QrsError, match=r"equalize: 1 is a QuantizedLinear.*before convert"):
        equalize(Q.convert(prepared), [["1", "3"]])


def test_nan_raises() -> None:
    with pytest.raises(NonFiniteError, match="NaN or infinity came in a weight"):
        cross_layer_equalization(linear([[float("nan")]]), linear([[1.0]]))
