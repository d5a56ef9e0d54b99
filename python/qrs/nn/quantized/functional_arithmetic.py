"""Sums, products and joins of quantized tensors, under PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs import _kernels
from qrs._kernels import Pair
from qrs.errors import DtypeError, ShapeError
from qrs.nn.quantized.output import byte_tensor, pair_of
from qrs.qtensor import QTensor
from qrs.qtensor.qparams import PerTensor, per_tensor
from qrs.qtensor.tables import known_table
from qrs.tensor import Tensor
from qrs.tensor.core import normalized_one

__all__ = [
    "add",
    "add_relu",
    "add_scalar",
    "add_scalar_relu",
    "cat",
    "combined",
    "matmul",
    "mul",
    "mul_relu",
    "mul_scalar",
    "mul_scalar_relu",
]


def _two(operation: str, a: Any, b: Any) -> tuple[QTensor, QTensor]:
    """Both operands, if they are quantized tensors of one type."""
    where = f"quantized.{operation}"
    a, b = byte_tensor(where, a), byte_tensor(where, b)
    if a._dtype is not b._dtype:
        raise DtypeError(
            f"{where}: {a._dtype!r} and {b._dtype!r} came, expected two tensors of one type"
        )
    return a, b


def combined(operation: str, a: QTensor, b: QTensor, output: PerTensor, relu: bool) -> QTensor:
    """Add or multiply two tensors of bytes of one type, which were checked."""
    inputs = (pair_of(a), pair_of(b))
    ints = _kernels.binary(operation, a._ints, b._ints, inputs, output, relu)
    return QTensor._wrap(ints, output, a._dtype)


def _combined(operation: str, a: Any, b: Any, output: tuple[Any, Any], relu: bool) -> QTensor:
    name = f"{operation}_relu" if relu else operation
    a, b = _two(name, a, b)
    return combined(operation, a, b, per_tensor(*output, a._dtype, f"quantized.{name}"), relu)


def add(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """Add element by element: ``clamp(z + rne((a + b) / s))``.

    Parameters
    ----------
    a, b : QTensor, both quint8 or both qint8, shapes that broadcast
    scale, zero_point : float, int
        Of the result.

    Raises
    ------
    DtypeError, ShapeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.add(x, x, 1.0, 20).dequantize()
    tensor([-6.,  4.])
    """
    return _combined("add", a, b, (scale, zero_point), False)


def add_relu(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """As `add`, with negative results becoming 0.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.add_relu(x, x, 1.0, 20).dequantize()
    tensor([0., 4.])
    """
    return _combined("add", a, b, (scale, zero_point), True)


def mul(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """Multiply element by element; arguments and errors as of `add`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> y = qrs.quantize_per_tensor(qrs.tensor([1.0, 3.0]), 1.0, 0, qrs.quint8)
    >>> qrs.nn.quantized.functional.mul(x, y, 1.0, 20).dequantize()
    tensor([-3.,  6.])
    """
    return _combined("mul", a, b, (scale, zero_point), False)


def mul_relu(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """As `mul`, with negative results becoming 0.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> y = qrs.quantize_per_tensor(qrs.tensor([1.0, 3.0]), 1.0, 0, qrs.quint8)
    >>> qrs.nn.quantized.functional.mul_relu(x, y, 1.0, 20).dequantize()
    tensor([0., 6.])
    """
    return _combined("mul", a, b, (scale, zero_point), True)


def _number(operation: str, x: Any, c: Any) -> tuple[QTensor, float]:
    """The tensor and the number, if they are such."""
    where = f"quantized.{operation}"
    x = byte_tensor(where, x)
    number = float(c)
    if not math.isfinite(number):
        raise ValueError(f"{where}: {number} came, expected a finite number")
    return x, number


def add_scalar(x: QTensor, c: float) -> QTensor:
    """Add a number: the integers stay where the zero point can follow.

    The zero point becomes ``z - rne(c / s)``. Where that leaves the range of the type, it becomes
    the end of the range and the scale grows, so that the largest result still has an integer
    (PyTorch 1.8.1).

    Parameters
    ----------
    x : QTensor, quint8 or qint8
    c : float

    Raises
    ------
    DtypeError, ValueError
        If they are not such.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> y = qrs.nn.quantized.functional.add_scalar(x, 1.0)
    >>> y.dequantize(), y.q_zero_point()
    (tensor([-2.,  3.]), 8)
    """
    x, c = _number("add_scalar", x, c)
    low, high = _range(x)
    scale, zero_point = pair_of(x)
    moved = zero_point - round(c / scale)
    if low <= moved <= high:
        return QTensor._wrap(x._ints, PerTensor(scale, moved), x._dtype)
    edge, far = (low, high) if moved < low else (high, low)
    wide = scale * abs(far - moved) / (high - low)
    output = per_tensor(wide, edge, x._dtype, "quantized.add_scalar")
    ints = np.arange(low, high + 1)
    steps = np.rint((ints - moved).astype(np.float32) * np.float32(scale / wide))
    stored = np.clip(steps + edge, low, high).astype(x._ints.dtype)
    # The table begins with the bits of 0.
    table = np.roll(stored, low).view(np.uint8)
    return QTensor._wrap(_kernels.lookup(x._ints, table), output, x._dtype)


def add_scalar_relu(x: QTensor, c: float) -> QTensor:
    """As `add_scalar`, with negative results becoming 0.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.add_scalar_relu(x, 1.0).dequantize()
    tensor([0., 3.])
    """
    return add_scalar(x, c).relu()


def mul_scalar(x: QTensor, c: float) -> QTensor:
    """Multiply by a number: the scale follows, and a negative number mirrors the integers.

    Parameters
    ----------
    x : QTensor, quint8 or qint8
    c : float

    Raises
    ------
    DtypeError, ValueError
        If they are not such, or the scale of the result is no float32.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.mul_scalar(x, -2.0).dequantize()
    tensor([ 6., -4.])
    """
    x, c = _number("mul_scalar", x, c)
    if c == 0:
        return QTensor.zeros(tuple(x.shape), 1.0, 0, x._dtype)
    low, high = _range(x)
    scale, zero_point = pair_of(x)
    point = zero_point if c > 0 else low + high - zero_point
    output = per_tensor(scale * abs(c), point, x._dtype, "quantized.mul_scalar")
    # Inverting the bits mirrors the range, that of either type.
    ints = x._ints if c > 0 else np.invert(x._ints)
    return QTensor._wrap(ints, output, x._dtype)


def mul_scalar_relu(x: QTensor, c: float) -> QTensor:
    """As `mul_scalar`, with negative results becoming 0.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.mul_scalar_relu(x, -2.0).dequantize()
    tensor([6., 0.])
    """
    return mul_scalar(x, c).relu()


def _range(x: QTensor) -> tuple[int, int]:
    kind: Any = x._dtype
    return kind.qmin, kind.qmax


def cat(
    tensors: Sequence[QTensor],
    dim: int = 0,
    scale: float | None = None,
    zero_point: int | None = None,
) -> QTensor:
    """Join tensors along a dimension; those with other parameters are quantized anew.

    Parameters
    ----------
    tensors : sequence of QTensor, all quint8 or all qint8, equal shapes except along ``dim``
    dim : int
    scale, zero_point : float, int, optional
        Of the result; those of the first tensor by default.

    Raises
    ------
    DtypeError, ShapeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-3.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> y = qrs.quantize_per_tensor(qrs.tensor([7.0]), 1.0, 0, qrs.quint8)
    >>> qrs.nn.quantized.functional.cat([x, y]).dequantize()
    tensor([-3.,  2.,  7.])
    """
    where = "quantized.cat"
    items = [byte_tensor(where, item) for item in tensors]
    if not items:
        raise ShapeError(f"{where}: no tensors came, expected at least one")
    first = items[0]
    kind, shape = first._dtype, first._ints.shape
    axis = normalized_one(where, dim, len(shape))
    for item in items:
        if item._dtype is not kind:
            raise DtypeError(f"{where}: {item._dtype!r} came beside {kind!r}, expected one type")
        own = item._ints.shape
        if not shape or len(own) != len(shape) or _without(own, axis) != _without(shape, axis):
            raise ShapeError(
                f"{where}: shapes {shape} and {own} came, expected equal lengths in every "
                f"dimension but {axis}"
            )
    own_scale, own_point = pair_of(first)
    output = per_tensor(
        own_scale if scale is None else scale,
        own_point if zero_point is None else zero_point,
        kind,
        where,
    )
    tables = [None if item._qparams == output else _requantized(item, output) for item in items]
    return QTensor._wrap(_kernels.cat([item._ints for item in items], tables, axis), output, kind)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _same(values: Tensor) -> Tensor:
    return values


def _requantized(x: QTensor, output: PerTensor) -> Any:
    """The table from the bytes of a tensor to those of other parameters."""
    return known_table(_same, (), x._qparams, output, x._dtype)


def matmul(a: QTensor, b: QTensor, scale: float, zero_point: int) -> QTensor:
    """Multiply matrices, or batches of them that broadcast.

    ``clamp(z + rne(f32(sum (q_a - z_a)(q_b - z_b)) * (s_a s_b / s)))``, the sum exact.

    Parameters
    ----------
    a, b : QTensor, both quint8 or both qint8, shapes (..., M, K) and (..., K, N); (K,) for a vector
    scale, zero_point : float, int
        Of the result, shape (..., M, N).

    Raises
    ------
    DtypeError, ShapeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[-3.0, 2.0]]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.functional.matmul(x, x.t(), 1.0, 0).dequantize()
    tensor([[13.]])
    """
    a, b = _two("matmul", a, b)
    left, right = a._ints, b._ints
    if not left.ndim or not right.ndim:
        raise ShapeError("quantized.matmul: a scalar came, expected vectors or matrices")
    x = left[None] if left.ndim == 1 else left
    y = right[:, None] if right.ndim == 1 else right
    (*lead_x, m, k), (*lead_y, depth, n) = x.shape, y.shape
    try:
        lead = np.broadcast_shapes(tuple(lead_x), tuple(lead_y))
    except ValueError:
        lead = None
    if lead is None or k != depth:
        raise ShapeError(
            f"quantized.matmul: shapes {left.shape} and {right.shape} came, expected (..., M, K) "
            "and (..., K, N) with leading dimensions that broadcast"
        )
    x, y = np.broadcast_to(x, (*lead, m, k)), np.broadcast_to(y, (*lead, k, n))
    output = per_tensor(scale, zero_point, a._dtype, "quantized.matmul")
    pairs = (pair_of(a), pair_of(b), output)
    ints = _products(x.reshape(-1, m, k), y.reshape(-1, k, n), *pairs)
    shape = [*lead, *(() if left.ndim == 1 else (m,)), *(() if right.ndim == 1 else (n,))]
    return QTensor._wrap(ints.reshape(shape), output, a._dtype)


def _products(x: Any, y: Any, a: Pair, b: Pair, output: Pair) -> Any:
    if x.dtype == np.uint8:
        return _kernels.matmul(x, y, (a, b), output)
    # Signed bytes are unsigned ones, all integers 128 larger.
    (a, b, output), signed = [(scale, point + 128) for scale, point in (a, b, output)], x.dtype
    x, y = (array.view(np.uint8) ^ 128 for array in (x, y))
    return (_kernels.matmul(x, y, (a, b), output) ^ 128).view(signed)
