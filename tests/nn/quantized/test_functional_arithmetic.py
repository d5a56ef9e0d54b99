"""Sums, products and joins of quantized tensors against the formulas in float and in integers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError
from qrs.nn.quantized import functional as QF

KINDS = {qrs.quint8: (0, 255), qrs.qint8: (-128, 127)}


def random(shape: tuple[int, ...], kind: qrs.dtype, seed: int = 0) -> qrs.QTensor:
    low, high = KINDS[kind]
    rng = np.random.default_rng(seed)
    ints = rng.integers(low, high + 1, shape).astype(kind.numpy)
    scale, point = float(rng.uniform(0.01, 0.1)), int(rng.integers(low, high + 1))
    return qrs.QTensor.from_ints(ints, scale, point, kind)


def stored(values: np.ndarray, scale: float, zero_point: int, kind: qrs.dtype) -> np.ndarray:
    """The integers of float32 values by the formula."""
    steps = np.rint(values.astype(np.float32) * (np.float32(1) / np.float32(scale)))
    return np.clip(steps + zero_point, *KINDS[kind]).astype(kind.numpy)


def last(x: qrs.QTensor) -> qrs.QTensor:
    """The same tensor with its second axis last in memory."""
    ints = np.moveaxis(np.moveaxis(x._ints, 1, -1).copy(), -1, 1)
    return qrs.QTensor._wrap(ints, x._qparams, x.dtype)


def sliced(x: qrs.QTensor) -> qrs.QTensor:
    """The same tensor as part of a larger one."""
    wide = np.repeat(x._ints, 2, axis=-1)
    return qrs.QTensor._wrap(wide[..., ::2], x._qparams, x.dtype)


def exact_sum(a: qrs.QTensor, b: qrs.QTensor) -> np.ndarray:
    lines = []
    for x in (a, b):
        scale = np.float32(x.q_scale())
        # In double precision the fused operation is a product, a sum and one rounding.
        offset = np.float32(scale * np.float32(-x.q_zero_point()))
        lines.append((x._ints.astype(np.float64) * scale + offset).astype(np.float32))
    return lines[0] + lines[1]


SHAPES = [
    ((2, 3, 4, 5), (2, 3, 4, 5)),
    ((2, 3, 4, 5), (1, 3, 1, 1)),
    ((3, 1), (1, 4)),
    ((5,), (2, 5)),
    ((), (3,)),
    ((0, 3), (1, 3)),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("relu", [False, True])
def test_sums_and_products_by_formula(kind: qrs.dtype, shapes: Any, relu: bool) -> None:
    a, b = random(shapes[0], kind, 1), random(shapes[1], kind, 2)
    scale, point = 0.07, sum(KINDS[kind]) // 2
    y = (QF.add_relu if relu else QF.add)(a, b, scale, point)
    wanted = stored(exact_sum(a, b), scale, point, kind)
    floor = point if relu else KINDS[kind][0]
    assert np.array_equal(y._ints, np.maximum(wanted, floor))
    assert (y.dtype, y.q_scale(), y.q_zero_point()) == (kind, scale, point)
    y = (QF.mul_relu if relu else QF.mul)(a, b, scale, point)
    x = [t._ints.astype(np.float32) - np.float32(t.q_zero_point()) for t in (a, b)]
    factor = np.float32(a.q_scale()) * np.float32(b.q_scale()) * (np.float32(1) / np.float32(scale))
    wanted = np.clip(np.rint(x[0] * x[1] * factor) + point, *KINDS[kind]).astype(kind.numpy)
    assert np.array_equal(y._ints, np.maximum(wanted, floor))


@pytest.mark.parametrize("change", [last, sliced])
def test_the_order_in_memory_does_not_matter(change: Callable[..., qrs.QTensor]) -> None:
    a, b = random((2, 3, 4, 5), qrs.quint8, 1), random((2, 3, 4, 5), qrs.quint8, 2)
    row = random((1, 3, 1, 1), qrs.quint8, 3)
    for left, right in [(a, b), (a, row), (row, a)]:
        wanted = QF.add(left, right, 0.1, 90)
        for x in (left, change(left)):
            for y in (right, change(right)):
                assert QF.add(x, y, 0.1, 90).equal(wanted)
    wanted = QF.cat([a, b], 1)
    assert QF.cat([change(a), b], 1).equal(wanted)
    assert QF.cat([a, change(b)], 1).equal(wanted)


@pytest.mark.parametrize("shapes", [((2, 3, 4, 5), (4, 5)), ((3, 4, 5), (1, 1, 4, 5))], ids=str)
def test_tensors_of_fewer_axes_may_lie_in_any_way(shapes: Any) -> None:
    a, b = random(shapes[0], qrs.qint8, 1), random(shapes[1], qrs.qint8, 2)
    wanted = QF.mul(a, b, 0.1, 3)
    for x in (a, last(a), sliced(a)):
        for y in (b, last(b), sliced(b)):
            assert QF.mul(x, y, 0.1, 3).equal(wanted)
            assert QF.mul(y, x, 0.1, 3).equal(wanted)


def test_shapes_that_do_not_meet_are_named_as_they_came() -> None:
    a, b = last(random((2, 3, 4), qrs.quint8)), random((2, 4, 4), qrs.quint8)
    with pytest.raises(ShapeError, match=r"\[2, 3, 4\] and \[2, 4, 4\] came"):
        QF.add(a, b, 0.1, 0)


def test_a_result_keeps_its_channels_last_in_memory() -> None:
    x = last(random((2, 3, 4, 5), qrs.quint8))
    for y in (QF.add(x, x, 0.1, 0), QF.cat([x, x], 1), QF.add_scalar(x, 100.0), x.relu()):
        assert y._ints.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("c", [0.0, 0.26, -1.5, 1e3, -1e3])
def test_adding_a_number(kind: qrs.dtype, c: float) -> None:
    x = random((300,), kind)
    y = QF.add_scalar(x, c)
    low, high = KINDS[kind]
    assert low <= y.q_zero_point() <= high
    # Half a step of the old grid for the number, half one of the new for the result.
    within = (x.q_scale() + y.q_scale()) / 2 * 1.01
    assert np.abs(y.numpy() - (x.numpy() + np.float32(c))).max() <= within
    assert np.array_equal(QF.add_scalar_relu(x, c).numpy(), np.maximum(y.numpy(), 0))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("c", [0.0, 0.5, -2.0])
def test_multiplying_by_a_number(kind: qrs.dtype, c: float) -> None:
    x = random((300,), kind)
    y = QF.mul_scalar(x, c)
    np.testing.assert_allclose(y.numpy(), x.numpy() * np.float32(c), rtol=1e-6)
    assert np.array_equal(QF.mul_scalar_relu(x, c).numpy(), np.maximum(y.numpy(), 0))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none(number: float) -> None:
    x = random((3,), qrs.quint8)
    for function in (QF.add_scalar, QF.mul_scalar):
        with pytest.raises(ValueError, match="expected a finite number"):
            function(x, number)
    with pytest.raises(ValueError, match="scale"):
        QF.mul_scalar(x, 1e300)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_joining(kind: qrs.dtype, dim: int) -> None:
    shapes = [[2, 3, 4] for _ in range(3)]
    for n, shape in enumerate(shapes):
        shape[dim] = n
    items = [random(tuple(shape), kind, n) for n, shape in enumerate(shapes)]
    y = QF.cat(items, dim, 0.06, 10)
    values = np.concatenate([item.numpy() for item in items], dim)
    assert np.array_equal(y._ints, stored(values, 0.06, 10, kind))
    own = QF.cat(items[1:], dim)
    assert (own.q_scale(), own.q_zero_point()) == (items[1].q_scale(), items[1].q_zero_point())
    assert np.array_equal(own._ints.take(range(1), dim), items[1]._ints.take(range(1), dim))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(
    "shapes",
    [
        ((3, 5), (5, 4)),
        ((2, 3, 5), (5, 4)),
        ((2, 1, 3, 7), (4, 7, 2)),
        ((5,), (5, 4)),
        ((5,), (5,)),
    ],
    ids=str,
)
def test_products_of_matrices(kind: qrs.dtype, shapes: Any) -> None:
    a, b = random(shapes[0], kind, 1), random(shapes[1], kind, 2)
    y = QF.matmul(a, b, 0.5, sum(KINDS[kind]) // 2)
    x = [t._ints.astype(np.int64) - t.q_zero_point() for t in (a, b)]
    sums = np.matmul(*x).astype(np.float32)
    factor = np.float32(a.q_scale()) * np.float32(b.q_scale()) / np.float32(0.5)
    wanted = np.clip(np.rint(sums * factor) + y.q_zero_point(), *KINDS[kind])
    assert y._ints.shape == wanted.shape
    assert np.array_equal(y._ints, wanted.astype(kind.numpy))


def test_operands_that_do_not_fit() -> None:
    x, y = random((3, 3), qrs.quint8), random((3, 3), qrs.qint8)
    for function in (QF.add, QF.mul, QF.add_relu, QF.mul_relu, QF.matmul):
        with pytest.raises(DtypeError, match=r"quint8 and qrs\.qint8"):
            function(x, y, 0.1, 0)
        with pytest.raises(DtypeError, match=rf"quantized\.{function.__name__}: a float tensor"):
            function(x, qrs.ones(3, 3), 0.1, 0)
        with pytest.raises(ShapeError, match=r"3, 3.*2, 2"):
            function(x, random((2, 2), qrs.quint8), 0.1, 0)
        with pytest.raises(ValueError, match="scale 0"):
            function(x, x, 0.0, 0)
        with pytest.raises(ValueError, match="zero point 300"):
            function(x, x, 0.1, 300)
    with pytest.raises(ShapeError, match="no tensors"):
        QF.cat([])
    with pytest.raises(DtypeError, match="one type"):
        QF.cat([x, y])
    with pytest.raises(ShapeError, match="every dimension but 0"):
        QF.cat([x, random((2, 2), qrs.quint8)])
    with pytest.raises(ShapeError, match="dim 2"):
        QF.cat([x, x], 2)
    with pytest.raises(ShapeError, match="scalar"):
        QF.matmul(random((), qrs.quint8), x, 0.1, 0)
