"""Quantized normalisations: what holds for each of them is in test_static_modules."""

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs.errors import ShapeError, UnsupportedLayerError
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import quantized as nniq

from .samples import converted, data, trained


def test_batch_norm_by_formula() -> None:
    layer = nnq.BatchNorm2d(2)
    layer.load_state_dict(
        {
            "weight": qrs.tensor([1.5, 0.5]),
            "bias": qrs.tensor([0.1, -0.2]),
            "running_mean": qrs.tensor([0.3, -0.1]),
            "running_var": qrs.tensor([0.8, 1.2]),
            "num_batches_tracked": qrs.tensor(1),
            "scale": qrs.tensor(0.03),
            "zero_point": qrs.tensor(100),
        }
    )
    ints = np.array([204, 211, 134, 44, 24, 92, 186, 219], np.uint8).reshape(1, 2, 2, 2)
    x = qrs.QTensor.from_ints(ints, 0.02, 120, qrs.quint8)
    # Measured from PyTorch 1.8.1.
    expected = [180, 188, 102, 2, 66, 86, 115, 125]
    assert layer(x).int_repr().flatten().tolist() == expected
    relu = nniq.BNReLU2d(2)
    relu.load_state_dict(layer.state_dict())
    assert relu(x).int_repr().flatten().tolist() == [max(q, 100) for q in expected]


def test_layer_norm_by_formula() -> None:
    weight, bias = qrs.tensor([1.0, 1.5, 0.5, 2.0]), qrs.tensor([0.0, 0.1, 0.2, 0.3])
    layer = nnq.LayerNorm(4, weight, bias, 0.03, 100)
    ints = np.array([[204, 211, 134, 44], [24, 92, 186, 219]], np.uint8)
    y = layer(qrs.QTensor.from_ints(ints, 0.02, 120, qrs.quint8))
    # Measured from PyTorch 1.8.1.
    assert y.int_repr().flatten().tolist() == [128, 150, 103, 7, 54, 79, 119, 187]


def test_names_in_the_state_dict_are_those_of_the_float_module() -> None:
    extra = {"scale", "zero_point", "output_dtype"}
    for cls, args in [(nn.BatchNorm2d, (3,)), (nn.LayerNorm, (3,)), (nn.GroupNorm, (1, 3))]:
        float_module = cls(*args)
        shape = (2, 3, 4, 3)
        state = converted(float_module, data(shape))[1].state_dict()
        assert set(state) == {*float_module.state_dict(), *extra}


def test_running_statistics_of_instance_norm_count() -> None:
    float_module = trained(nn.InstanceNorm1d(3, track_running_stats=True)).eval()
    x = data((2, 3, 8))
    expected = float_module(x).numpy()
    assert np.abs(converted(float_module, x)(x).numpy() - expected).max() < 0.1


def test_instance_norm_takes_one_sample_without_a_batch() -> None:
    x = data((2, 3, 8, 5))
    model = converted(nn.InstanceNorm2d(3), x)
    assert qrs.equal(model(x[0]), model(x)[0])


def test_missing_parameters_stay_missing() -> None:
    x = data((2, 3, 8, 5))
    model = converted(nn.GroupNorm(3, 3, affine=False), x)
    assert model[1].weight is None
    assert "1.weight" not in model.state_dict()


def test_wrong_ranks_are_refused() -> None:
    x = qrs.quantize_per_tensor(qrs.ones(2, 3), 0.5, 0, qrs.quint8)
    with pytest.raises(ShapeError, match=r"QuantizedBatchNorm2d: input of shape .* 4 dimensions"):
        nnq.BatchNorm2d(3)(x)


def test_from_float_wants_the_float_class() -> None:
    with pytest.raises(TypeError, match="a Linear came, expected a LayerNorm"):
        nnq.LayerNorm.from_float(nn.Linear(2, 2))


@pytest.mark.parametrize("rank", ["1d", "2d", "3d"])
def test_batch_norm_without_running_statistics_has_no_quantized_form(rank: str) -> None:
    """Its output depends on the whole batch, in evaluation too."""
    layer = getattr(nn, f"BatchNorm{rank}")(3, track_running_stats=False)
    x = data((2, 3, *[4] * int(rank[0])))
    with pytest.raises(
        UnsupportedLayerError, match=r"without running statistics .*qconfig to None"
    ):
        converted(layer, x)
