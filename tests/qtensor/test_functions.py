"""The functions that make quantized tensors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qrs
from qrs.errors import DtypeError, NonFiniteError, ShapeError
from qrs.qtensor import (
    _choose_qparams_per_tensor,
    _empty_affine_quantized,
    _empty_per_channel_affine_quantized,
    _make_per_channel_quantized_tensor,
    _make_per_tensor_quantized_tensor,
)

from . import oracle

KINDS = [qrs.quint8, qrs.qint8, qrs.qint32, qrs.quint4x2]
KIND_IDS = [kind.name for kind in KINDS]


def ints_of(q):
    return q._values()


def points_of(kind):
    """Zero points at both ends and inside."""
    return [kind.qmin, kind.qmax, (kind.qmin + kind.qmax) // 2]


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_integers_and_values_follow_the_formulas(kind):
    rng = np.random.default_rng(2)
    for shape in [(), (1,), (15,), (16,), (17,), (3, 5, 7), (0,), (2, 0, 3), (300,)]:
        for scale in (0.1, 0.0032093836925923824, 1.0, 1e-6, 100.0):
            for point in points_of(kind):
                x = (rng.standard_normal(shape) * scale * 100).astype(np.float32)
                q = qrs.quantize_per_tensor(qrs.from_numpy(np.asarray(x)), scale, point, kind)
                assert np.array_equal(ints_of(q), oracle.stored(x, scale, point, kind.name))
                assert np.array_equal(q.dequantize().numpy(), oracle.real(ints_of(q), scale, point))
                assert tuple(q.shape) == shape
                assert (q.q_scale(), q.q_zero_point(), q.dtype) == (scale, point, kind)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(width=32), max_size=40),
    st.floats(2.0**-100, 2.0**100, width=32),
    st.sampled_from(KINDS),
    st.integers(0, 2),
)
def test_any_float_is_stored_as_the_formula_says(values, scale, kind, which):
    x = np.array(values, np.float32)
    point = points_of(kind)[which]
    q = qrs.quantize_per_tensor(qrs.from_numpy(x), scale, point, kind)
    assert np.array_equal(ints_of(q), oracle.stored(x, scale, point, kind.name))


def test_ties_go_to_even_before_the_zero_point_is_added():
    x = qrs.tensor([0.5, 1.5, 2.5, 3.5, -0.5, -1.5])
    assert qrs.quantize_per_tensor(x, 1.0, 1, qrs.quint8).int_repr().tolist() == [1, 3, 3, 5, 1, 0]


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_values_that_are_not_finite_are_the_zero_point_and_the_ends(kind):
    x = qrs.tensor([math.nan, math.inf, -math.inf])
    got = ints_of(qrs.quantize_per_tensor(x, 0.1, 3, kind)).tolist()
    assert got == [3, kind.qmax, kind.qmin]


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_each_channel_has_its_own_scale(kind, axis):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, 19, 6)).astype(np.float32) * 3
    count = x.shape[axis]
    scales = rng.uniform(0.001, 0.5, count)
    points = rng.integers(max(kind.qmin, -100), min(kind.qmax, 100), count)
    q = qrs.quantize_per_channel(
        qrs.from_numpy(x), qrs.from_numpy(scales), qrs.from_numpy(points), axis, kind
    )
    along = [1, 1, 1]
    along[axis] = count
    s, z = scales.reshape(along), points.reshape(along)
    assert np.array_equal(ints_of(q), oracle.stored(x, s, z, kind.name))
    assert np.array_equal(q.dequantize().numpy(), oracle.real(ints_of(q), s, z))
    assert np.array_equal(q.q_per_channel_scales().numpy(), scales)
    assert np.array_equal(q.q_per_channel_zero_points().numpy(), points)
    assert q.q_per_channel_zero_points().dtype is qrs.int64
    assert (q.q_per_channel_axis(), q.qscheme()) == (axis % 3, qrs.per_channel_affine)


def test_float_zero_points_round_after_adding():
    x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(4, 10)
    scales = np.array([0.01, 0.02, 0.005, 0.1])
    points = np.array([100.25, 3.5, 127.0, 0.0])
    q = qrs.quantize_per_channel(
        qrs.from_numpy(x), qrs.from_numpy(scales), qrs.from_numpy(points), 0, qrs.quint8
    )
    inverse = (np.float32(1) / scales.astype(np.float32)).astype(np.float64)
    exact = (x * inverse[:, None] + points[:, None]).astype(np.float32)
    assert np.array_equal(ints_of(q), np.clip(np.rint(exact), 0, 255))
    assert q.qscheme() is qrs.per_channel_affine_float_qparams
    assert q.q_per_channel_zero_points().tolist() == points.tolist()
    assert np.abs(q.dequantize().numpy() - x)[0].max() <= 0.0051


def test_the_layout_of_the_input_does_not_matter():
    base = np.random.default_rng(4).standard_normal((4, 6, 8)).astype(np.float32)
    expected = qrs.quantize_per_tensor(qrs.from_numpy(base), 0.1, 3, qrs.quint8)
    read_only = base.copy()
    read_only.setflags(write=False)
    unaligned = np.frombuffer(b"x" + base.tobytes(), np.uint8)[1:].view(np.float32)
    for x in (
        np.asfortranarray(base),
        base.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        base[::-1, :, ::-1].copy()[::-1, :, ::-1],
        np.repeat(base, 2, 2)[:, :, ::2],
        base.astype(">f4"),
        read_only,
        unaligned.reshape(base.shape),
    ):
        got = qrs.quantize_per_tensor(x, 0.1, 3, qrs.quint8)
        assert got.equal(expected)
        assert np.array_equal(got.dequantize().numpy(), expected.dequantize().numpy())


def test_channels_last_memory_stays_channels_last():
    x = qrs.randn(2, 3, 4, 5).contiguous(memory_format=qrs.channels_last)
    q = qrs.quantize_per_tensor(x, 0.1, 3, qrs.quint8)
    assert q.is_contiguous(memory_format=qrs.channels_last)
    assert q.dequantize().is_contiguous(memory_format=qrs.channels_last)
    assert q.stride() == (60, 1, 15, 3)


def test_the_input_is_not_written():
    x = np.linspace(-1, 1, 50, dtype=np.float32)
    before = x.copy()
    qrs.quantize_per_tensor(qrs.from_numpy(x), 0.1, 3, qrs.quint8)
    assert np.array_equal(x, before)


def test_a_list_is_quantized_one_by_one():
    xs = [qrs.tensor([1.0]), qrs.tensor([2.0, 3.0])]
    got = qrs.quantize_per_tensor(xs, [0.1, 0.5], [0, 3], qrs.quint8)
    assert [q.int_repr().tolist() for q in got] == [[10], [7, 9]]
    assert [x.tolist() for x in qrs.dequantize(got)] == [[1.0], [2.0, 3.0]]
    with pytest.raises(ShapeError, match="2 tensors, 1 scales and 2 zero points came"):
        qrs.quantize_per_tensor(xs, [0.1], [0, 3], qrs.quint8)


@pytest.mark.parametrize("x", [qrs.ones(2, dtype=qrs.float64), qrs.tensor([1, 2]), [[1]]])
def test_only_float32_is_quantized(x):
    if isinstance(x, list):
        x = np.array(x)
    with pytest.raises(DtypeError, match="expected float32"):
        qrs.quantize_per_tensor(x, 0.1, 0, qrs.quint8)


def test_a_quantized_tensor_is_not_quantized_again():
    q = qrs.quantize_per_tensor(qrs.ones(2), 0.1, 0, qrs.quint8)
    with pytest.raises(DtypeError, match="a quantized tensor came, expected float32"):
        qrs.quantize_per_tensor(q, 0.1, 0, qrs.quint8)


def test_dequantize_leaves_float_tensors_alone():
    x = qrs.ones(2)
    assert qrs.dequantize(x) is x
    with pytest.raises(DtypeError, match="dequantize: a int came"):
        qrs.dequantize(3)


def test_the_accessors_are_functions_too():
    q = qrs.quantize_per_tensor(qrs.ones(2), 0.5, 1, qrs.quint8)
    assert (qrs.q_scale(q), qrs.q_zero_point(q), qrs.int_repr(q).tolist()) == (0.5, 1, [3, 3])
    c = qrs.quantize_per_channel(qrs.ones(1, 2), qrs.tensor([0.5]), qrs.tensor([1]), 0, qrs.qint8)
    assert qrs.q_per_channel_scales(c).tolist() == [0.5]
    assert qrs.q_per_channel_zero_points(c).tolist() == [1]
    assert qrs.q_per_channel_axis(c) == 0
    with pytest.raises(DtypeError, match="q_scale: a Tensor came, expected a quantized tensor"):
        qrs.q_scale(qrs.ones(2))


@pytest.mark.parametrize(
    ("plain", "kind"), [(qrs.uint8, qrs.quint8), (qrs.int8, qrs.qint8), (qrs.int32, qrs.qint32)]
)
def test_integers_are_given_a_meaning_by_their_type(plain, kind):
    ints = qrs.tensor([[1, 2], [3, 4]], dtype=plain)
    q = _make_per_tensor_quantized_tensor(ints, 0.5, 1)
    assert q.dtype is kind
    assert q.dequantize().tolist() == [[0.0, 0.5], [1.0, 1.5]]
    c = _make_per_channel_quantized_tensor(ints, qrs.tensor([0.5, 1.0]), qrs.tensor([0, 1]), 1)
    assert c.dtype is kind
    assert c.dequantize().tolist() == [[0.5, 1.0], [1.5, 3.0]]
    ints[0, 0] = 9
    assert q.int_repr().tolist() == [[1, 2], [3, 4]]


def test_other_integers_have_no_meaning():
    with pytest.raises(DtypeError, match="expected a Tensor of uint8, int8 or int32"):
        _make_per_tensor_quantized_tensor(qrs.tensor([1, 2]), 0.5, 1)


def test_empty_tensors_are_zeros():
    q = _empty_affine_quantized((2, 3), scale=0.5, zero_point=7, dtype=qrs.quint8)
    assert q.dequantize().tolist() == [[0.0] * 3] * 2
    assert (q.q_scale(), q.q_zero_point()) == (0.5, 7)
    c = _empty_per_channel_affine_quantized(
        (2, 3),
        scales=qrs.tensor([1.0, 2.0]),
        zero_points=qrs.tensor([0, 1]),
        axis=0,
        dtype=qrs.qint8,
    )
    assert c.dequantize().tolist() == [[0.0] * 3] * 2


def test_qparams_of_dynamic_inputs():
    scale, point = _choose_qparams_per_tensor(qrs.tensor([-1.0, 2.0]))
    assert (np.float32(scale), point) == (np.float32(3 / 255), 85)
    scale, point = _choose_qparams_per_tensor(qrs.tensor([-1.0, 2.0]), True)
    assert (np.float32(scale), point) == (np.float32(3 / 127), 42)
    for nothing in (qrs.zeros(3), qrs.zeros(0)):
        scale, point = _choose_qparams_per_tensor(nothing)
        assert (np.float32(scale), point) == (np.float32(0.1), 0)
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(NonFiniteError, match="choose_qparams: the input holds NaN"):
            _choose_qparams_per_tensor(qrs.tensor([1.0, bad]))


@pytest.mark.parametrize("kind", [qrs.quint8, qrs.qint8, qrs.quint4x2])
def test_a_tensor_like_another_has_its_scales(kind):
    scales, points = qrs.tensor([0.5, 0.25]), qrs.tensor([1, 3])
    one = qrs.quantize_per_tensor(qrs.randn(2, 3), 0.5, 1, kind)
    many = qrs.quantize_per_channel(qrs.randn(2, 3), scales, points, 0, kind)
    for q in (one, many):
        for made, value in (
            (qrs.zeros_like(q), 0.0),
            (qrs.ones_like(q), 1.0),
            (qrs.empty_like(q), 0.0),
            (qrs.full_like(q, 2.6), 2.5),
        ):
            assert made.dtype is kind
            assert made._qparams == q._qparams
            assert made.tolist() == [[value] * 3] * 2
    assert qrs.ones_like(one, dtype=kind).equal(qrs.ones_like(one))
    with pytest.raises(DtypeError, match=r"ones_like: dtype qrs\.float32, .*call dequantize"):
        qrs.ones_like(one, dtype=qrs.float32)


def test_shapes_are_taken_from_quantized_tensors_too():
    q = qrs.quantize_per_tensor(qrs.randn(2, 3), 0.5, 1, qrs.quint8)
    assert q.view_as(q.reshape(3, 2)).shape == (3, 2)
    assert q[:1].expand_as(q).shape == (2, 3)
    assert qrs.zeros(6).reshape_as(q).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("relu_", "use the form without the underscore"),
        ("copy_", "make a new tensor"),
        ("resize_", "make a new tensor"),
        ("share_memory_", "make a new tensor"),
    ],
)
def test_what_would_change_a_tensor_is_refused(name, words):
    q = qrs.quantize_per_tensor(qrs.randn(2, 3), 0.5, 1, qrs.quint8)
    assert not hasattr(q, name)
    with pytest.raises(
        DtypeError, match=f"{name}: a quantized tensor came, which is immutable; {words}"
    ):
        getattr(q, name)
