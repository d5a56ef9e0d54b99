import copy
import pickle

import numpy as np
import pytest

import qrs
from qrs import dtypes

PLAIN = ["float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64", "bool"]
QUANTIZED = {
    "qint8": (-128, 127),
    "quint8": (0, 255),
    "qint32": (-(2**31), 2**31 - 1),
    "quint4x2": (0, 15),
}
SCHEMES = {
    "per_tensor_affine": (False, False, False),
    "per_tensor_symmetric": (False, True, False),
    "per_channel_affine": (True, False, False),
    "per_channel_symmetric": (True, True, False),
    "per_channel_affine_float_qparams": (True, False, True),
}


@pytest.fixture
def default_dtype():
    before = qrs.get_default_dtype()
    yield
    qrs.set_default_dtype(before)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_type_is_found_from_its_numpy_type(name):
    found = getattr(qrs, name)
    assert dtypes.from_numpy_dtype(np.dtype(name)) is found
    assert found.itemsize == np.dtype(name).itemsize
    assert not found.is_quantized
    assert found.qmin is None


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_type_knows_its_range(name):
    found = getattr(qrs, name)
    assert (found.qmin, found.qmax) == QUANTIZED[name]
    assert found.is_quantized
    assert not found.is_floating_point


@pytest.mark.parametrize("name", SCHEMES)
def test_scheme_knows_what_it_is(name):
    found = getattr(qrs, name)
    facts = (found.is_per_channel, found.is_symmetric, found.has_float_qparams)
    assert facts == SCHEMES[name]


@pytest.mark.parametrize("name", [*PLAIN, *QUANTIZED, *SCHEMES])
def test_copies_are_the_same_object(name):
    found = getattr(qrs, name)
    assert pickle.loads(pickle.dumps(found)) is found
    assert copy.deepcopy(found) is found
    assert repr(found) == f"qrs.{name}"


def test_only_float_types_are_floating_point():
    floats = {name for name in PLAIN if getattr(qrs, name).is_floating_point}
    assert floats == {"float32", "float64", "float16"}


def test_a_type_cannot_be_changed():
    with pytest.raises(AttributeError):
        qrs.qint8.qmin = 0


def test_second_names_are_the_same_types():
    assert (qrs.float, qrs.double, qrs.half) == (qrs.float32, qrs.float64, qrs.float16)
    assert (qrs.long, qrs.int, qrs.short) == (qrs.int64, qrs.int32, qrs.int16)


@pytest.mark.parametrize("bad", ["complex64", "uint16", "U3", "O", "M8[s]"])
def test_numpy_type_without_a_counterpart_is_refused(bad):
    with pytest.raises(qrs.DtypeError, match="dtype: NumPy type"):
        dtypes.from_numpy_dtype(np.dtype(bad))


def test_default_type_is_used_for_new_tensors(default_dtype):
    qrs.set_default_dtype(qrs.float64)
    assert qrs.zeros(1).dtype is qrs.float64
    assert qrs.tensor([1.0]).dtype is qrs.float64
    assert (qrs.tensor([1]) / 2).dtype is qrs.float64


@pytest.mark.parametrize("bad", [qrs.int64, qrs.float16, qrs.qint8])
def test_default_type_must_be_a_wide_float(bad):
    with pytest.raises(qrs.DtypeError, match="set_default_dtype"):
        qrs.set_default_dtype(bad)


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "int32", "int64"])
def test_limits_of_integers_are_those_of_numpy(name):
    ours, theirs = qrs.iinfo(getattr(qrs, name)), np.iinfo(name)
    assert (ours.min, ours.max, ours.bits, ours.dtype) == (
        theirs.min,
        theirs.max,
        theirs.bits,
        name,
    )


@pytest.mark.parametrize(("name", "limits"), QUANTIZED.items())
def test_limits_of_quantized_types_are_those_of_their_integers(name, limits):
    info = qrs.iinfo(getattr(qrs, name))
    assert (info.min, info.max) == limits
    assert info.bits == {"qint32": 32, "quint4x2": 4}.get(name, 8)
    assert str(info) == f"iinfo(min={limits[0]}, max={limits[1]}, dtype={name})"


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_limits_of_floats_are_those_of_numpy(name):
    ours, theirs = qrs.finfo(getattr(qrs, name)), np.finfo(name)
    for field in ("bits", "min", "max", "eps", "tiny", "smallest_normal", "resolution"):
        assert getattr(ours, field) == getattr(theirs, field)
    assert f"dtype={name})" in repr(ours)


def test_limits_are_asked_of_the_right_kind(default_dtype):
    qrs.set_default_dtype(qrs.float64)
    assert qrs.finfo().dtype == "float64"
    for bad in (qrs.float32, qrs.bool, "int8"):
        with pytest.raises(
            qrs.DtypeError, match=r"iinfo: .* expected an integer or quantized type"
        ):
            qrs.iinfo(bad)
    for bad in (qrs.int8, qrs.qint8, "float32"):
        with pytest.raises(qrs.DtypeError, match=r"finfo: .* expected a floating-point type"):
            qrs.finfo(bad)
