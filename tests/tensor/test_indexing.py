import numpy as np
import pytest

import qrs

ARRAY = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)

INDICES = [
    0,
    -1,
    slice(1, None),
    (0, 1),
    (0, 1, 1),
    (..., 0),
    (None, 0),
    (slice(None), [0, 2]),
    [2, 0],
    np.array([[0, 1], [2, 0]]),
    ([0, 1], slice(None), [1, 1]),
    ARRAY > 0,
    (slice(None), np.array([True, False, True, False])),
    (slice(None, None, 2), slice(3, 0, -1)),
    ...,
    np.int64(1),
]


@pytest.mark.parametrize("i", range(len(INDICES)))
def test_reading_agrees_with_numpy(i):
    got = qrs.from_numpy(ARRAY)[INDICES[i]]
    assert got.shape == ARRAY[INDICES[i]].shape
    assert np.array_equal(got.numpy(), ARRAY[INDICES[i]])


@pytest.mark.parametrize("i", range(len(INDICES)))
def test_writing_agrees_with_numpy(i):
    x, expected = qrs.tensor(ARRAY), ARRAY.copy()
    x[INDICES[i]] = 7
    expected[INDICES[i]] = 7
    assert np.array_equal(x.numpy(), expected)


def test_tensors_are_indices():
    x = qrs.from_numpy(ARRAY)
    rows = qrs.tensor([2, 0])
    assert np.array_equal(x[rows].numpy(), ARRAY[[2, 0]])
    assert np.array_equal(x[:, rows, 0].numpy(), ARRAY[:, [2, 0], 0])
    assert np.array_equal(x[x > 0].numpy(), ARRAY[ARRAY > 0])
    assert np.array_equal(x[qrs.tensor(1)].numpy(), ARRAY[1])
    assert np.array_equal(x[[rows, rows]].numpy(), ARRAY[np.array([[2, 0], [2, 0]])])


def test_single_element_is_a_view_without_dimensions():
    x = qrs.zeros(2, 2)
    x[1, 1].add_(5)
    assert x.tolist() == [[0.0, 0.0], [0.0, 5.0]]


def test_repeated_index_adds_up_in_the_gradient():
    x = qrs.zeros(3, requires_grad=True)
    x[[0, 0, 2]].sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0]


def test_in_place_operator_on_an_index_writes_back():
    x = qrs.zeros(3)
    x[[0, 2]] += 1
    x[1] -= 2
    assert x.tolist() == [1.0, -2.0, 1.0]


def test_written_values_may_be_lists_and_arrays():
    x = qrs.zeros(2, 2)
    x[0] = [1.0, 2.0]
    x[1] = np.array([3, 4])
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("bad", [5, (0, 9), [7], (0, 0, 0, 0), 1.5, "a"])
def test_index_out_of_range_or_of_a_wrong_kind_is_refused(bad):
    x = qrs.from_numpy(ARRAY)
    with pytest.raises((qrs.ShapeError, qrs.DtypeError), match="getitem"):
        x[bad]
    with pytest.raises((qrs.ShapeError, qrs.DtypeError), match="setitem"):
        x[bad] = 0


def test_value_that_does_not_fit_is_refused():
    with pytest.raises(qrs.ShapeError, match="setitem"):
        qrs.zeros(3)[:2] = qrs.ones(3)


def test_gather_scatter_and_select():
    x = qrs.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    index = qrs.tensor([[2, 0], [1, 1]])
    assert x.gather(1, index).tolist() == [[3.0, 1.0], [5.0, 5.0]]
    assert x.scatter(1, index, 0.0).tolist() == [[0.0, 2.0, 0.0], [4.0, 0.0, 6.0]]
    assert qrs.zeros(2, 3).scatter_add(1, index, qrs.ones(2, 2)).tolist() == [
        [1.0, 0.0, 1.0],
        [0.0, 2.0, 0.0],
    ]
    assert x.index_select(1, qrs.tensor([2, 2])).tolist() == [[3.0, 3.0], [6.0, 6.0]]
    assert x.index_add(0, qrs.tensor([0, 0]), qrs.ones(2, 3)).tolist() == [
        [3.0, 4.0, 5.0],
        [4.0, 5.0, 6.0],
    ]
    assert x.masked_select(x > 3).tolist() == [4.0, 5.0, 6.0]
    assert qrs.take_along_dim(x, x.argsort(1, descending=True), 1).tolist() == [
        [3.0, 2.0, 1.0],
        [6.0, 5.0, 4.0],
    ]


@pytest.mark.parametrize("name", ["gather", "index_select"])
def test_index_must_be_a_tensor_of_integers(name):
    with pytest.raises(qrs.DtypeError, match=rf"{name}: an index of type float32.*long\(\)"):
        getattr(qrs.ones(2), name)(0, qrs.ones(1))


def test_slices_take_a_row_of_indices():
    x = qrs.ones(2, 3)
    assert x.index_select(1, qrs.tensor(2)).shape == (2, 1)
    with pytest.raises(qrs.ShapeError, match=r"index_select: an index of shape \(2, 2\)"):
        x.index_select(0, qrs.tensor([[0, 1], [1, 0]]))
    with pytest.raises(qrs.ShapeError, match=r"one slice for each, \(2, 3\)"):
        x.index_add(0, qrs.tensor([0, 1]), qrs.ones(3))
    with pytest.raises(qrs.ShapeError, match=r"index of shape \(1, 2\)"):
        x.index_add_(0, qrs.tensor([[0, 1]]), qrs.ones(2, 3))


def test_gather_needs_as_many_dimensions():
    with pytest.raises(qrs.ShapeError, match="as many dimensions"):
        qrs.ones(2, 2).gather(0, qrs.tensor([0]))


def test_gather_out_of_range_is_refused():
    with pytest.raises(qrs.ShapeError, match="gather"):
        qrs.ones(2).gather(0, qrs.tensor([2]))


@pytest.mark.parametrize("descending", [False, True])
def test_sorting_keeps_equal_elements_in_order(descending):
    x = qrs.tensor([[2, 1, 2, 0, 1]])
    values, indices = x.sort(1, descending)
    expected = [[0, 1, 2, 3, 4][i] for i in ([0, 2, 1, 4, 3] if descending else [3, 1, 4, 0, 2])]
    assert indices.tolist() == [expected]
    assert qrs.equal(x.gather(1, indices), values)
    assert qrs.equal(x.argsort(1, descending), indices)


def test_topk_gives_the_best_first():
    x = qrs.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    assert x.topk(2).values.tolist() == [[3.0, 2.0], [5.0, 4.0]]
    assert x.topk(1, 0, largest=False).indices.tolist() == [[1, 0, 0]]
    assert x.topk(0).values.shape == (2, 0)
    with pytest.raises(qrs.ShapeError, match="k 4 came for extent 3"):
        x.topk(4)


def test_sorting_passes_the_gradient_back_to_the_places():
    x = qrs.tensor([3.0, 1.0, 2.0], requires_grad=True)
    (x.sort().values * qrs.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [100.0, 1.0, 10.0]


def test_distinct_elements_with_inverse_and_counts():
    x = qrs.tensor([[2, 1], [2, 3]])
    values, inverse, counts = qrs.unique(x, return_inverse=True, return_counts=True)
    assert values.tolist() == [1, 2, 3]
    assert qrs.equal(values[inverse], x)
    assert counts.tolist() == [1, 2, 1]
    assert qrs.unique(x).tolist() == [1, 2, 3]


def test_places_of_nonzero_elements():
    x = qrs.tensor([[0, 5], [7, 0]])
    assert x.nonzero().tolist() == [[0, 1], [1, 0]]
    assert [p.tolist() for p in x.nonzero(as_tuple=True)] == [[0, 1], [1, 0]]
