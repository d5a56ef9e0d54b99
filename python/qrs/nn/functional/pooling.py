"""Pooling in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, define, vjp
from qrs.errors import ShapeError
from qrs.nn.functional import pool_arrays
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.dispatch import also_quantized
from qrs.nn.functional.pool_arrays import Window
from qrs.nn.functional.windows import check_numbers, output_size, to_tuple
from qrs.tensor import Tensor, apply

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "check_divisor",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "window_numbers",
    "with_batch",
]

Ints = int | Sequence[int]


def _window(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    where: str,
) -> Window:
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ShapeError(
            f"{where}: padding {tuple(padding)} came for kernel {tuple(kernel)}, expected at most "
            "half the kernel"
        )
    out = output_size(size, kernel, stride, padding, dilation, where, ceil_mode)
    return Window(*map(tuple, (size, out, kernel, stride, padding, dilation)))


def _samples(**params: Any) -> Any:
    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for w in (
            _window((5,), (2,), (2,), (1,), (1,), False, "pool"),
            _window((5, 4), (3, 2), (2, 2), (1, 0), (1, 1), True, "pool"),
        ):
            # Distinct values: at a tie the maximum has no derivative.
            values = rng.permutation(2 * 2 * int(np.prod(w.size))) * 0.1
            yield Sample(values.reshape(2, 2, *w.size), window=w, **params)

    return samples


MAX_POOL = define(
    "max_pool",
    lambda x, *, window: pool_arrays.maximum(x, window),
    vjp(lambda g, ans, x, *, window: pool_arrays.maximum_grad(g, x, ans, window), "ans", "x"),
    samples=_samples(),
)

AVG_POOL = define(
    "avg_pool",
    lambda x, *, window, include, divisor: pool_arrays.average(x, window, include, divisor),
    vjp(
        lambda g, ans, x, *, window, include, divisor: pool_arrays.average_grad(
            g, window, include, divisor
        )
    ),
    samples=_samples(include=False, divisor=None),
)


def with_batch(where: str, rank: int, input: Any) -> tuple[Tensor, bool]:
    """Return the input with a batch axis, and whether it had one.

    Raises
    ------
    ShapeError, DtypeError
        If it has another rank or no floating-point type.
    """
    check_floats(where, input=input)
    if input.dim() not in (rank + 1, rank + 2):
        axes = ", ".join("C" + "DHW"[3 - rank :])
        raise ShapeError(
            f"{where}: input of shape {tuple(input.shape)} came, expected (N, {axes}) or ({axes})"
        )
    batched = input.dim() == rank + 2
    return input if batched else input.unsqueeze(0), batched


def window_numbers(
    where: str, rank: int, kernel: Ints, stride: Ints | None, padding: Ints, dilation: Ints
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel, stride, padding and dilation, each with an entry for every axis.

    Raises
    ------
    ShapeError
        If one has another number of entries, or numbers that cannot be.
    """
    kernels = to_tuple(kernel, rank, where, "kernel_size")
    # An empty stride is how PyTorch's own call spells "as the kernel".
    own = stride is not None and stride != []
    strides = to_tuple(stride, rank, where, "stride") if own else kernels  # type: ignore[arg-type]
    paddings = to_tuple(padding, rank, where, "padding")
    dilations = to_tuple(dilation, rank, where, "dilation")
    check_numbers(where, kernels, strides, paddings, dilations)
    return kernels, strides, paddings, dilations


def check_divisor(where: str, divisor: int | None) -> None:
    """Raise for a divisor that cannot be.

    Raises
    ------
    ValueError
        If it is 0.
    """
    if divisor == 0:
        raise ValueError(f"{where}: divisor_override 0 came, expected another number")


def _max_pool(
    rank: int,
    input: Any,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    where = f"max_pool{rank}d"
    x, batched = with_batch(where, rank, input)
    kernel, step, pad, gap = window_numbers(where, rank, kernel_size, stride, padding, dilation)
    w = _window(x.shape[2:], kernel, step, pad, gap, ceil_mode, where)
    y = apply(MAX_POOL, x, window=w)
    out = y if batched else y.squeeze(0)
    if not return_indices:
        return out
    places = Tensor._wrap(pool_arrays.maximum_index(x._array, y._array, w))
    return out, places if batched else places.squeeze(0)


def _avg_pool(
    rank: int,
    input: Any,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Any:
    where = f"avg_pool{rank}d"
    x, batched = with_batch(where, rank, input)
    kernel, step, pad, gap = window_numbers(where, rank, kernel_size, stride, padding, 1)
    check_divisor(where, divisor_override)
    w = _window(x.shape[2:], kernel, step, pad, gap, ceil_mode, where)
    y = apply(AVG_POOL, x, window=w, include=count_include_pad, divisor=divisor_override)
    return y if batched else y.squeeze(0)


@also_quantized
def max_pool1d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest value of each window of (N, C, L); see `max_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(max_pool1d(qrs.zeros(1, 1, 4), 2).shape)
    (1, 1, 2)
    """
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@also_quantized
def max_pool2d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest value of each window.

    Parameters
    ----------
    input : Tensor or QTensor, shape (N, C, H, W) or (C, H, W)
    kernel_size : int or sequence of int
    stride : int or sequence of int, optional
        The kernel size by default.
    padding, dilation : int or sequence of int
        The padding counts as minus infinity.
    ceil_mode : bool
        Round the number of windows up rather than down.
    return_indices : bool
        Also return where each maximum stands, counted over the flattened spatial axes.

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> tuple(max_pool2d(qrs.zeros(1, 1, 4, 4), 2).shape)
    (1, 1, 2, 2)
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@also_quantized
def max_pool3d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest value of each window of (N, C, D, H, W); see `max_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(max_pool3d(qrs.zeros(1, 1, 4, 4, 4), 2).shape)
    (1, 1, 2, 2, 2)
    """
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@also_quantized
def avg_pool1d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """Average each window of (N, C, L); see `avg_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(avg_pool1d(qrs.zeros(1, 1, 4), 2).shape)
    (1, 1, 2)
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


@also_quantized
def avg_pool2d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Average each window.

    Parameters
    ----------
    input : Tensor or QTensor, shape (N, C, H, W) or (C, H, W)
    kernel_size : int or sequence of int
    stride : int or sequence of int, optional
        The kernel size by default.
    padding : int or sequence of int
        Zeros around the input.
    ceil_mode : bool
        Round the number of windows up rather than down.
    count_include_pad : bool
        Whether the padding counts in the average.
    divisor_override : int, optional
        Divide by this number instead.

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> tuple(avg_pool2d(qrs.zeros(1, 1, 4, 4), 2).shape)
    (1, 1, 2, 2)
    """
    return _avg_pool(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@also_quantized
def avg_pool3d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Average each window of (N, C, D, H, W); see `avg_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(avg_pool3d(qrs.zeros(1, 1, 4, 4, 4), 2).shape)
    (1, 1, 2, 2, 2)
    """
    return _avg_pool(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
