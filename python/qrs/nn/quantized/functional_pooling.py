"""Pooling of quantized tensors, under PyTorch's names: the parameters stay those of the input.

Kernels read images with their channels last. Others are brought into that order and back, so that a
tensor keeps its order in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qrs import _kernels
from qrs.errors import ShapeError
from qrs.nn.functional import adaptive_pooling, pooling
from qrs.nn.layers.conv_settings import Ints
from qrs.nn.quantized.conv import three
from qrs.nn.quantized.images import TO_FIRST, TO_LAST
from qrs.nn.quantized.output import byte_tensor
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]

Array = np.ndarray[Any, Any]


def _pooled(
    where: str, rank: int, input: Any, run: Callable[[Array, QTensor, bool], Array]
) -> QTensor:
    """`run` on the integers, [N, D, H, W, C], and on whether their channels were last before."""
    x = byte_tensor(f"quantized.{where}", input)
    ints = x._ints
    if ints.ndim == rank + 1:
        ints = ints[None]
    elif ints.ndim != rank + 2:
        axes = ", ".join("C" + "DHW"[3 - rank :])
        raise ShapeError(
            f"{where}: input of shape {tuple(x.shape)} came, expected (N, {axes}) or ({axes})"
        )
    view = ints.transpose(TO_LAST[rank])
    # That of one sample: no result may depend on how a batch was cut out of another.
    is_last = view[:1].flags.c_contiguous
    images = _kernels.contiguous(view)
    n, *sizes, c = images.shape
    out = run(images.reshape(n, *(1,) * (3 - rank), *sizes, c), x, is_last)
    out = out.reshape(n, *out.shape[4 - rank : 4], c).transpose(TO_FIRST[rank])
    if not is_last:
        out = _kernels.contiguous(out)
    return QTensor._wrap(out if x._ints is ints else out[0], x._qparams, x._dtype)


def _max(
    rank: int,
    input: Any,
    window: tuple[Any, Any, Any, Any],
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    where = f"max_pool{rank}d"
    kernel, stride, padding, dilation = pooling.window_numbers(where, rank, *window)

    def run(images: Array, _x: QTensor, _is_last: bool) -> Array:
        return _kernels.max_pool(
            images,
            three(kernel, 1),
            three(stride, 1),
            three(padding, 0),
            three(dilation, 1),
            ceil_mode,
        )

    y = _pooled(where, rank, input, run)
    if not return_indices:
        return y
    function = getattr(pooling, where)
    # The order of integers is that of their values, and floats hold them exactly.
    floats = Tensor._wrap(input._ints.astype(np.float32))
    return y, function(floats, *window, ceil_mode, return_indices=True)[1]


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

    def run(images: Array, x: QTensor, is_last: bool) -> Array:
        return _kernels.avg_pool(
            images,
            three(kernel, 1),
            three(stride, 1),
            three(padding, 0),
            ceil_mode,
            count_include_pad,
            divisor_override,
            x.q_zero_point(),
            rank < 3 and not is_last,
        )

    return _pooled(where, rank, input, run)


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


def _adaptive(kind: str, rank: int, input: Any, output_size: Any) -> QTensor:
    where = f"adaptive_{kind}_pool{rank}d"

    def run(images: Array, x: QTensor, is_last: bool) -> Array:
        own = images.shape[4 - rank : 4]
        sizes = adaptive_pooling.adaptive_size(where, x._ints.shape, own, output_size)
        zero_point = x.q_zero_point() if kind == "avg" else None
        return _kernels.adaptive_pool(images, three(sizes, 1), zero_point, not is_last)

    return _pooled(where, rank, input, run)


def _adaptive_max(rank: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    y = _adaptive("max", rank, input, output_size)
    if not return_indices:
        return y
    function = getattr(adaptive_pooling, f"adaptive_max_pool{rank}d")
    floats = Tensor._wrap(input._ints.astype(np.float32))
    return y, function(floats, output_size, return_indices=True)[1]


def adaptive_avg_pool1d(input: Any, output_size: Any) -> QTensor:
    """Average windows chosen so that the output has a given size; see `adaptive_avg_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 8), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.adaptive_avg_pool1d(x, 5).shape)
    (1, 3, 5)
    """
    return _adaptive("avg", 1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> QTensor:
    """Average windows chosen so that the output has a given size, rounded as by `avg_pool2d`.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, shape (N, C, H, W) or (C, H, W)
    output_size
        As of `nn.functional.adaptive_avg_pool2d`.

    Returns
    -------
    QTensor

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 8, 8), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.adaptive_avg_pool2d(x, (5, None)).shape)
    (1, 3, 5, 8)
    """
    return _adaptive("avg", 2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> QTensor:
    """Average windows chosen so that the output has a given size; see `adaptive_avg_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 4, 4, 4), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.adaptive_avg_pool3d(x, 1).shape)
    (1, 3, 1, 1, 1)
    """
    return _adaptive("avg", 3, input, output_size)


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Take the largest values of windows that fit an output size; see `adaptive_max_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 8), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.adaptive_max_pool1d(x, 5).shape)
    (1, 3, 5)
    """
    return _adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Take the largest value of windows chosen so that the output has a given size.

    Arguments as of `adaptive_avg_pool2d`; ``return_indices`` as of `max_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 8, 8), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.adaptive_max_pool2d(x, 5).shape)
    (1, 3, 5, 5)
    """
    return _adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Take the largest values of windows that fit an output size; see `adaptive_max_pool2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.QTensor.zeros((1, 3, 4, 4, 4), 0.5, 10, qrs.quint8)
    >>> tuple(qrs.nn.quantized.functional.adaptive_max_pool3d(x, 1).shape)
    (1, 3, 1, 1, 1)
    """
    return _adaptive_max(3, input, output_size, return_indices)
