"""Pooling to a given output size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, apply, define, define_fused, vjp
from qrs.autograd.arrays import Array
from qrs.errors import ShapeError
from qrs.nn.functional import pool_arrays
from qrs.nn.functional.dispatch import also_quantized
from qrs.nn.functional.pooling import with_batch

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "adaptive_size",
]


def _average_axes(x: Array, out: Sequence[int], transpose: bool) -> Array:
    """Multiply every spatial axis by its averaging matrix, or by the transposed one."""
    for axis, target in enumerate(out, 2):
        size = x.shape[axis]
        wide, narrow = (target, size) if transpose else (size, target)
        matrix = pool_arrays.adaptive_matrix(wide, narrow, x)
        columns = matrix if transpose else matrix.T
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ columns, -1, axis)
    return np.ascontiguousarray(x, like=x)


ADAPTIVE_AVG_POOL = define(
    "adaptive_avg_pool",
    lambda x, *, out: _average_axes(x, out, False),
    vjp(lambda g, ans, x, *, out: _average_axes(g, x.shape[2:], True)),
    samples=lambda rng: [
        Sample(rng.standard_normal((2, 2, 5, 4)), out=(3, 1)),
        Sample(rng.standard_normal((1, 2, 3)), out=(4,)),
    ],
)


def _adaptive_max_forward(x: Array, *, save: bool, out: Sequence[int]) -> tuple[Any, Any]:
    y, places = pool_arrays.adaptive_max(x, out)
    return (y, places), (places, x.shape) if save else None


def _adaptive_max_backward(
    grads: Sequence[Array], saved: Any, needs: Sequence[bool], *, out: Sequence[int]
) -> Sequence[Array | None]:
    del needs, out
    places, shape = saved
    n, c = shape[:2]
    g = grads[0]
    dx = np.zeros((n * c, math.prod(shape[2:])), dtype=g.dtype, like=g)
    rows = np.arange(n * c, like=g)[:, None]
    np.add.at(dx, (rows, places.reshape(n * c, -1)), g.reshape(n * c, -1))
    return (dx.reshape(shape),)


ADAPTIVE_MAX_POOL = define_fused(
    "adaptive_max_pool",
    _adaptive_max_forward,
    _adaptive_max_backward,
    samples=lambda rng: [
        Sample(rng.permutation(40).reshape(1, 2, 5, 4) * 0.1, out=(2, 3)),
    ],
)


def adaptive_size(
    where: str, shape: Sequence[int], own: Sequence[int], output_size: Any
) -> tuple[int, ...]:
    """Return the output size, None meaning the spatial size ``own`` of an input of ``shape``.

    Raises
    ------
    ShapeError
        If it has another number of axes or is no size, or an axis of the input is empty.
    """
    rank = len(own)
    sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,)
    if len(sizes) == 1:
        sizes = tuple(sizes) * rank
    found = [n if s is None else s for n, s in zip(own, sizes, strict=False)]
    are_sizes = all(isinstance(s, (int, np.integer)) and s >= 0 for s in found)
    if len(sizes) != rank or 0 in own or not are_sizes:
        raise ShapeError(
            f"{where}: output_size {output_size} came for an input of shape {tuple(shape)}, "
            f"expected {rank} numbers of at least 0 and no empty axis"
        )
    return tuple([int(s) for s in found])


def _adaptive_avg(rank: int, input: Any, output_size: Any) -> Any:
    where = f"adaptive_avg_pool{rank}d"
    x, batched = with_batch(where, rank, input)
    y = apply(ADAPTIVE_AVG_POOL, x, out=adaptive_size(where, x.shape, x.shape[2:], output_size))
    return y if batched else y.squeeze(0)


def _adaptive_max(rank: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    where = f"adaptive_max_pool{rank}d"
    x, batched = with_batch(where, rank, input)
    y, places = apply(
        ADAPTIVE_MAX_POOL, x, out=adaptive_size(where, x.shape, x.shape[2:], output_size)
    )
    if not batched:
        y, places = y.squeeze(0), places.squeeze(0)
    return (y, places) if return_indices else y


@also_quantized
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """Average windows chosen so that the output has a given size; see `adaptive_avg_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(adaptive_avg_pool1d(qrs.zeros(1, 1, 4), 3).shape)
    (1, 1, 3)
    """
    return _adaptive_avg(1, input, output_size)


@also_quantized
def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """Average windows chosen so that the output has a given size.

    Window i of n reaches from floor(i size / n) to ceil((i + 1) size / n).

    Parameters
    ----------
    input : Tensor or QTensor, shape (N, C, H, W) or (C, H, W)
    output_size : int, None, or sequence of them
        None keeps the size of an axis.

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> tuple(adaptive_avg_pool2d(qrs.zeros(1, 1, 4, 4), 3).shape)
    (1, 1, 3, 3)
    """
    return _adaptive_avg(2, input, output_size)


@also_quantized
def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """Average windows chosen so that the output has a given size; see `adaptive_avg_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(adaptive_avg_pool3d(qrs.zeros(1, 1, 4, 4, 4), 3).shape)
    (1, 1, 3, 3, 3)
    """
    return _adaptive_avg(3, input, output_size)


@also_quantized
def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Take the largest value of windows that fit an output size; see `adaptive_max_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(adaptive_max_pool1d(qrs.zeros(1, 1, 4), 3).shape)
    (1, 1, 3)
    """
    return _adaptive_max(1, input, output_size, return_indices)


@also_quantized
def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Take the largest value of windows chosen so that the output has a given size.

    Window i of n reaches from floor(i size / n) to ceil((i + 1) size / n).

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
    output_size : int, None, or sequence of them
        None keeps the size of an axis.
    return_indices : bool
        Also return where each maximum stands, counted over the flattened spatial axes.

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> tuple(adaptive_max_pool2d(qrs.zeros(1, 1, 4, 4), 3).shape)
    (1, 1, 3, 3)
    """
    return _adaptive_max(2, input, output_size, return_indices)


@also_quantized
def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Take the largest value of windows that fit an output size; see `adaptive_max_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(adaptive_max_pool3d(qrs.zeros(1, 1, 4, 4, 4), 3).shape)
    (1, 1, 3, 3, 3)
    """
    return _adaptive_max(3, input, output_size, return_indices)
