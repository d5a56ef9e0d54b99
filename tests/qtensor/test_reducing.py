"""Reductions, order and bounds of quantized tensors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qrs
from qrs.errors import DtypeError

from . import oracle


def tensor(kind=qrs.quint8, point=3, seed=1):
    x = np.random.default_rng(seed).standard_normal((4, 5, 6)).astype(np.float32)
    return qrs.quantize_per_tensor(qrs.from_numpy(x), 0.05, point, kind)


def channels():
    points = qrs.tensor([0, 1, -2, 3])
    scales = qrs.tensor([0.1, 0.2, 0.3, 0.4])
    return qrs.quantize_per_channel(tensor(qrs.qint8).dequantize(), scales, points, 0, qrs.qint8)


KINDS = [qrs.quint8, qrs.qint8, qrs.qint32, qrs.quint4x2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_are_those_of_the_values(kind, name):
    q = tensor(kind)
    values = q.dequantize()
    assert getattr(q, name)().item() == getattr(values, name)().item()
    got, indices = getattr(q, name)(1)
    want, places = getattr(values, name)(1)
    assert np.array_equal(got.numpy(), want.numpy())
    assert indices.equal(places)
    kept = getattr(q, name)(-1, keepdim=True)
    assert tuple(kept.values.shape) == (4, 5, 1)
    over = getattr(q, f"a{name}")((0, 2))
    assert np.array_equal(over.numpy(), getattr(values, f"a{name}")((0, 2)).numpy())
    assert getattr(q, f"arg{name}")(2).equal(getattr(values, f"arg{name}")(2))


@pytest.mark.parametrize("descending", [False, True])
def test_sorting_orders_the_values(descending):
    q = tensor()
    got = q.sort(1, descending)
    want = np.sort(q.numpy(), 1)
    assert np.array_equal(got.values.numpy(), want[:, ::-1] if descending else want)
    assert np.array_equal(np.take_along_axis(q.numpy(), got.indices.numpy(), 1), got.values.numpy())


@pytest.mark.parametrize("largest", [True, False])
def test_topk_takes_the_extremes(largest):
    q = tensor()
    got = q.topk(2, 2, largest)
    want = np.sort(q.numpy(), 2)
    want = want[..., ::-1][..., :2] if largest else want[..., :2]
    assert np.array_equal(got.values.numpy(), want)
    assert isinstance(got.values, qrs.QTensor)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [None, 0, (1, 2), -1])
def test_the_mean_is_rounded_once(kind, dim):
    q = tensor(kind)
    ints = q._values().astype(np.int64) - 3
    axes = tuple(range(3)) if dim is None else dim
    want = np.clip(np.rint(ints.mean(axes)) + 3, kind.qmin, kind.qmax)
    got = q.mean(dim)
    assert np.array_equal(got._values(), want)
    assert (got.q_scale(), got.q_zero_point(), got.dtype) == (0.05, 3, kind)
    assert q.mean(1, keepdim=True).shape == (4, 1, 6)


def test_a_mean_between_two_steps_goes_to_the_even_one():
    def mean(ints, point):
        return qrs.QTensor.from_ints(np.array(ints, np.uint8), 1.0, point, qrs.quint8).mean()

    assert mean([10, 11], 0).int_repr().item() == 10
    assert mean([10, 11], 1).int_repr().item() == 11
    assert mean([11, 12], 0).int_repr().item() == 12


def test_the_mean_of_nothing_is_refused():
    q = tensor()[:0]
    with pytest.raises(DtypeError, match="no elements to average"):
        q.mean()
    assert tensor()[:, :, :0].mean(0).shape == (5, 0)


@given(st.integers(0, 255), st.lists(st.integers(0, 255), max_size=30))
def test_relu_is_the_larger_of_value_and_zero(point, ints):
    q = qrs.QTensor.from_ints(np.array(ints, np.uint8), 0.5, point, qrs.quint8)
    assert np.array_equal(q.relu().numpy(), np.maximum(q.numpy(), 0))
    assert q.relu().q_zero_point() == point


def test_relu_of_channels_uses_each_zero_point():
    q = channels()
    assert np.array_equal(q.relu().numpy(), np.maximum(q.numpy(), 0))
    assert q.relu().qscheme() is qrs.per_channel_affine
    floats = qrs.quantize_per_channel(
        qrs.ones(2), qrs.ones(2), qrs.tensor([0.5, 0.5]), 0, qrs.quint8
    )
    with pytest.raises(DtypeError, match="relu: zero is not among the values"):
        floats.relu()


@pytest.mark.parametrize("bounds", [(-0.52, 0.51), (None, 0.3), (-0.3, None), (0.5, -0.5)])
def test_clamp_quantizes_its_bounds(bounds):
    q = tensor()
    ints = q.int_repr().numpy()
    low, high = (
        None if b is None else oracle.stored(np.float32(b), 0.05, 3, "quint8") for b in bounds
    )
    want = ints if low is None else np.maximum(ints, low)
    want = want if high is None else np.minimum(want, high)
    assert np.array_equal(q.clamp(*bounds).int_repr().numpy(), want)
    assert q.clip(*bounds).equal(q.clamp(*bounds))


def test_clamp_on_one_side():
    q = tensor()
    assert q.clamp_min(0.2).equal(q.clamp(min=0.2))
    assert q.clamp_max(0.2).equal(q.clamp(max=0.2))
    with pytest.raises(ValueError, match="clamp: neither min nor max came"):
        q.clamp()


@pytest.mark.parametrize("kind", KINDS[:3])
def test_sigmoid_and_tanh_have_fixed_parameters(kind):
    q = tensor(kind)
    sigmoid, tanh = q.sigmoid(), q.tanh()
    step = 2.0**-31 if kind is qrs.qint32 else 2.0**-8
    assert (sigmoid.q_scale(), tanh.q_scale()) == (step, step if kind is qrs.qint32 else 2 * step)
    assert sigmoid.q_zero_point() == {qrs.quint8: 0, qrs.qint8: -128, qrs.qint32: 0}[kind]
    assert tanh.q_zero_point() == {qrs.quint8: 128, qrs.qint8: 0, qrs.qint32: 0}[kind]
    values = q.numpy().astype(np.float64)
    # Half a step and the error of float32; the largest tanh lies half a step beyond the range.
    assert np.abs(sigmoid.numpy() - 1 / (1 + np.exp(-values))).max() <= 0.5 * step + 1e-6
    assert np.abs(tanh.numpy() - np.tanh(values)).max() <= 2 * step + 1e-6


def test_four_bits_have_no_sigmoid():
    with pytest.raises(DtypeError, match=r"sigmoid: a tensor of qrs\.quint4x2 came"):
        tensor(qrs.quint4x2).sigmoid()


def test_channels_are_not_compared_with_each_other():
    q = channels()
    for call in (
        q.max,
        q.min,
        q.argmax,
        q.argmin,
        q.amax,
        q.amin,
        q.sort,
        q.mean,
        lambda: q.topk(1),
        lambda: q.clamp(0.0, 1.0),
    ):
        with pytest.raises(DtypeError, match="a tensor with a scale for each channel came"):
            call()


def test_the_maximum_of_two_tensors_is_refused():
    with pytest.raises(DtypeError, match="max: dim is a QTensor, expected an integer"):
        tensor().max(tensor())


def test_infinite_bounds_are_the_ends_of_the_range():
    q = tensor()
    assert q.clamp(-math.inf, math.inf).equal(q)
