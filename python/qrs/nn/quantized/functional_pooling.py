"""Pooling of quantized tensors, under PyTorch's names: the parameters stay those of the input."""

from __future__ import annotations

from typing import Any

from qrs import _kernels
from qrs.nn.functional import pooling
from qrs.nn.layers.conv_settings import Ints
from qrs.nn.quantized.output import pair_of
from qrs.nn.quantized.pooled import images_of, ordered, pooled_from
from qrs.qtensor import QTensor

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d"]


def _max(
    rank: int,
    input: Any,
    window: tuple[Any, Any, Any, Any],
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    where = f"max_pool{rank}d"
    x, ints = images_of(where, rank, input)
    numbers = pooling.window_numbers(where, rank, *window)
    y = pooled_from(x, _kernels.max_pool(ints, *numbers, ceil_mode))
    if not return_indices:
        return y
    function = getattr(pooling, where)
    return y, function(ordered(input), *window, ceil_mode, return_indices=True)[1]


def _average(
    rank: int,
    input: Any,
    window: tuple[Any, Any, Any],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> QTensor:
    where = f"avg_pool{rank}d"
    kernel, stride, padding, _ = pooling.window_numbers(where, rank, *window, 1)
    pooling.check_divisor(where, divisor_override)

    x, ints = images_of(where, rank, input)
    out = _kernels.avg_pool(
        ints,
        kernel,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        pair_of(x)[1],
    )
    return pooled_from(x, out)


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
    >>> x = qrs.QTensor.zeros((1, 3, 8), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.max_pool1d(x, 2).shape)
    (1, 3, 4)
    """
    window = (kernel_size, stride, padding, dilation)
    return _max(1, input, window, ceil_mode, return_indices)


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
    input : QTensor, quint8 or qint8, shape (N, C, H, W) or (C, H, W)
    kernel_size, stride, padding, dilation, ceil_mode, return_indices
        As of `nn.functional.max_pool2d`.

    Returns
    -------
    QTensor
        With ``return_indices`` a pair of it and a Tensor, int64.

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 8, 8), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.max_pool2d(x, 3, 2, 1).shape)
    (1, 3, 4, 4)
    """
    window = (kernel_size, stride, padding, dilation)
    return _max(2, input, window, ceil_mode, return_indices)


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
    >>> x = qrs.QTensor.zeros((1, 3, 4, 4, 4), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.max_pool3d(x, 2).shape)
    (1, 3, 2, 2, 2)
    """
    window = (kernel_size, stride, padding, dilation)
    return _max(3, input, window, ceil_mode, return_indices)


def avg_pool1d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> QTensor:
    """Average each window of (N, C, L); see `avg_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 8), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.avg_pool1d(x, 2).shape)
    (1, 3, 4)
    """
    window = (kernel_size, stride, padding)
    return _average(1, input, window, ceil_mode, count_include_pad)


def avg_pool2d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> QTensor:
    """Average each window: the sum of its integers is exact, and is rounded once.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, shape (N, C, H, W) or (C, H, W)
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As of `nn.functional.avg_pool2d`.

    Returns
    -------
    QTensor

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Notes
    -----
    ``z + rne(mean(q - z))``. In PyTorch 1.8.1, and here, a tensor whose channels are not last in
    memory is rounded after adding the zero point, ``rne(mean(q - z) + z)`` (except by
    `avg_pool3d`): the same but for means half way between integers, if z is odd.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 8, 8), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.avg_pool2d(x, 2).shape)
    (1, 3, 4, 4)
    """
    window = (kernel_size, stride, padding)
    return _average(2, input, window, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> QTensor:
    """Average each window of (N, C, D, H, W); see `avg_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 4, 4, 4), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.avg_pool3d(x, 2).shape)
    (1, 3, 2, 2, 2)
    """
    window = (kernel_size, stride, padding)
    return _average(3, input, window, ceil_mode, count_include_pad, divisor_override)
