"""`qrs.cat` and `qrs.stack` of quantized tensors."""

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError


def per_tensor(seed, scale=0.1, point=3, shape=(2, 3)):
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return qrs.quantize_per_tensor(qrs.from_numpy(x), scale, point, qrs.quint8)


def per_channel(seed, scales=(0.1, 0.2), axis=0, shape=(2, 3)):
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return qrs.quantize_per_channel(
        qrs.from_numpy(x), qrs.tensor(scales), qrs.tensor([0, 5]), axis, qrs.qint8
    )


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_equal_parameters_join_the_integers(dim):
    a, b = per_tensor(1), per_tensor(2)
    got = qrs.cat([a, b], dim)
    expected = np.concatenate([a.int_repr().numpy(), b.int_repr().numpy()], dim)
    assert np.array_equal(got.int_repr().numpy(), expected)
    assert (got.q_scale(), got.q_zero_point()) == (0.1, 3)


def test_later_tensors_take_the_parameters_of_the_first():
    a, b = per_tensor(1), per_tensor(2, scale=0.07, point=90)
    got = qrs.cat((a, b), dim=1)
    again = qrs.quantize_per_tensor(b.dequantize(), 0.1, 3, qrs.quint8)
    assert got[:, :3].equal(a)
    assert got[:, 3:].equal(again)


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_stack_adds_a_dimension(dim):
    a, b = per_tensor(1), per_tensor(2)
    got = qrs.stack([a, b], dim)
    assert np.array_equal(got.numpy(), np.stack([a.numpy(), b.numpy()], dim))


def test_scales_of_channels_are_joined_along_their_axis():
    a, b = per_channel(1), per_channel(2, (0.3, 0.4))
    got = qrs.cat([a, b], 0)
    assert np.array_equal(got.numpy(), np.concatenate([a.numpy(), b.numpy()]))
    assert got.q_per_channel_scales().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    same = qrs.cat([a, a], 0)
    assert np.array_equal(same.numpy(), np.concatenate([a.numpy(), a.numpy()]))


def test_equal_scales_of_channels_stay_along_another_axis():
    a, b = per_channel(1), per_channel(2)
    got = qrs.cat([a, b], 1)
    assert np.array_equal(got.numpy(), np.concatenate([a.numpy(), b.numpy()], 1))
    assert got.q_per_channel_axis() == 0
    stacked = qrs.stack([a, b])
    assert np.array_equal(stacked.numpy(), np.stack([a.numpy(), b.numpy()]))
    assert stacked.q_per_channel_axis() == 1


def test_different_scales_along_another_axis_are_refused():
    with pytest.raises(DtypeError, match="cat: the scales of these tensors do not lie along one"):
        qrs.cat([per_channel(1), per_channel(2, (0.3, 0.4))], 1)
    with pytest.raises(DtypeError, match="with one scale and with a scale for each channel"):
        q = qrs.quantize_per_tensor(qrs.ones(2, 3), 0.1, 0, qrs.qint8)
        qrs.cat([per_channel(1), q])


def test_mixed_types_are_refused():
    q = per_tensor(1)
    with pytest.raises(DtypeError, match=r"cat: item 1 is qrs\.float32, expected qrs\.quint8"):
        qrs.cat([q, qrs.ones(2, 3)])
    with pytest.raises(DtypeError, match=r"stack: item 1 is qrs\.qint8, expected qrs\.quint8"):
        qrs.stack([q, per_channel(1)])
    with pytest.raises(DtypeError, match="item 1 is of type QTensor"):
        qrs.cat([qrs.ones(2, 3), q])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="cat"):
        qrs.cat([per_tensor(1), per_tensor(1, shape=(2, 4))], 0)
