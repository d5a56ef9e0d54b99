import numpy as np
import pytest

import qrs

ARRAY = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
X = qrs.from_numpy(ARRAY)

CASES = [
    (lambda x: qrs.cat([x, x], 1), np.concatenate([ARRAY, ARRAY], 1)),
    (lambda x: qrs.cat((x, x[..., :1]), dim=-1), np.concatenate([ARRAY, ARRAY[..., :1]], -1)),
    (lambda x: qrs.concat([x]), ARRAY),
    (lambda x: qrs.cat([qrs.tensor([]), x]), ARRAY),
    (lambda x: qrs.stack([x, x], 1), np.stack([ARRAY, ARRAY], 1)),
    (lambda x: qrs.stack([x, x], -1), np.stack([ARRAY, ARRAY], -1)),
    (lambda x: x.repeat(2, 1, 3), np.tile(ARRAY, (2, 1, 3))),
    (lambda x: x.repeat(2, 1, 1, 1), np.tile(ARRAY, (2, 1, 1, 1))),
    (lambda x: x.tile(2), np.tile(ARRAY, 2)),
    (lambda x: x.repeat_interleave(2), np.repeat(ARRAY, 2)),
    (lambda x: x.repeat_interleave(qrs.tensor([0, 2, 1]), 1), np.repeat(ARRAY, [0, 2, 1], 1)),
    (lambda x: x.flip(0, -1), ARRAY[::-1, :, ::-1]),
    (lambda x: x.flip((1,)), ARRAY[:, ::-1]),
    (lambda x: x.roll(3), np.roll(ARRAY, 3)),
    (lambda x: x.roll((1, -1), (0, 2)), np.roll(ARRAY, (1, -1), (0, 2))),
    (lambda x: x.narrow(2, 1, 2), ARRAY[:, :, 1:3]),
    (lambda x: x.narrow(2, -2, 2), ARRAY[:, :, -2:]),
    (lambda x: x.select(1, -1), ARRAY[:, -1]),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_results_agree_with_numpy(case):
    function, expected = CASES[case]
    got = function(X)
    assert got.shape == expected.shape
    assert np.array_equal(got.numpy(), expected)


@pytest.mark.parametrize(
    ("parts", "extents"),
    [
        (lambda x: x.split(2, 2), [2, 2]),
        (lambda x: x.split(3, 2), [3, 1]),
        (lambda x: x.split([1, 0, 3], 2), [1, 0, 3]),
        (lambda x: x.chunk(3, 2), [2, 2]),
        (lambda x: x.chunk(9, 2), [1, 1, 1, 1]),
    ],
)
def test_parts_make_up_the_whole(parts, extents):
    found = parts(X)
    assert [part.shape[2] for part in found] == extents
    assert qrs.equal(qrs.cat(found, 2), X)


def test_unbind_and_iteration_give_each_index():
    assert [part.tolist() for part in X.unbind(2)] == [ARRAY[..., i].tolist() for i in range(4)]
    assert [part.tolist() for part in X] == ARRAY.tolist()


def test_joining_promotes_types():
    assert qrs.cat([qrs.ones(1), qrs.ones(1, dtype=qrs.int64)]).dtype is qrs.float32
    assert qrs.stack([qrs.ones(1, dtype=qrs.int8), qrs.ones(1, dtype=qrs.int64)]).dtype is qrs.int64


def test_gradient_flows_to_each_joined_tensor():
    a, b = qrs.ones(2, requires_grad=True), qrs.ones(3, requires_grad=True)
    (qrs.cat([a, b]) * qrs.arange(5)).sum().backward()
    assert a.grad.tolist() == [0.0, 1.0]
    assert b.grad.tolist() == [2.0, 3.0, 4.0]


def test_joined_inputs_may_be_modified_afterwards():
    a = qrs.ones(2, requires_grad=True) * 1
    joined = qrs.cat([a, a])
    a.add_(1)
    joined.sum().backward()
    assert joined.tolist() == [1.0] * 4


def test_grid_of_coordinates():
    rows, columns = qrs.meshgrid(qrs.arange(2), qrs.arange(3))
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert columns.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert qrs.meshgrid(qrs.arange(2), qrs.arange(3), indexing="xy")[0].shape == (3, 2)
    with pytest.raises(ValueError, match="'ij' or 'xy'"):
        qrs.meshgrid(qrs.arange(2), indexing="yx")
    with pytest.raises(qrs.ShapeError, match=r"meshgrid: tensor 1 of shape \(2, 2\)"):
        qrs.meshgrid(qrs.arange(2), qrs.ones(2, 2))


def test_grid_passes_gradients():
    x, y = qrs.ones(2, requires_grad=True), qrs.ones(3, requires_grad=True)
    rows, columns = qrs.meshgrid(x, y, indexing="xy")
    (rows + 2 * columns).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert y.grad.tolist() == [4.0, 4.0, 4.0]


def test_tensors_broadcast_together():
    a, b = qrs.broadcast_tensors(qrs.zeros(3, 1), qrs.ones(2))
    assert a.shape == b.shape == (3, 2)
    with pytest.raises(qrs.ShapeError, match="do not broadcast"):
        qrs.broadcast_tensors(qrs.zeros(3), qrs.zeros(2))


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda: qrs.cat([]), qrs.ShapeError, "no tensors came"),
        (lambda: qrs.stack([]), qrs.ShapeError, "no tensors came"),
        (lambda: qrs.cat([X, 1.0]), qrs.DtypeError, "item 1 is of type float"),
        (lambda: qrs.cat([X, X[0]]), qrs.ShapeError, "cat"),
        (lambda: qrs.cat([X, X[:, :2]], 0), qrs.ShapeError, "cat"),
        (lambda: qrs.cat([X, X], 3), qrs.ShapeError, "dim 3"),
        (lambda: qrs.stack([X, X[0]]), qrs.ShapeError, "stack"),
        (lambda: X.split(0), qrs.ShapeError, "split_size 0"),
        (lambda: X.split([1, 1], 2), qrs.ShapeError, "add up"),
        (lambda: X.chunk(0), qrs.ShapeError, "at least 1"),
        (lambda: X.narrow(0, 1, 2), qrs.ShapeError, "inside extent 2"),
        (lambda: X.repeat(2), qrs.ShapeError, "1 counts came"),
        (lambda: qrs.tensor(1.0).unbind(), qrs.ShapeError, "without dimensions"),
    ],
)
def test_what_does_not_fit_is_refused(function, error, message):
    with pytest.raises(error, match=message):
        function()
