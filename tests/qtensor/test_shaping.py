"""Moving elements: the values move as those of a float tensor, and the scales with them."""

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError
from qrs.qtensor.shaping import ShapeMethods

SHAPE = (4, 3, 6)

# Arguments of every method, by name.
CALLS = {
    "reshape": [((12, 6),), ((-1,),), ((4, 3, 2, 3),), ((2, 2, 3, 6),), ((4, 18),)],
    "reshape_as": [(qrs.zeros(12, 6),)],
    "view": [((12, 6),), ((4, -1),)],
    "view_as": [(qrs.zeros(4, 18),)],
    "flatten": [(), (1,), (0, 1)],
    "unflatten": [(2, (2, 3)), (0, (2, 2))],
    "squeeze": [(), (1,)],
    "unsqueeze": [(0,), (1,), (-1,)],
    "permute": [(2, 0, 1), ((0, 2, 1),)],
    "transpose": [(0, 2), (1, 1), (-1, 1)],
    "swapaxes": [(0, 1)],
    "movedim": [(0, 2), (2, 0)],
    "t": [],
    "expand": [((5, 4, 3, 6),)],
    "expand_as": [(qrs.zeros(2, 4, 3, 6),)],
    "broadcast_to": [((2, 4, 3, 6),)],
    "repeat": [(1, 2, 1), (2, 1, 1), (2, 1, 1, 2)],
    "repeat_interleave": [(2, 0), (2, 1), (qrs.tensor([1, 0, 2]), 1)],
    "tile": [(2,), (2, 1, 1)],
    "flip": [(0,), (1, 2), ((0, 1, 2),)],
    "roll": [(1, 0), (2, 2), (1,)],
    "narrow": [(0, 1, 2), (2, 0, 3), (1, 1, 0)],
    "select": [(0, 1), (1, -1), (2, 0)],
    "diagonal": [(), (1, 1, 2)],
    "index_select": [(0, qrs.tensor([2, 0, 2])), (1, qrs.tensor([1]))],
    "masked_select": [(qrs.arange(72).reshape(SHAPE) % 5 == 0,)],
    "gather": [(2, qrs.zeros(4, 3, 2, dtype=qrs.int64)), (0, qrs.ones(1, 3, 6, dtype=qrs.int64))],
    "contiguous": [()],
    "unfold": [(2, 3, 2), (0, 2, 1), (1, 3, 1)],
    "as_strided": [((4, 3), (18, 6)), ((2, 3, 6), (18, 6, 1), 18), ((72,), (1,))],
    "chunk": [(2,), (3, 1), (4, 2)],
    "split": [(3,), ((1, 5), 2), ((2, 1), 1)],
    "unbind": [(), (1,), (2,)],
}

INDICES = [
    0,
    -1,
    slice(1, 3),
    slice(None, None, 2),
    (slice(None), 1),
    (slice(None), slice(0, 2), slice(1, 4)),
    (Ellipsis, 0),
    (0, 1),
    (slice(2, 3), 0),
    None,
    (slice(None), None, 1),
    qrs.tensor([3, 1]),
    [0, 2],
    (slice(None), qrs.tensor([2, 2, 0])),
    qrs.tensor([True, False, True, True]),
    np.array([1, 0]),
]


def values():
    return qrs.from_numpy(np.random.default_rng(5).standard_normal(SHAPE).astype(np.float32))


def tensors(kind):
    """One tensor with one scale, and one with a scale for each index of each axis."""
    x = values()
    low, high = (0, 15) if kind is qrs.quint4x2 else (0, 100)
    yield qrs.quantize_per_tensor(x, 0.05, 7, kind)
    rng = np.random.default_rng(6)
    for axis, count in enumerate(SHAPE):
        scales = qrs.from_numpy(rng.uniform(0.01, 0.3, count))
        points = rng.integers(low, high, count)
        yield qrs.quantize_per_channel(x, scales, qrs.from_numpy(points), axis, kind)
        floats = qrs.from_numpy(points + 0.25)
        yield qrs.quantize_per_channel(x, scales, floats, axis, kind)


def check(q, change):
    """`change` moves the values of `q` as those of a float tensor, or is refused for its scales."""
    expected = change(q.dequantize())
    try:
        got = change(q)
    except DtypeError as error:
        assert q.qscheme().is_per_channel, error
        assert "would not lie along one axis" in str(error)
        return False
    for part, want in zip(
        *((v if isinstance(v, tuple) else (v,)) for v in (got, expected)), strict=True
    ):
        assert isinstance(part, qrs.QTensor)
        assert part.dtype is q.dtype
        assert tuple(part.shape) == tuple(want.shape)
        assert np.array_equal(part.dequantize().numpy(), want.numpy())
    return True


def test_every_method_has_calls():
    methods = {
        name
        for name, value in vars(ShapeMethods).items()
        if not name.startswith("_") and callable(value)
    }
    assert methods == set(CALLS)


@pytest.mark.parametrize("kind", [qrs.quint8, qrs.qint8, qrs.qint32, qrs.quint4x2])
@pytest.mark.parametrize("name", CALLS)
def test_methods_move_values_and_scales(name, kind):
    for q in tensors(kind):
        for arguments in CALLS[name]:
            check(q, lambda t, a=arguments: getattr(t, name)(*a))


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing_moves_values_and_scales(index):
    for q in tensors(qrs.qint8):
        assert check(q, lambda t: t[index])


def test_a_matrix_is_transposed_with_its_scales():
    for q in tensors(qrs.qint8):
        matrix = q.reshape(4, 18) if q.qscheme() is qrs.per_tensor_affine else q[0]
        assert check(matrix, lambda t: t.t())
        assert check(matrix, lambda t: t.T)


def channels(axis, scheme=qrs.per_channel_affine):
    points = np.arange(SHAPE[axis])
    if scheme.has_float_qparams:
        points = points + 0.5
    scales = qrs.from_numpy(np.linspace(0.1, 0.4, SHAPE[axis]))
    return qrs.quantize_per_channel(values(), scales, qrs.from_numpy(points), axis, qrs.qint8)


def test_permuting_keeps_the_axis_of_the_scales():
    q = channels(0)
    moved = q.permute(1, 2, 0)
    assert (moved.q_per_channel_axis(), moved.qscheme()) == (2, qrs.per_channel_affine)
    assert moved.q_per_channel_scales().equal(q.q_per_channel_scales())
    assert q.unsqueeze(0).q_per_channel_axis() == 1


def test_slicing_and_flipping_take_the_scales_along():
    q = channels(0)
    scales = q.q_per_channel_scales().tolist()
    assert q[1:3].q_per_channel_scales().tolist() == scales[1:3]
    assert q.flip(0).q_per_channel_scales().tolist() == scales[::-1]
    assert q[:, 1:].q_per_channel_scales().tolist() == scales
    one = q[2:3]
    assert (one.q_per_channel_scales().tolist(), one.q_per_channel_axis()) == (scales[2:3], 0)


def test_one_channel_has_one_scale():
    q = channels(0)
    row = q[2]
    assert row.qscheme() is qrs.per_tensor_affine
    assert (row.q_scale(), row.q_zero_point()) == (q.q_per_channel_scales()[2].item(), 2)
    assert row.q_scale() == channels(0).select(0, 2).q_scale()


def test_one_element_has_one_scale():
    q = channels(0)
    assert q[2, 1, 0].item() == q.numpy()[2, 1, 0]
    with pytest.raises(DtypeError, match="indexing: the scales of axis 0"):
        channels(0, qrs.per_channel_affine_float_qparams)[2, 1, 0]


def test_one_channel_of_float_qparams_keeps_its_zero_point():
    row = channels(0, qrs.per_channel_affine_float_qparams)[2]
    assert row.qscheme() is qrs.per_channel_affine_float_qparams
    assert set(row.q_per_channel_zero_points().tolist()) == {2.5}


def test_scales_that_lose_their_axis_are_refused():
    with pytest.raises(DtypeError, match="reshape: the scales of axis 0 would not lie along one"):
        channels(1).reshape(12, 6).reshape(6, 12)


def test_a_reshape_that_keeps_channels_apart_keeps_their_scales():
    q = channels(0)
    flat = q.reshape(-1)
    assert flat.q_per_channel_scales().numel() == 72
    assert np.array_equal(flat.dequantize().numpy(), q.dequantize().numpy().reshape(-1))


def test_tensors_without_elements_keep_a_scale_for_each_index():
    q = channels(0)
    for empty in (q[:0], q[:, :0], q[:, :, 3:3], q[:0].permute(1, 0, 2)):
        assert empty.numel() == 0
        assert empty.q_per_channel_scales().numel() == empty.shape[empty.q_per_channel_axis()]


def test_views_share_the_integers():
    q = qrs.quantize_per_tensor(values(), 0.1, 0, qrs.qint8)
    for view in (q.reshape(12, 6), q.permute(2, 0, 1), q[1:], q.transpose(0, 1), q.unbind(1)[2]):
        assert np.shares_memory(view._ints, q._ints)


def test_a_view_that_strides_do_not_allow_is_a_copy():
    """As behind a convolution, whose output is channels-last in memory."""
    x = qrs.randn(2, 3, 4, 5).contiguous(memory_format=qrs.channels_last)
    q = qrs.quantize_per_tensor(x, 0.1, 0, qrs.qint8)
    assert q.view(q.size(0), -1).equal(q.reshape(2, 60))
    assert q.view_as(qrs.zeros(6, 20)).equal(q.reshape(6, 20))


def test_errors_are_those_of_plain_tensors():
    q = qrs.quantize_per_tensor(values(), 0.1, 0, qrs.qint8)
    with pytest.raises(ShapeError, match="reshape"):
        q.reshape(5, 5)
    with pytest.raises(ShapeError, match="permute"):
        q.permute(0, 1)
    with pytest.raises(ShapeError):
        q.unsqueeze(9)


def test_iterating_gives_the_rows():
    q = channels(1)
    rows = list(q)
    assert len(rows) == 4
    assert all(np.array_equal(r.numpy(), q.numpy()[i]) for i, r in enumerate(rows))


def test_functions_take_quantized_tensors():
    q = qrs.quantize_per_tensor(values(), 0.1, 0, qrs.qint8)
    assert qrs.flatten(q, 1).equal(q.flatten(1))
    assert qrs.reshape(q, (12, 6)).equal(q.reshape(12, 6))
    assert qrs.permute(q, (2, 0, 1)).equal(q.permute(2, 0, 1))
    assert [p.shape for p in qrs.chunk(q, 2)] == [p.shape for p in q.chunk(2)]
