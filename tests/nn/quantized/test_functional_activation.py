"""Activations of quantized tensors: the float function between dequantization and quantization."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError
from qrs.nn import functional as F
from qrs.nn.quantized import functional as QF

from .test_functional_arithmetic import KINDS, last, sliced

# The quantized function, the float one, and arguments of both.
OWN_RANGE: dict[str, tuple[Any, ...]] = {
    "hardswish": (F.hardswish,),
    "elu": (F.elu, 0.7),
    "celu": (F.celu, 0.7),
    "gelu": (F.gelu, "tanh"),
    "silu": (F.silu,),
    "sigmoid": (F.sigmoid,),
    "tanh": (F.tanh,),
    "unary": (lambda x: x * x * x,),
}
SAME_RANGE: dict[str, tuple[Any, ...]] = {
    "leaky_relu": (F.leaky_relu, 0.3),
    "threshold": (F.threshold, 0.4, -0.2),
}


def every_byte(kind: qrs.dtype) -> qrs.QTensor:
    low, high = KINDS[kind]
    ints = np.arange(low, high + 1).astype(kind.numpy).reshape(1, 16, 4, 4)
    return qrs.QTensor.from_ints(ints, 0.05, low + 100, kind)


def stored(values: qrs.Tensor, scale: float, zero_point: int, kind: qrs.dtype) -> np.ndarray:
    return qrs.quantize_per_tensor(values, scale, zero_point, kind)._ints


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("change", [lambda x: x, last, sliced])
@pytest.mark.parametrize("name", OWN_RANGE)
def test_functions_with_a_range_of_their_own(
    name: str, kind: qrs.dtype, change: Callable[..., qrs.QTensor]
) -> None:
    function, *arguments = OWN_RANGE[name]
    x = every_byte(kind)
    wanted = stored(function(x.dequantize(), *arguments), 0.04, KINDS[kind][0] + 30, kind)
    pair = (0.04, KINDS[kind][0] + 30)
    first = (function, *pair) if name == "unary" else pair
    y = getattr(QF, name)(change(x), *first, *arguments)
    assert np.array_equal(y._ints, wanted)
    assert (y.dtype, y.q_scale(), y.q_zero_point()) == (kind, *pair)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", SAME_RANGE)
def test_functions_that_keep_the_range(name: str, kind: qrs.dtype) -> None:
    function, *arguments = SAME_RANGE[name]
    x = every_byte(kind)
    own = x.q_scale(), x.q_zero_point()
    for call in (getattr(QF, name), function):
        y = call(x, *arguments)
        assert np.array_equal(y._ints, stored(function(x.dequantize(), *arguments), *own, kind))
        assert (y.q_scale(), y.q_zero_point()) == own


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("change", [lambda x: x, last, sliced])
def test_bounds(kind: qrs.dtype, change: Callable[..., qrs.QTensor]) -> None:
    x = every_byte(kind)
    own = x.q_scale(), x.q_zero_point(), kind
    for low, high in [(-1.0, 1.0), (0.0, 6.0), (-100.0, 0.5), (2.0, -2.0)]:
        a, b = (int(stored(qrs.tensor([v]), *own)[0]) for v in (low, high))
        wanted = np.minimum(np.maximum(x._ints, a), b)
        y = change(x)
        assert np.array_equal(QF.clamp(y, low, high)._ints, wanted)
        assert np.array_equal(QF.hardtanh(y, low, high)._ints, wanted)
        assert np.array_equal(F.hardtanh(y, low, high)._ints, wanted)
        if (low, high) == (0.0, 6.0):
            assert np.array_equal(QF.relu6(y)._ints, wanted)
    assert np.array_equal(change(x).relu()._ints, np.maximum(x._ints, x.q_zero_point()))
    assert np.array_equal(
        x.clamp(min=0.3)._ints, np.maximum(x._ints, stored(qrs.tensor(0.3), *own))
    )
    assert np.array_equal(
        x.clamp(max=0.3)._ints, np.minimum(x._ints, stored(qrs.tensor(0.3), *own))
    )


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_functions_with_a_fixed_range(kind: qrs.dtype) -> None:
    x, low = every_byte(kind), KINDS[kind][0]
    for y, values, scale, point in [
        (x.sigmoid(), x.dequantize().sigmoid(), 1 / 256, low),
        (F.hardsigmoid(x), F.hardsigmoid(x.dequantize()), 1 / 256, low),
        (x.tanh(), x.dequantize().tanh(), 2 / 256, low + 128),
    ]:
        assert np.array_equal(y._ints, stored(values, scale, point, kind))
        assert (y.q_scale(), y.q_zero_point()) == (scale, point)


def test_a_function_of_the_user_is_asked_anew() -> None:
    x = every_byte(qrs.quint8)
    factor = 1.0
    function = lambda v: v * factor  # noqa: E731
    assert QF.unary(x, function, 0.05, 100).equal(x)
    factor = -1.0
    assert QF.unary(x, function, 0.05, 100)._ints.flatten()[110] == 90


def test_leaky_relu_with_a_range_of_its_own() -> None:
    x = every_byte(qrs.quint8)
    y = QF.leaky_relu(x, 0.3, scale=0.02, zero_point=7)
    assert np.array_equal(y._ints, stored(F.leaky_relu(x.dequantize(), 0.3), 0.02, 7, qrs.quint8))


def test_what_is_refused() -> None:
    for name, (_, *arguments) in OWN_RANGE.items():
        first = (F.relu, 0.1, 0) if name == "unary" else (0.1, 0)
        with pytest.raises(DtypeError, match=rf"quantized\.{name}: a float tensor"):
            getattr(QF, name)(qrs.ones(2), *first, *arguments)
    for name in ("clamp", "hardtanh", "relu6", "hardsigmoid", "threshold", "leaky_relu"):
        arguments = {"clamp": (0, 1), "threshold": (0, 1)}.get(name, ())
        with pytest.raises(DtypeError, match=rf"quantized\.{name}: a float tensor"):
            getattr(QF, name)(qrs.ones(2), *arguments)
    with pytest.raises(DtypeError, match=r"dropout: a quantized tensor came in training"):
        F.dropout(every_byte(qrs.quint8), 0.5, training=True)
    wide = qrs.quantize_per_tensor(qrs.ones(2), 0.1, 0, qrs.qint32)
    with pytest.raises(DtypeError, match=r"qint32 came, expected qrs\.quint8 or qrs\.qint8"):
        QF.sigmoid(wide, 0.1, 0)


@pytest.mark.parametrize(
    "call",
    [
        F.relu,
        QF.relu6,
        lambda x, inplace: QF.hardtanh(x, -0.5, 0.5, inplace),
        lambda x, inplace: QF.threshold(x, 0.3, -0.2, inplace),
        QF.hardsigmoid,
        lambda x, inplace: QF.leaky_relu(x, 0.3, inplace),
        lambda x, inplace: QF.leaky_relu(x, 0.3, inplace, 0.02, 7),
    ],
)
def test_inplace_calls_change_the_tensor_and_no_other(
    call: Callable[[qrs.QTensor, bool], qrs.QTensor],
) -> None:
    x = qrs.quantize_per_tensor(qrs.tensor([-2.0, -0.4, 0.2, 2.0]), 0.05, 60, qrs.quint8)
    view, before = x[1:], x.clone()
    expected = call(x, False)
    assert x.equal(before)
    assert call(x, True) is x
    assert x.equal(expected)
    assert (x.q_scale(), x.q_zero_point()) == (expected.q_scale(), expected.q_zero_point())
    assert view.equal(before[1:])
