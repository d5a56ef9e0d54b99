"""Pooling of quantized tensors to a given size, under PyTorch's names; their parameters stay."""

from __future__ import annotations

from typing import Any

from qrs import _kernels
from qrs.nn.functional import adaptive_pooling
from qrs.nn.quantized.output import pair_of
from qrs.nn.quantized.pooled import images_of, ordered, pooled_from
from qrs.qtensor import QTensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]


def _adaptive(kind: str, rank: int, input: Any, output_size: Any) -> QTensor:
    where = f"adaptive_{kind}_pool{rank}d"
    x, ints = images_of(where, rank, input)
    sizes = adaptive_pooling.adaptive_size(where, x._ints.shape, ints.shape[2:], output_size)
    zero_point = pair_of(x)[1] if kind == "avg" else None
    return pooled_from(x, _kernels.adaptive_pool(ints, sizes, zero_point))


def _adaptive_max(rank: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    y = _adaptive("max", rank, input, output_size)
    if not return_indices:
        return y
    function = getattr(adaptive_pooling, f"adaptive_max_pool{rank}d")
    return y, function(ordered(input), output_size, return_indices=True)[1]


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
