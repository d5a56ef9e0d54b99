"""Checks of scales and zero points."""

import math
import pickle

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError
from qrs.qtensor import PerChannel, PerTensor
from qrs.qtensor.qparams import per_channel, per_tensor


@pytest.mark.parametrize("scale", [0.0, -0.1, math.nan, math.inf, 1e-50, 1e39, 1e-40])
def test_a_scale_that_is_no_positive_float32_is_refused(scale):
    with pytest.raises(ValueError, match=r"here: scale .* came, expected a positive number"):
        per_tensor(scale, 0, qrs.quint8, "here")
    with pytest.raises(ValueError, match="here: scale"):
        per_channel([1.0, scale], [0, 0], 0, qrs.quint8, (2,), "here")


def test_the_bounds_of_a_scale_are_those_of_float32():
    for bound in (2.0**-128 + 2.0**-150, 2.0**128 - 2.0**103):
        for scale in (np.nextafter(bound, 0), bound, np.nextafter(bound, math.inf)):
            with np.errstate(all="ignore"):
                single = np.float32(scale)
                good = 0 < single < math.inf and 1 / single < math.inf
            try:
                accepted = per_tensor(scale, 0, qrs.quint8, "").scale == scale
            except ValueError:
                accepted = False
            assert accepted == good


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        (qrs.quint8, (-1, 256)),
        (qrs.qint8, (-129, 128)),
        (qrs.qint32, (-(2**31) - 1, 2**31)),
        (qrs.quint4x2, (-1, 16)),
    ],
)
def test_a_zero_point_outside_the_range_is_refused(kind, points):
    for point in points:
        with pytest.raises(ValueError, match=f"here: zero point {point} came, expected"):
            per_tensor(0.1, point, kind, "here")
        with pytest.raises(ValueError, match=f"here: zero point {point} came"):
            per_channel([0.1], [point], 0, kind, (1,), "here")
    assert per_tensor(0.1, kind.qmin, kind, "").zero_point == kind.qmin
    assert per_tensor(0.1, kind.qmax, kind, "").zero_point == kind.qmax


def test_a_zero_point_may_be_a_float_or_a_tensor_that_holds_an_integer():
    for value in (3, 3.0, np.float32(3), np.int64(3), qrs.tensor(3), qrs.tensor([3.0])):
        assert per_tensor(0.1, value, qrs.quint8, "").zero_point == 3


@pytest.mark.parametrize("value", [1.5, math.nan, "1", None])
def test_a_zero_point_that_is_no_integer_is_refused(value):
    with pytest.raises(DtypeError, match="here: zero point"):
        per_tensor(0.1, value, qrs.quint8, "here")


def test_a_scale_that_is_no_number_is_refused():
    with pytest.raises(DtypeError, match="here: a str came for the scale"):
        per_tensor("x", 0, qrs.quint8, "here")


@pytest.mark.parametrize("kind", [qrs.int8, qrs.float32, "quint8", None])
def test_a_type_that_is_not_quantized_is_refused(kind):
    with pytest.raises(DtypeError, match=r"expected qrs\.quint8, qrs\.qint8"):
        per_tensor(0.1, 0, kind, "here")


def test_channels_that_do_not_fit_the_axis_are_refused():
    with pytest.raises(ShapeError, match="2 scales came, expected 3, one for each index of axis 1"):
        per_channel([1.0, 1.0], [0, 0, 0], 1, qrs.qint8, (2, 3), "here")
    with pytest.raises(ShapeError, match="2 zero points came, expected 3"):
        per_channel([1.0, 1.0, 1.0], [0, 0], 1, qrs.qint8, (2, 3), "here")
    with pytest.raises(ShapeError, match="scales of shape"):
        per_channel([[1.0]], [0], 0, qrs.qint8, (1,), "here")
    for axis in (2, -3):
        with pytest.raises(ShapeError, match=f"axis {axis} came for a tensor of shape"):
            per_channel([1.0], [0], axis, qrs.qint8, (1, 3), "here")


def test_a_negative_axis_counts_from_the_end():
    assert per_channel([1.0] * 3, [0] * 3, -1, qrs.qint8, (2, 3), "").axis == 1


def test_float_zero_points_make_float_qparams():
    assert per_channel([1.0], [0.5], 0, qrs.quint8, (1,), "").scheme is (
        qrs.per_channel_affine_float_qparams
    )
    assert per_channel([1.0], [0], 0, qrs.quint8, (1,), "").scheme is qrs.per_channel_affine
    with pytest.raises(ValueError, match="zero point is NaN"):
        per_channel([1.0], [math.nan], 0, qrs.quint8, (1,), "here")


def test_equality_is_that_of_the_contents():
    def channels(scale=0.1, point=0, axis=0):
        return per_channel([scale, 1.0], [point, 0], axis, qrs.quint8, (2, 2), "")

    assert channels() == channels()
    assert hash(channels()) == hash(channels())
    for other in (channels(scale=0.2), channels(point=1), channels(axis=1), PerTensor(0.1, 0)):
        assert channels() != other
    assert PerTensor(0.1, 0) == PerTensor(0.1, 0) != PerTensor(0.1, 1)


def test_both_kinds_can_be_pickled():
    for qparams in (PerTensor(0.1, 3), PerChannel(np.ones(2), np.zeros(2, np.int64), 1)):
        assert pickle.loads(pickle.dumps(qparams)) == qparams
