"""Ranges of integers, and the formulas from a range to a scale and a zero point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qrs
from qrs.errors import DtypeError
from qrs.quantization.qparams import EPS, integer_range, qparams


@pytest.mark.parametrize(
    ("dtype", "reduced", "expected"),
    [
        (qrs.quint8, False, (0, 255)),
        (qrs.quint8, True, (0, 127)),
        (qrs.qint8, False, (-128, 127)),
        (qrs.qint8, True, (-64, 63)),
        (qrs.quint4x2, False, (0, 15)),
        (qrs.quint4x2, True, (0, 15)),
    ],
)
def test_default_ranges(dtype: qrs.dtype, reduced: bool, expected: tuple[int, int]) -> None:
    assert integer_range(dtype, reduced) == expected


def test_own_range_is_taken_literally() -> None:
    assert integer_range(qrs.qint8, False, -127, 127) == (-127, 127)
    assert integer_range(qrs.quint8, False, 0, 15) == (0, 15)


@pytest.mark.parametrize(
    "ends", [(0, None), (None, 5), (1, 5), (-5, -1), (-1, 5), (0, 256), (0, 0)]
)
def test_bad_own_range_raises(ends: tuple[int | None, int | None]) -> None:
    with pytest.raises(ValueError, match="quantization range"):
        integer_range(qrs.quint8, False, *ends)


def test_type_without_range_raises() -> None:
    with pytest.raises(DtypeError, match="float32"):
        integer_range(qrs.float32)


def one(lo: float, hi: float, dtype: qrs.dtype, scheme: qrs.qscheme, **kwargs: bool) -> tuple:
    qmin, qmax = integer_range(dtype, kwargs.pop("reduced", False))
    scale, zero_point = qparams(np.float32(lo), np.float32(hi), dtype, scheme, qmin, qmax, **kwargs)
    return scale[0], zero_point[0]


# Measured from PyTorch 1.8.1 on values from -1 to 3 unless the range says otherwise.
@pytest.mark.parametrize(
    ("lo", "hi", "dtype", "scheme", "reduced", "scale", "zero_point"),
    [
        (-1, 3, qrs.quint8, qrs.per_tensor_affine, False, 4 / 255, 64),
        (-1, 3, qrs.quint8, qrs.per_tensor_affine, True, 4 / 127, 32),
        (-1, 3, qrs.quint8, qrs.per_tensor_symmetric, False, 3 / 127.5, 128),
        (-1, 3, qrs.qint8, qrs.per_tensor_affine, False, 4 / 255, -64),
        (0, 0, qrs.quint8, qrs.per_tensor_affine, False, 2.0**-23, 0),
        (5, 5, qrs.quint8, qrs.per_tensor_affine, False, 5 / 255, 0),
        (-5, -5, qrs.quint8, qrs.per_tensor_affine, False, 5 / 255, 255),
    ],
)
def test_measured_values(
    lo: float,
    hi: float,
    dtype: qrs.dtype,
    scheme: qrs.qscheme,
    reduced: bool,
    scale: float,
    zero_point: int,
) -> None:
    assert one(lo, hi, dtype, scheme, reduced=reduced) == (np.float32(scale), zero_point)


def test_symmetric_zero_point_of_an_own_range_is_its_middle() -> None:
    assert one(-1, 1, qrs.quint8, qrs.per_tensor_symmetric, custom_range=True)[1] == 127


def test_float_zero_points_use_the_raw_range() -> None:
    lo, hi = np.float32([1, 5]), np.float32([3, 5])
    scale, zero_point = qparams(lo, hi, qrs.quint8, qrs.per_channel_affine_float_qparams, 0, 255)
    # A constant row gets scale 1, so that its value is stored exactly.
    assert scale.tolist() == [np.float32(2 / 255), 1.0]
    assert zero_point.tolist() == [np.float32(-1) / scale[0], -5.0]


def test_range_wider_than_float32_stays_finite() -> None:
    scale, _ = one(-3e38, 3e38, qrs.quint8, qrs.per_tensor_affine)
    assert np.isfinite(scale)


finite = st.floats(-(2.0**100), 2.0**100, width=32)


@given(finite, finite, st.sampled_from([qrs.quint8, qrs.qint8]), st.booleans())
def test_affine_represents_zero_and_both_ends(
    a: float, b: float, dtype: qrs.dtype, reduced: bool
) -> None:
    lo, hi = min(a, b, 0.0), max(a, b, 0.0)
    qmin, qmax = integer_range(dtype, reduced)
    scale, zero_point = one(lo, hi, dtype, qrs.per_tensor_affine, reduced=reduced)
    assert scale >= EPS
    assert qmin <= zero_point <= qmax
    # Clamping takes at most one step off either end.
    assert (qmax + 1 - zero_point) * float(scale) >= hi * (1 - 1e-5)
    assert (qmin - 1 - zero_point) * float(scale) <= lo * (1 - 1e-5)
