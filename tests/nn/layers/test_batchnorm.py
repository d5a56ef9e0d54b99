"""Running statistics and checks of batch and instance normalisation."""

import numpy as np
import pytest

import qrs
from qrs import nn


def test_running_statistics_move_by_the_momentum():
    layer = nn.BatchNorm1d(1, momentum=0.25)
    layer(qrs.tensor([[1.0], [3.0]]))
    assert layer.running_mean.item() == 0.5
    # The unbiased variance of 1 and 3 is 2.
    assert layer.running_var.item() == 1.25
    assert layer.num_batches_tracked.item() == 1


def test_without_momentum_the_statistics_are_plain_averages():
    layer = nn.BatchNorm1d(1, momentum=None)
    for low in (0.0, 4.0):
        layer(qrs.tensor([[low], [low + 2]]))
    assert layer.running_mean.item() == 3.0


def test_evaluation_uses_and_keeps_the_statistics():
    layer = nn.BatchNorm2d(2).eval()
    layer.running_mean.fill_(1)
    layer.running_var.fill_(4)
    out = layer(qrs.full((1, 2, 1, 1), 5.0))
    np.testing.assert_allclose(out.detach().numpy().reshape(-1), [2, 2], rtol=1e-5)
    assert layer.num_batches_tracked.item() == 0


def test_reset_forgets_the_statistics():
    layer = nn.BatchNorm1d(2)
    layer(qrs.randn(4, 2))
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0.0, 0.0]
    assert layer.running_var.tolist() == [1.0, 1.0]
    assert layer.num_batches_tracked.item() == 0


def test_without_tracking_the_batch_is_used_in_evaluation_too():
    layer = nn.BatchNorm1d(1, track_running_stats=False).eval()
    out = layer(qrs.tensor([[1.0], [3.0]]))
    np.testing.assert_allclose(out.detach().numpy(), [[-1], [1]], atol=1e-4)
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_inplace_activation_may_follow():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True))
    net(qrs.randn(2, 1, 5, 5)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (nn.BatchNorm2d(3), (2, 3), "BatchNorm2d: .* expected 4 dimensions"),
        (nn.BatchNorm1d(3), (2, 4), "expected 3 channels"),
        (nn.BatchNorm1d(3), (1, 3), "more than one value per channel"),
        (nn.InstanceNorm1d(3), (2, 4, 5), "expected 3 channels"),
        (nn.InstanceNorm2d(3), (2, 3, 1, 1), "more than one spatial value"),
    ],
)
def test_misfits_are_explained(layer, shape, words):
    with pytest.raises(qrs.ShapeError, match=words):
        layer(qrs.zeros(*shape))


def test_group_norm_refuses_channels_that_do_not_divide():
    with pytest.raises(ValueError, match="a multiple of num_groups 2"):
        nn.GroupNorm(2, 3)
    with pytest.raises(qrs.ShapeError, match="expected 4 channels"):
        nn.GroupNorm(2, 4)(qrs.zeros(1, 3, 2))


def test_layer_norm_refuses_other_last_axes():
    with pytest.raises(qrs.ShapeError, match=r"expected its last axes to be \(4,\)"):
        nn.LayerNorm(4)(qrs.zeros(2, 3))
