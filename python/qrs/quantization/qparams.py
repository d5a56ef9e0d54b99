"""From an observed range to a scale and a zero point (ARCHITECTURE.md, "Quantization parameters").

Plain functions on numpy arrays, in float32, shared by all observers. A range may be one pair of
numbers or one pair per channel; the results have one dimension either way.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8, qscheme, quint4x2, quint8
from qrs.errors import DtypeError

__all__ = ["EPS", "QPARAM_DTYPES", "FloatArray", "integer_range", "qparams"]

FloatArray = npt.NDArray[np.float32]

# The smallest scale: one unit in the last place of 1.0 in float32.
EPS = np.float32(2.0**-23)

QPARAM_DTYPES = (quint8, qint8, quint4x2)


def integer_range(
    dtype: Dtype,
    reduce_range: bool = False,
    quant_min: int | None = None,
    quant_max: int | None = None,
) -> tuple[int, int]:
    """Smallest and largest stored integer.

    Parameters
    ----------
    dtype : dtype
        Quantized type whose limits bound the result.
    reduce_range : bool
        Use seven of eight bits: both ends are halved, rounding down. Has no effect on quint4x2.
    quant_min, quant_max : int, optional
        A range of one's own, taken literally. Both or neither.

    Returns
    -------
    tuple of int
        ``(qmin, qmax)``.

    Raises
    ------
    DtypeError
        For a type that has no range to choose.
    ValueError
        If only one end is given, the ends do not fit the type, or zero is not between them.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization.qparams import integer_range
    >>> integer_range(qrs.quint8), integer_range(qrs.qint8, reduce_range=True)
    ((0, 255), (-64, 63))
    """
    if dtype not in QPARAM_DTYPES or dtype.qmin is None or dtype.qmax is None:
        names = ", ".join(d.name for d in QPARAM_DTYPES)
        raise DtypeError(f"quantization range: dtype {dtype} came, expected one of {names}")
    lo, hi = dtype.qmin, dtype.qmax
    if (quant_min is None) != (quant_max is None):
        raise ValueError(
            f"quantization range: quant_min={quant_min} and quant_max={quant_max} came, expected "
            "both or neither"
        )
    if quant_min is not None and quant_max is not None:
        if not (lo <= quant_min <= 0 <= quant_max <= hi and quant_min < quant_max):
            raise ValueError(
                f"quantization range: {quant_min}..{quant_max} came for {dtype.name}, expected "
                f"ends inside {lo}..{hi} with zero between them"
            )
        lo, hi = int(quant_min), int(quant_max)
    if reduce_range and dtype is not quint4x2:
        lo, hi = lo // 2, hi // 2
    return lo, hi


def _width(lo: FloatArray, hi: FloatArray) -> FloatArray:
    """Hi - lo, held at the largest float32 where the difference has none."""
    with np.errstate(over="ignore"):
        width: FloatArray = np.minimum(hi - lo, np.finfo(np.float32).max)
    return width


def qparams(
    lo: FloatArray,
    hi: FloatArray,
    dtype: Dtype,
    scheme: qscheme,
    qmin: int,
    qmax: int,
    *,
    custom_range: bool = False,
    eps: np.float32 = EPS,
) -> tuple[FloatArray, npt.NDArray[np.int64] | FloatArray]:
    """Scale and zero point of an observed range under a scheme.

    Parameters
    ----------
    lo, hi : float32 array, shape () or (C,)
        Smallest and largest value seen, ``lo <= hi``.
    dtype : dtype
        The quantized type; it decides the symmetric zero point.
    scheme : qscheme
        Per-tensor or per-channel, affine, symmetric or with float zero points.
    qmin, qmax : int
        From `integer_range`.
    custom_range : bool
        Whether the range is the user's: a symmetric quint8 zero point is then its middle.
    eps : float32
        Lower bound of the scale.

    Returns
    -------
    scale : float32 array, shape (1,) or (C,)
    zero_point : int64 array of the same shape; float32 for float zero points

    Notes
    -----
    Affine: scale = max((M - m) / (qmax - qmin), eps) and zero_point = clamp(qmin - rne(m / scale),
    qmin, qmax) with m = min(lo, 0) and M = max(hi, 0), so that zero is always representable.
    Symmetric: scale = max(max(-m, M) / ((qmax - qmin) / 2), eps).
    Float zero points: scale = (hi - lo) / (qmax - qmin), or 1 where that is not above eps, and
    zero_point = -lo / scale, not rounded.

    The symmetric divisor is half the number of steps, 127.5 for a full 8-bit range: the value of
    largest magnitude lands on 127.5 and is stored as 127 or -128.

    Source: behaviour of PyTorch 1.8.1, reproduced to the last bit of float32.
    """
    lo = np.atleast_1d(np.asarray(lo, np.float32))
    hi = np.atleast_1d(np.asarray(hi, np.float32))
    steps = np.float32(qmax - qmin)
    if scheme.has_float_qparams:
        scale = _width(lo, hi) / steps
        scale = np.where(scale > eps, scale, np.float32(1))
        return scale, -lo / scale
    if scheme.is_symmetric:
        bound = np.maximum(-np.minimum(lo, np.float32(0)), np.maximum(hi, np.float32(0)))
        scale = np.maximum(bound / (steps / np.float32(2)), eps)
        middle = 0
        if dtype is quint8:
            middle = (qmin + qmax) // 2 if custom_range else 128
        return scale, np.full(scale.shape, middle, np.int64)
    lo, hi = np.minimum(lo, np.float32(0)), np.maximum(hi, np.float32(0))
    scale = np.maximum(_width(lo, hi) / steps, eps)
    zero_point = np.clip(qmin - np.rint(lo / scale), qmin, qmax)
    return scale, zero_point.astype(np.int64)
