"""Fused layers with a batch normalisation in quantization-aware training."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn.intrinsic import qat as nniqat

QCONFIG = Q.get_default_qat_qconfig("qrs")


def layer(**settings: Any) -> nniqat.ConvBn2d:
    made = nniqat.ConvBn2d(2, 3, 3, qconfig=QCONFIG, **settings)
    with qrs.no_grad():
        made.bn.running_mean.uniform_(-1, 1)
        made.bn.running_var.uniform_(0.5, 2)
        made.bn.weight.uniform_(0.5, 2)
    return made


class TestFreezing:
    def test_frozen_statistics_are_used_and_kept_through_train(self) -> None:
        one = layer()
        x = qrs.randn(4, 2, 5, 5)
        one.apply(Q.disable_observer)
        expected = one.eval()(x)
        assert one.train().freeze_bn_stats() is one
        mean = one.bn.running_mean.clone()
        assert qrs.equal(one.train()(x), expected)
        assert qrs.equal(one.bn.running_mean, mean)
        assert one.training
        assert not one.bn.training

    def test_update_takes_the_batch_again(self) -> None:
        one = layer(freeze_bn=True)
        assert not one.bn.training
        assert one.update_bn_stats() is one
        mean = one.bn.running_mean.clone()
        one(qrs.randn(4, 2, 5, 5))
        assert not qrs.equal(one.bn.running_mean, mean)

    @pytest.mark.parametrize("function", ["freeze_bn_stats", "update_bn_stats"])
    def test_functions_for_apply_reach_every_layer(self, function: str) -> None:
        kinds = [nniqat.ConvBn2d, nniqat.ConvBnReLU2d]
        model = nn.Sequential(*(kind(2, 2, 1, qconfig=QCONFIG) for kind in kinds), nn.ReLU())
        model.append(nniqat.LinearBn1d(2, 2, qconfig=QCONFIG))
        freeze = function == "freeze_bn_stats"
        model.apply(nniqat.update_bn_stats if freeze else nniqat.freeze_bn_stats)
        model.apply(getattr(nniqat, function))
        assert [model[i].freeze_bn for i in (0, 1, 3)] == [freeze] * 3

    def test_resetting(self) -> None:
        one = layer()
        one.reset_running_stats()
        assert one.bn.running_mean.tolist() == [0.0] * 3
        assert one.bn.weight.tolist() != [1.0] * 3
        one.reset_bn_parameters()
        assert one.bn.weight.tolist() == [1.0] * 3


class TestZeroGamma:
    """A channel that the normalisation multiplies by zero."""

    def test_output_is_beta_and_the_other_channels_do_not_notice(self) -> None:
        one, other = layer(), layer()
        other.load_state_dict(one.state_dict())
        with qrs.no_grad():
            one.bn.weight[1] = 0.0
            one.bn.bias[1] = 0.75
        x = qrs.randn(4, 2, 5, 5)
        for mode in (True, False):
            y, expected = one.train(mode)(x), other.train(mode)(x)
            assert y[:, 1].unique().tolist() == [0.75]
            np.testing.assert_allclose(
                y[:, ::2].detach().numpy(), expected[:, ::2].detach().numpy(), rtol=1e-5, atol=1e-6
            )

    def test_gradients_are_those_of_the_float_layers(self) -> None:
        one = layer()
        with qrs.no_grad():
            one.bn.weight[1] = 0.0
        conv = nn.Conv2d(2, 3, 3, bias=False)
        bn = nn.BatchNorm2d(3)
        conv.weight.data = one.weight.detach().clone()
        bn.load_state_dict(one.bn.state_dict())
        x, weights = qrs.randn(4, 2, 5, 5), qrs.randn(4, 3, 3, 3)
        one.apply(Q.disable_fake_quant)
        (one(x) * weights).sum().backward()
        (bn(conv(x)) * weights).sum().backward()
        np.testing.assert_allclose(
            one.bn.weight.grad.numpy(), bn.weight.grad.numpy(), rtol=1e-4, atol=1e-4
        )
        assert one.weight.grad[1].abs().max().item() == 0.0

    def test_it_converts(self) -> None:
        one = layer()
        with qrs.no_grad():
            one.bn.weight[1] = 0.0
        model = nn.Sequential(Q.QuantStub(), one, Q.DeQuantStub())
        model.qconfig = QCONFIG
        prepared = Q.prepare(model, observer_non_leaf_module_list={nniqat.ConvBn2d})
        prepared(qrs.randn(4, 2, 5, 5))
        converted = Q.convert(prepared.eval())
        assert converted[1].weight().int_repr()[1].abs().max().item() == 0


def test_folded_layer_computes_what_the_pair_does() -> None:
    one = layer(bias=True)
    weight, bias = one.folded()
    x = qrs.randn(4, 2, 5, 5)
    one.apply(Q.disable_fake_quant)
    np.testing.assert_allclose(
        nn.functional.conv2d(x, weight, bias).numpy(),
        one.eval()(x).detach().numpy(),
        rtol=1e-4,
        atol=1e-5,
    )
    assert not weight.requires_grad


def test_entries_of_the_first_layout_are_read() -> None:
    one, other = layer(), layer()
    state = one.state_dict()
    old = {
        {
            "bn.weight": "gamma",
            "bn.bias": "beta",
            "bn.running_mean": "running_mean",
            "bn.running_var": "running_var",
            "bn.num_batches_tracked": "num_batches_tracked",
        }.get(key, key): value
        for key, value in state.items()
    }
    other.load_state_dict(old)
    assert all(
        qrs.equal(a, b) for a, b in zip(state.values(), other.state_dict().values(), strict=True)
    )


def test_state_dict_has_pytorchs_order() -> None:
    assert list(layer().state_dict())[:8] == [
        "weight",
        "bn.weight",
        "bn.bias",
        "bn.running_mean",
        "bn.running_var",
        "bn.num_batches_tracked",
        "weight_fake_quant.fake_quant_enabled",
        "weight_fake_quant.observer_enabled",
    ]


def test_static_quantization_folds_a_layer_that_was_fused_for_training() -> None:
    model = nn.Sequential(Q.QuantStub(), nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), Q.DeQuantStub())
    with qrs.no_grad():
        model[2].running_mean.uniform_(-1, 1)
    fused = Q.fuse_modules(model.train(), ["1", "2"]).eval()
    fused.qconfig = Q.get_default_qconfig()
    prepared = Q.prepare(fused)
    x = qrs.randn(8, 2, 6, 6)
    expected = prepared(x)
    converted = Q.convert(prepared)
    assert type(converted[1]) is nn.quantized.Conv2d
    assert (converted(x) - expected).abs().max().item() < 0.1
