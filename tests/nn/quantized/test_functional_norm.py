"""Normalisation of quantized tensors against the float functions."""

from collections.abc import Callable

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError
from qrs.nn import functional as F
from qrs.nn.quantized import functional as QF

from .test_functional_arithmetic import KINDS, last, random, sliced

Affine = tuple[qrs.Tensor | None, qrs.Tensor | None]


def affine(n: int | tuple[int, ...], given: bool) -> Affine:
    if not given:
        return None, None
    shape = (n,) if isinstance(n, int) else n
    return qrs.rand(*shape) + 0.5, qrs.randn(*shape)


def near(y: qrs.QTensor, exact: qrs.Tensor, kind: qrs.dtype) -> None:
    """Integers are those of the float result, or beside them where it lies between two."""
    wanted = exact.numpy() / y.q_scale() + y.q_zero_point()
    wanted = np.clip(wanted, *KINDS[kind])
    assert y.dtype is kind
    assert np.abs(y._ints - wanted).max() <= 0.501


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (2, 4, 5, 3), (2, 4, 3, 2, 3)], ids=str)
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_batch_norm(kind: qrs.dtype, shape: tuple[int, ...], given: bool, relu: bool) -> None:
    x = random(shape, kind)
    weight, bias = affine(4, given)
    mean, var = qrs.randn(4), qrs.rand(4) + 0.5
    pair = (0.05, KINDS[kind][0] + 120)
    y = QF.batch_norm(x, weight, bias, mean, var, 1e-3, *pair, relu=relu)
    exact = F.batch_norm(x.dequantize(), mean, var, weight, bias, eps=1e-3)
    near(y, exact.relu() if relu else exact, kind)
    for change in (last, sliced):
        assert QF.batch_norm(change(x), weight, bias, mean, var, 1e-3, *pair, relu=relu).equal(y)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("sizes", [(6,), (5, 6)], ids=str)
@pytest.mark.parametrize("given", [False, True])
def test_layer_norm(kind: qrs.dtype, sizes: tuple[int, ...], given: bool) -> None:
    x = random((3, 4, 5, 6), kind)
    weight, bias = affine(sizes, given)
    pair = (0.05, KINDS[kind][0] + 120)
    y = QF.layer_norm(x, sizes, weight, bias, 1e-5, *pair)
    near(y, F.layer_norm(x.dequantize(), sizes, weight, bias), kind)
    for change in (last, sliced):
        assert QF.layer_norm(change(x), sizes, weight, bias, 1e-5, *pair).equal(y)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(3, 6, 7), (2, 6, 5, 3), (2, 6, 3, 2, 3)], ids=str)
@pytest.mark.parametrize("groups", [1, 3, 6])
@pytest.mark.parametrize("given", [False, True])
def test_group_and_instance_norm(
    kind: qrs.dtype, shape: tuple[int, ...], groups: int, given: bool
) -> None:
    x = random(shape, kind)
    weight, bias = affine(6, given)
    pair = (0.05, KINDS[kind][0] + 120)
    run: Callable[[qrs.QTensor], qrs.QTensor] = lambda x: QF.group_norm(  # noqa: E731
        x, groups, weight, bias, 1e-5, *pair
    )
    y = run(x)
    near(y, F.group_norm(x.dequantize(), groups, weight, bias), kind)
    for change in (last, sliced):
        assert run(change(x)).equal(y)
    if groups == 6:
        assert QF.instance_norm(x, weight, bias, 1e-5, *pair).equal(y)


def test_what_does_not_fit() -> None:
    x, one = random((2, 6, 4), qrs.quint8), qrs.ones(6)
    with pytest.raises(ShapeError, match="expected 5 channels"):
        QF.batch_norm(x, None, None, qrs.ones(5), qrs.ones(5), 1e-5, 0.1, 0)
    with pytest.raises(ShapeError, match="multiple of 4 groups"):
        QF.group_norm(x, 4, one, one, 1e-5, 0.1, 0)
    with pytest.raises(ShapeError, match=r"last axes to be \(5,\)"):
        QF.layer_norm(x, [5], None, None, 1e-5, 0.1, 0)
    with pytest.raises(ShapeError, match=r"at least \(N, C\)"):
        QF.instance_norm(x[0, 0], None, None, 1e-5, 0.1, 0)
    with pytest.raises(DtypeError, match=r"quantized\.instance_norm: a float tensor"):
        QF.instance_norm(qrs.ones(2, 6, 4), None, None, 1e-5, 0.1, 0)
    with pytest.raises(DtypeError, match=r"a list came for a parameter.*make one with qrs\.as_t"):
        QF.batch_norm(x, [1.0] * 6, None, one, one, 1e-5, 0.1, 0)
    with pytest.raises(ShapeError, match="number of biases"):
        QF.group_norm(x, 3, one, qrs.ones(5), 1e-5, 0.1, 0)
    with pytest.raises(DtypeError, match=r"quantized\.layer_norm: a float tensor"):
        QF.layer_norm(qrs.ones(2, 6), [6], None, None, 1e-5, 0.1, 0)
    with pytest.raises(ValueError, match="scale 0"):
        QF.group_norm(x, 3, one, one, 1e-5, 0.0, 0)
