import numpy as np
import pytest

import qrs

windows = np.lib.stride_tricks.sliding_window_view
ARRAY = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
X = qrs.from_numpy(ARRAY)

CASES = [
    (lambda x: x.reshape(6, -1), ARRAY.reshape(6, -1)),
    (lambda x: x.reshape((4, 6)), ARRAY.reshape(4, 6)),
    (lambda x: x.view(24), ARRAY.reshape(24)),
    (lambda x: x.view_as(qrs.zeros(8, 3)), ARRAY.reshape(8, 3)),
    (lambda x: x.reshape_as(qrs.zeros(8, 3)), ARRAY.reshape(8, 3)),
    (lambda x: x.flatten(), ARRAY.reshape(-1)),
    (lambda x: x.flatten(1), ARRAY.reshape(2, 12)),
    (lambda x: x.flatten(0, 1), ARRAY.reshape(6, 4)),
    (lambda x: x.unflatten(2, (2, -1)), ARRAY.reshape(2, 3, 2, 2)),
    (lambda x: x[:1].squeeze(), ARRAY[0]),
    (lambda x: x[:1].squeeze(0), ARRAY[0]),
    (lambda x: x.squeeze(1), ARRAY),
    (lambda x: x[:1, :, :1].squeeze((0, 2)), ARRAY[0, :, 0]),
    (lambda x: x.unsqueeze(0), ARRAY[None]),
    (lambda x: x.unsqueeze(-1), ARRAY[..., None]),
    (lambda x: x.permute(2, 0, 1), ARRAY.transpose(2, 0, 1)),
    (lambda x: x.permute((0, -1, 1)), ARRAY.transpose(0, 2, 1)),
    (lambda x: x.transpose(0, -1), ARRAY.swapaxes(0, -1)),
    (lambda x: x.swapaxes(0, 1), ARRAY.swapaxes(0, 1)),
    (lambda x: x.movedim(0, -1), np.moveaxis(ARRAY, 0, -1)),
    (lambda x: x.movedim((0, 1), (1, 2)), np.moveaxis(ARRAY, (0, 1), (1, 2))),
    (lambda x: x[0].t(), ARRAY[0].T),
    (lambda x: x.T, ARRAY.T),
    (lambda x: x.mT, ARRAY.swapaxes(-1, -2)),
    (lambda x: x[:1].expand(5, -1, 4), np.broadcast_to(ARRAY[:1], (5, 3, 4))),
    (lambda x: x.expand(2, 2, 3, 4), np.broadcast_to(ARRAY, (2, 2, 3, 4))),
    (lambda x: x[:1].expand_as(x), np.broadcast_to(ARRAY[:1], (2, 3, 4))),
    (lambda x: qrs.broadcast_to(x[:1], (2, 3, 4)), np.broadcast_to(ARRAY[:1], (2, 3, 4))),
    (lambda x: x.unfold(2, 3, 1), windows(ARRAY, 3, 2)),
    (lambda x: x.unfold(-1, 2, 2), windows(ARRAY, 2, 2)[:, :, ::2]),
    (lambda x: x.unfold(1, 3, 7), windows(ARRAY, 3, 1)[:, ::7]),
    (lambda x: x.unfold(0, 1, 1), windows(ARRAY, 1, 0)),
    (lambda x: x.as_strided((2, 3), (12, 1), 4), ARRAY[:, 1, :3]),
    (lambda x: qrs.as_strided(x, (3, 3), (0, 5)), np.broadcast_to(ARRAY.flat[[0, 5, 10]], (3, 3))),
    (lambda x: x.as_strided((), (), 7), ARRAY.reshape(-1)[7]),
    (lambda x: x.as_strided((0, 2), (1, 1)), np.zeros((0, 2))),
    (lambda x: x.triu(1), np.triu(ARRAY, 1)),
    (lambda x: x.tril(), np.tril(ARRAY)),
    (lambda x: x.diagonal(), np.diagonal(ARRAY)),
    (lambda x: x.diagonal(-1, 1, 2), np.diagonal(ARRAY, -1, 1, 2)),
    (lambda x: qrs.diag(x[0, 0], -1), np.diag(ARRAY[0, 0], -1)),
    (lambda x: qrs.diag(x[0], 1), np.diag(ARRAY[0], 1)),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_shape_changes_agree_with_numpy(case):
    function, expected = CASES[case]
    got = function(X)
    assert got.shape == expected.shape
    assert np.array_equal(got.numpy(), expected)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.reshape(-1),
        lambda x: x.flatten(),
        lambda x: x.permute(2, 1, 0),
        lambda x: x.unsqueeze(1),
        lambda x: x.diagonal(),
        lambda x: x.unbind(0)[1],
        lambda x: x.split(1)[0],
        lambda x: x[..., 1],
        lambda x: x.detach(),
        lambda x: x.data,
    ],
)
def test_views_share_memory(function):
    x = X.clone()
    assert np.shares_memory(function(x).numpy(), x.numpy())


@pytest.mark.parametrize(
    "function", [lambda x: x.clone(), lambda x: x.flip(0), lambda x: x.repeat(1, 1, 1)]
)
def test_copies_do_not_share_memory(function):
    assert not np.shares_memory(function(X).numpy(), X.numpy())


def test_view_of_strides_that_do_not_allow_it_is_refused():
    with pytest.raises(qrs.ShapeError, match=r"use reshape\(\)"):
        X.permute(2, 0, 1).view(-1)


def test_contiguous_copies_only_where_needed():
    assert X.contiguous() is X
    turned = X.permute(2, 0, 1)
    assert not turned.is_contiguous()
    assert turned.contiguous().is_contiguous()


def test_channels_last_is_another_order_of_the_same_elements():
    x = qrs.from_numpy(np.arange(24.0).reshape(1, 2, 3, 4))
    last = x.contiguous(memory_format=qrs.channels_last)
    assert qrs.equal(last, x)
    assert last.is_contiguous(memory_format=qrs.channels_last)
    assert not x.is_contiguous(memory_format=qrs.channels_last)
    assert last.stride() == (24, 1, 8, 2)
    assert last.contiguous(memory_format=qrs.channels_last) is last


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.reshape(5, 5), r"reshape\(float32\[2, 3, 4\], shape=\(5, 5\)\)"),
        (lambda x: x.permute(0, 1), "permute"),
        (lambda x: x.permute(0, 0, 1), "permute"),
        (lambda x: x.transpose(0, 3), "transpose: dim 3"),
        (lambda x: x.unsqueeze(5), "unsqueeze: dim 5"),
        (lambda x: x.squeeze(3), "squeeze: dim 3"),
        (lambda x: x.expand(2, 3), "expand"),
        (lambda x: x.expand(5, 3, 4), "expand"),
        (lambda x: x.t(), "t: a tensor of 3 dimensions"),
        (lambda x: x.flatten(2, 1), "start_dim 2 lies behind"),
        (lambda x: x.unflatten(2, (3, 2)), "their product"),
        (lambda x: x.movedim(0, 7), "movedim"),
        (qrs.diag, "a vector or a matrix"),
        (lambda x: x.unfold(1, 4, 1), "size 4 and step 1 came for dimension 1 of extent 3"),
        (lambda x: x.unfold(1, 2, 0), "a positive step"),
        (lambda x: x.unfold(3, 1, 1), "unfold: dim 3"),
        (lambda x: x.as_strided((2,), (1, 1)), "expected equal lengths"),
        (lambda x: x.as_strided((2, 2), (20, 4)), "reach elements 0 to 24, expected 0 to 23"),
        (lambda x: x.as_strided((2,), (-1,)), "reach elements -1 to 0"),
        (lambda x: x.T.as_strided((2,), (1,)), r"call contiguous\(\) before"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(function, message):
    with pytest.raises(qrs.ShapeError, match=message):
        function(X)


def test_sizes_may_be_tensors_and_must_be_integers():
    assert X.reshape(qrs.tensor(4), 6).shape == (4, 6)
    with pytest.raises(qrs.DtypeError, match="reshape: sizes"):
        X.reshape(4.0, 6)
