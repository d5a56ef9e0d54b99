"""Bias correction takes the shift of the mean away that rounding the weights brings."""

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import intrinsic as nni
from qrs.nn import quantized as nnq
from qrs.quantization._correct_bias import (
    MeanShadowLogger,
    bias_correction,
    get_module,
    get_param,
    parent_child_names,
)

# Weights of 4 bits: rounding shifts means by something that can be seen.
COARSE = Q.QConfig(
    activation=Q.MinMaxObserver,
    weight=Q.PerChannelMinMaxObserver.with_args(
        dtype=qrs.qint8, qscheme=qrs.per_channel_symmetric, quant_min=-7, quant_max=7
    ),
)


def images(count: int = 4) -> list[qrs.Tensor]:
    return [qrs.rand(16, 3, 8, 8) for _ in range(count)]


def pair(fused: bool) -> tuple[nn.Module, nn.Module]:
    model = nn.Sequential(
        Q.QuantStub(),
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 6),
        Q.DeQuantStub(),
    ).eval()
    if fused:
        model = Q.fuse_modules(model, [["1", "2"], ["3", "4"]])
    model.qconfig = COARSE
    prepared = Q.prepare(model)
    Q.calibrate(prepared, images())
    return model, Q.convert(prepared)


def shift(model: nn.Module, small: nn.Module) -> float:
    """How far the means of the outputs have moved, on data that was used for nothing else."""
    x = qrs.rand(256, 3, 8, 8)
    return (small(x) - model(x)).mean(0).abs().max().item()


@pytest.mark.parametrize("fused", [False, True])
def test_the_shift_of_the_mean_shrinks(fused: bool) -> None:
    model, small = pair(fused)
    kinds = [type(module) for module in small.modules()]
    before = shift(model, small)
    bias_correction(model, small, images())
    assert shift(model, small) < 0.35 * before
    assert [type(module) for module in small.modules()] == kinds


def test_one_layer_is_exact() -> None:
    model = nn.Sequential(Q.QuantStub(), nn.Linear(8, 4), Q.DeQuantStub()).eval()
    model.qconfig = COARSE
    prepared = Q.prepare(model)
    data = [qrs.rand(32, 5, 8) for _ in range(3)]
    Q.calibrate(prepared, data)
    small = Q.convert(prepared)
    error = qrs.cat([small(x) - model(x) for x in data])
    bias_correction(model, small, data)
    left = qrs.cat([small(x) - model(x) for x in data])
    # Three-dimensional inputs too: the channels of a linear layer are on its last axis.
    assert left.mean((0, 1)).abs().max().item() < 0.1 * error.mean((0, 1)).abs().max().item()


@pytest.mark.parametrize(
    "wrap",
    [list, iter, lambda data: ((x, 0) for x in data), lambda data: [x.numpy() for x in data]],
)
def test_any_iterable_of_inputs_or_of_pairs(wrap) -> None:
    model, small = pair(fused=True)
    data = images()
    before = [small[i].bias().tolist() for i in (1, 3, 6)]
    bias_correction(model, small, wrap(data))
    after = [small[i].bias().tolist() for i in (1, 3, 6)]
    assert all(a != b for a, b in zip(before, after, strict=True))


def test_so_many_batches_only() -> None:
    model, small = pair(fused=True)
    calls = []
    small[0].register_forward_hook(lambda *_: calls.append(1))
    bias_correction(model, small, images(), neval_batches=2)
    assert len(calls) == 2 * 3


def test_only_the_types_asked_for() -> None:
    model, small = pair(fused=True)
    before = small[1].bias().tolist(), small[6].bias().tolist()
    bias_correction(model, small, images(), target_modules={nnq.Linear})
    assert small[1].bias().tolist() == before[0]
    assert small[6].bias().tolist() != before[1]


def test_nothing_to_correct_or_to_run_raises() -> None:
    model, small = pair(fused=True)
    with pytest.raises(ValueError, match="has no ConvTranspose1d with a bias"):
        bias_correction(model, small, images(), target_modules={nnq.ConvTranspose1d})
    with pytest.raises(ValueError, match="no batch came"):
        bias_correction(model, small, [])
    with pytest.raises(TypeError, match=r"bias_correction: one Tensor came as data"):
        bias_correction(model, small, images()[0])
    assert not any(isinstance(m, MeanShadowLogger) for m in small.modules())


def test_means_over_batches_of_different_sizes() -> None:
    logger = MeanShadowLogger()
    parts = [qrs.randn(2, 3, 4, 4), qrs.randn(5, 3, 2, 7)]
    for part in parts:
        logger(qrs.quantize_per_tensor(part, 0.01, 128, qrs.quint8), part)
    flat = np.concatenate([part.transpose(0, 1).reshape(3, -1).numpy() for part in parts], axis=1)
    np.testing.assert_allclose(logger.stats["float"].numpy(), flat.mean(1), rtol=1e-6)
    logger.clear()
    assert logger.stats["float"] is None
    with pytest.raises(qrs.ShapeError, match=r"\(2, 3\) and \(2, 4\)"):
        logger(qrs.ones(2, 3), qrs.ones(2, 4))


def test_helpers() -> None:
    model = nn.Sequential(nni.LinearReLU(nn.Linear(2, 3), nn.ReLU()))
    assert get_module(model, "0.0") is model[0][0]
    assert parent_child_names("0.0") == ("0", "0")
    assert get_param(model[0][0], "bias") is model[0][0].bias
    layer = nnq.Linear(2, 3)
    assert get_param(layer, "bias").equal(layer.bias())
    assert get_param(layer, "scales") is None
