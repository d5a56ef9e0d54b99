"""Functions of quantized tensors by table: a byte has 256 values, so each is computed once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from qrs import _kernels
from qrs.dtypes import dtype, qint8, quint8
from qrs.qtensor.core import Array, QuantizedBase, dequantized, quantized
from qrs.qtensor.qparams import PerTensor
from qrs.tensor import Tensor

__all__ = ["BYTES", "by_table", "byte_table", "known_table"]

BYTES = (quint8, qint8)
"""The types that store a value in a byte."""


def byte_table(
    function: Callable[..., Tensor],
    arguments: tuple[Any, ...],
    input: PerTensor,
    output: PerTensor,
    kind: dtype,
) -> Array:
    """For the bits of each byte, the bits of `function` of the value that it stands for."""
    ints: Array = np.arange(256, dtype=np.uint8).view(kind.numpy)
    values = function(Tensor._wrap(dequantized(ints, input)), *arguments)
    floats = np.ascontiguousarray(values._array, np.float32)
    table: Array = quantized(floats, output, kind).view(np.uint8)
    return table


known_table = functools.lru_cache(maxsize=1024)(byte_table)


def by_table(
    x: QuantizedBase,
    function: Callable[..., Tensor],
    output: PerTensor,
    arguments: tuple[Any, ...] = (),
    keep: bool = True,
) -> Any:
    """`quantize(function(dequantize(x), *arguments))` for a tensor with one scale.

    Parameters
    ----------
    x : QTensor
    function : callable
        Maps each element of a float tensor for itself.
    output : PerTensor
        Scale and zero point of the result, which has the type of `x`.
    arguments : tuple
        Hashable ones.
    keep : bool
        Whether the table is kept for later calls: only for functions that never change.
    """
    qparams: Any = x._qparams
    if x._dtype not in BYTES:
        values = function(x.dequantize(), *arguments)._array
        return x._make(quantized(values, output, x._dtype), output, x._dtype)
    make = known_table if keep else byte_table
    table = make(function, arguments, qparams, output, x._dtype)
    return x._wrap(_kernels.lookup(x._ints, table), output, x._dtype)
