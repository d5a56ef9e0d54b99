"""Pooling of quantized tensors against the float functions on exact integers."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError
from qrs.nn import functional as F
from qrs.nn.quantized import functional as QF

from .test_functional_arithmetic import KINDS, last, random, sliced

WINDOWS = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 1, "padding": 1, "ceil_mode": True},
]
CHANGES = [lambda x: x, last, sliced]


def integers(x: qrs.QTensor) -> qrs.Tensor:
    """`q - z` in double precision, which holds sums and means of them nearly exactly."""
    return qrs.from_numpy(x._ints.astype(np.float64) - x.q_zero_point())


def image(rank: int, kind: qrs.dtype) -> qrs.QTensor:
    return random((2, 5, *[9, 7, 5][:rank]), kind, rank)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "window", [*WINDOWS, {"kernel_size": 2, "stride": 1, "dilation": 2}], ids=str
)
def test_max_pool(rank: int, kind: qrs.dtype, window: dict[str, Any]) -> None:
    x = image(rank, kind)
    name = f"max_pool{rank}d"
    wanted, places = getattr(F, name)(integers(x), **window, return_indices=True)
    wanted = wanted.numpy() + x.q_zero_point()
    for change in CHANGES:
        for function in (getattr(F, name), getattr(QF, name)):
            y = function(change(x), **window)
            assert np.array_equal(y._ints, wanted)
            assert y.dtype is kind
    y, found = getattr(QF, name)(x, **window, return_indices=True)
    assert np.array_equal(y._ints, wanted)
    assert np.array_equal(found.numpy(), places.numpy())
    assert getattr(QF, name)(x[1], **window).equal(getattr(QF, name)(x, **window)[1])


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("include", [True, False])
def test_avg_pool(rank: int, kind: qrs.dtype, window: dict[str, Any], include: bool) -> None:
    x = image(rank, kind)
    name = f"avg_pool{rank}d"
    exact = getattr(F, name)(integers(x), **window, count_include_pad=include).numpy()
    point = x.q_zero_point()
    for change in CHANGES:
        y = getattr(F, name)(change(x), **window, count_include_pad=include)
        is_last = change is last or rank == 3
        # Half way between integers the rounding shows when the zero point is added.
        sum_first = np.rint((exact + point).astype(np.float32))
        wanted = np.rint(exact.astype(np.float32)) + point if is_last else sum_first
        assert np.array_equal(y._ints, np.clip(wanted, *KINDS[kind]).astype(kind.numpy))
        assert (y.q_scale(), y.q_zero_point()) == (x.q_scale(), point)


@pytest.mark.parametrize("rank", [2, 3])
def test_another_divisor(rank: int) -> None:
    x = last(image(rank, qrs.quint8))
    y = getattr(F, f"avg_pool{rank}d")(x, 2, divisor_override=3)
    exact = getattr(F, f"avg_pool{rank}d")(integers(x), 2, divisor_override=3).numpy()
    wanted = np.clip(np.rint(exact.astype(np.float32)) + x.q_zero_point(), 0, 255)
    assert np.array_equal(y._ints, wanted)
    with pytest.raises(ValueError, match="divisor_override 0"):
        getattr(F, f"avg_pool{rank}d")(x, 2, divisor_override=0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 3, [None, 4, 2]], ids=str)
def test_adaptive_pool(rank: int, kind: qrs.dtype, size: Any) -> None:
    x = image(rank, kind)
    size = size[:rank] if isinstance(size, list) else size
    largest, places = getattr(F, f"adaptive_max_pool{rank}d")(
        integers(x), size, return_indices=True
    )
    name = f"adaptive_avg_pool{rank}d"
    exact, point = getattr(F, name)(integers(x), size).numpy(), x.q_zero_point()
    for change in CHANGES:
        y = getattr(F, name)(change(x), size)
        sum_first = np.rint((exact + point).astype(np.float32))
        wanted = np.rint(exact.astype(np.float32)) + point if change is last else sum_first
        assert np.array_equal(y._ints, wanted.astype(kind.numpy))
        y = getattr(F, f"adaptive_max_pool{rank}d")(change(x), size)
        assert np.array_equal(y._ints, largest.numpy() + point)
    _, found = getattr(QF, f"adaptive_max_pool{rank}d")(x, size, return_indices=True)
    assert np.array_equal(found.numpy(), places.numpy())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_means_of_whole_axes(kind: qrs.dtype) -> None:
    x = image(2, kind)
    for change in CHANGES:
        for dim in (None, 0, -1, (2, 3), (0, 2), (0, 1, 2, 3)):
            for keepdim in (False, True):
                y = change(x).mean(dim, keepdim)
                exact = integers(x).numpy().mean(dim, keepdims=keepdim)
                wanted = np.rint(exact) + x.q_zero_point()
                assert y._ints.shape == wanted.shape
                assert np.array_equal(y._ints, wanted.astype(kind.numpy))
    with pytest.raises(ShapeError, match="dim 4"):
        x.mean(4)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"])
def test_images_keep_their_order_in_memory(name: str) -> None:
    x = image(2, qrs.quint8)
    function = getattr(F, name)
    assert function(x, 3)._ints.flags.c_contiguous
    assert function(last(x), 3)._ints.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("change", CHANGES)
def test_a_sample_does_not_depend_on_its_batch(change: Any) -> None:
    x = change(random((6, 5, 9, 7), qrs.quint8))
    whole = F.avg_pool2d(x, 2)
    for i in range(6):
        assert F.avg_pool2d(x[i : i + 1], 2)._ints.tobytes() == whole[i : i + 1]._ints.tobytes()
        assert F.avg_pool2d(x[i], 2).equal(whole[i])
    assert F.avg_pool2d(x[::2], 2).equal(whole[::2])
    assert F.adaptive_avg_pool2d(x[::2], 2).equal(F.adaptive_avg_pool2d(x, 2)[::2])


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_windows_that_do_not_fit(name: str) -> None:
    x, function = image(2, qrs.quint8), getattr(F, name)
    for window, what in [
        ({"kernel_size": 0}, "at least"),
        ({"kernel_size": -2}, "positive"),
        ({"kernel_size": 2, "stride": -1}, "positive"),
        ({"kernel_size": 2, "padding": 2}, "half"),
        ({"kernel_size": 11}, "smaller"),
        ({"kernel_size": (2, 2, 2)}, "kernel_size"),
    ]:
        with pytest.raises(ShapeError, match=what):
            function(x, **window)
    with pytest.raises(ShapeError, match=r"expected \(N, C, H, W\)"):
        function(x[0, 0], 2)
    with pytest.raises(DtypeError, match="qint32"):
        function(qrs.quantize_per_tensor(qrs.ones(1, 1, 4, 4), 0.1, 0, qrs.qint32), 2)


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_adaptive_pool_to_nothing(kind: str) -> None:
    x = image(2, qrs.quint8)
    for size in (0, (0, 3), (2, 0)):
        y = getattr(F, f"adaptive_{kind}_pool2d")(x, size)
        wanted = getattr(F, f"adaptive_{kind}_pool2d")(integers(x), size)
        assert (tuple(y.shape), y.dtype) == (tuple(wanted.shape), qrs.quint8)


@pytest.mark.parametrize("size", [-1, (2, -3), 2.5, "2"])
def test_adaptive_sizes_are_counts(size: Any) -> None:
    x = image(2, qrs.quint8)
    for call in (F.adaptive_max_pool2d, F.adaptive_avg_pool2d):
        for value in (x, x.dequantize()):
            with pytest.raises(
                ShapeError, match=r"output_size .* expected 2 numbers of at least 0"
            ):
                call(value, size)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="output_size"):
        F.adaptive_avg_pool2d(image(2, qrs.quint8), (1, 2, 3))
    with pytest.raises(ShapeError, match="no empty axis"):
        F.adaptive_avg_pool2d(qrs.QTensor.zeros((1, 1, 0, 3), 0.1, 0, qrs.quint8), 1)
