import numpy as np
import pytest

import qrs


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (3, qrs.int64, ()),
        (2.5, qrs.float32, ()),
        (True, qrs.bool, ()),
        ([1, 2], qrs.int64, (2,)),
        ([1, 2.5], qrs.float32, (2,)),
        ([[True], [False]], qrs.bool, (2, 1)),
        ([], qrs.float32, (0,)),
        ([[], []], qrs.float32, (2, 0)),
        ((1.0, (2.0))[:1], qrs.float32, (1,)),
        (np.arange(3, dtype=np.int16), qrs.int16, (3,)),
        (np.ones(2), qrs.float64, (2,)),
        ([np.ones(2, np.float32)] * 3, qrs.float32, (3, 2)),
        ([qrs.tensor(1), qrs.tensor(2)], qrs.int64, (2,)),
    ],
)
def test_type_and_shape_follow_the_data(data, dtype, shape):
    x = qrs.tensor(data)
    assert x.dtype is dtype
    assert x.shape == shape


def test_tensor_copies_and_as_tensor_and_from_numpy_share():
    array = np.zeros(2, np.float32)
    copied, shared, same = qrs.tensor(array), qrs.as_tensor(array), qrs.from_numpy(array)
    array[0] = 1
    assert copied.tolist() == [0.0, 0.0]
    assert shared.tolist() == same.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1"])
def test_arrays_of_other_libraries_keep_type_and_memory(kind):
    class Other:
        def __init__(self):
            self.array = np.zeros(3, kind)

        def __array__(self, dtype=None, copy=None):
            return self.array

    other = Other()
    x, y = qrs.as_tensor(other), qrs.tensor(other)
    other.array[1] = 5
    assert x.numpy().dtype == y.numpy().dtype == kind
    assert (x.tolist(), y.tolist()) == ([0, 5, 0], [0, 0, 0])


def test_as_tensor_of_a_tensor_is_itself():
    x = qrs.ones(2)
    assert qrs.as_tensor(x) is x
    assert qrs.as_tensor(x, dtype=qrs.float64).dtype is qrs.float64


@pytest.mark.parametrize(
    "bad", ["text", ["a"], [1 + 2j], [None], [[1], [2, 3]], np.ones(2, "c8"), np.ones(2, "u2")]
)
def test_data_that_is_not_numeric_is_refused(bad):
    with pytest.raises(qrs.DtypeError):
        qrs.tensor(bad)


@pytest.mark.parametrize("bad", [[1.0], 1.0, qrs.ones(1)])
def test_from_numpy_takes_arrays_only(bad):
    with pytest.raises(qrs.DtypeError, match="a NumPy array was expected"):
        qrs.from_numpy(bad)


@pytest.mark.parametrize("bad", [qrs.qint8, "float32", np.float32])
def test_dtype_must_be_a_plain_qrs_type(bad):
    with pytest.raises(qrs.DtypeError, match="a plain qrs type"):
        qrs.zeros(2, dtype=bad)


@pytest.mark.parametrize("make", [qrs.zeros, qrs.ones, qrs.empty, qrs.rand, qrs.randn])
@pytest.mark.parametrize("size", [(), (3,), (2, 3), ((2, 3),), ([2, 0],)])
def test_size_comes_as_numbers_or_as_one_sequence(make, size):
    expected = tuple(size[0]) if size and not isinstance(size[0], int) else size
    assert make(*size).shape == expected


def test_size_must_be_integers():
    with pytest.raises(qrs.DtypeError, match="zeros: sizes"):
        qrs.zeros(2.5)


def test_requires_grad_is_set_at_creation():
    assert qrs.ones(2, requires_grad=True).requires_grad
    with pytest.raises(qrs.DtypeError):
        qrs.ones(2, dtype=qrs.int64, requires_grad=True)


def test_like_functions_take_shape_and_type():
    x = qrs.ones(2, 3, dtype=qrs.int32)
    for make in (qrs.zeros_like, qrs.ones_like, qrs.empty_like):
        assert (make(x).shape, make(x).dtype) == ((2, 3), qrs.int32)
    assert qrs.full_like(x, 7).tolist() == [[7] * 3] * 2
    assert qrs.zeros_like(x, dtype=qrs.float32).dtype is qrs.float32


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((4,), [0, 1, 2, 3]),
        ((1, 4), [1, 2, 3]),
        ((5, 0, -2), [5, 3, 1]),
        ((0.0, 1.0, 0.5), [0.0, 0.5]),
        ((3, 3), []),
    ],
)
def test_arange(arguments, expected):
    x = qrs.arange(*arguments)
    assert x.tolist() == expected
    integers = all(isinstance(a, int) for a in arguments)
    assert x.dtype is (qrs.int64 if integers else qrs.float32)


def test_arange_without_a_step_is_refused():
    with pytest.raises(ValueError, match="step 0"):
        qrs.arange(0, 5, 0)


def test_full_takes_its_type_from_the_value():
    assert qrs.full((2,), 7).dtype is qrs.int64
    assert qrs.full((2,), 7.0).dtype is qrs.float32
    assert qrs.full((2,), True).dtype is qrs.bool
    assert qrs.full((2,), 7, dtype=qrs.float64).dtype is qrs.float64


def test_ranges_and_identity():
    assert qrs.linspace(0, 1, 5).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert qrs.logspace(0, 2, 3).tolist() == [1.0, 10.0, 100.0]
    assert qrs.eye(2, 3).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def test_dlpack_goes_both_ways_without_a_copy():
    array = np.arange(3, dtype=np.float32)
    x = qrs.from_dlpack(array)
    x[0] = 9
    assert array[0] == 9
    back = np.from_dlpack(x)
    assert np.shares_memory(back, array)
    assert x.__dlpack_device__() == (1, 0)


def test_dlpack_of_something_else_is_refused():
    with pytest.raises(qrs.DtypeError, match="from_dlpack: list"):
        qrs.from_dlpack([1, 2])


def test_only_the_cpu_exists():
    assert qrs.zeros(1, device="cpu").device == qrs.device("cpu")
    with pytest.raises(ValueError, match=r"'cuda'.*only 'cpu'"):
        qrs.zeros(1, device="cuda")
    with pytest.raises(ValueError, match="only 'cpu'"):
        qrs.randn(1, device="cuda:0")


def test_legacy_constructor_gives_the_default_type():
    assert qrs.Tensor([1, 2]).dtype is qrs.float32
    assert qrs.Tensor(2, 3).shape == (2, 3)
    assert qrs.Tensor().shape == (0,)
    with pytest.raises(qrs.DtypeError, match="2 arguments"):
        qrs.Tensor([1], [2])
