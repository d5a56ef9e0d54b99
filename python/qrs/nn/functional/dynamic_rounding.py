"""What dynamic quantization does to an activation, in float: for training that prepares for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from qrs.autograd import Sample, define, vjp
from qrs.autograd.arrays import Array
from qrs.errors import NonFiniteError
from qrs.tensor import Tensor, apply

__all__ = ["dynamic_fake_quantize", "rounded"]

# Largest stored integer of each profile.
_TOP = {"qrs": 255, "fbgemm": 127, "qnnpack": 255}


def rounded(x: Array, engine: str) -> Array:
    """``x`` as the dynamically quantized layers see it: to the stored integers and back.

    With lo = min(x, 0), hi = max(x, 0) over the whole array, or over each row of the last axis
    under "qrs": s = (hi - lo) / top, or 0.1 where that is nothing; z = rne(-lo / s), or rne(top -
    hi / s) if -lo / s >= top + hi / s; q = clamp(z + rne(x / s), 0, top), under "fbgemm"
    clamp(rne(x / s + z), 0, top); y = s (q - z). Ranges are computed in float64. Source: PyTorch
    1.8.1; the rows are a decision of qrs.

    Raises
    ------
    NonFiniteError
        If ``x`` holds NaN or infinity.
    """
    if not x.size:
        return x
    top = _TOP[engine]
    axis = -1 if engine == "qrs" else None
    lo = np.minimum(x.min(axis=axis, keepdims=True), 0).astype(np.float64)
    hi = np.maximum(x.max(axis=axis, keepdims=True), 0).astype(np.float64)
    width = hi - lo
    if not np.isfinite(width).all():
        raise NonFiniteError(
            f"dynamic quantization: an activation of shape {x.shape} holds NaN or infinity, "
            "expected finite numbers; mend the data or, if training has diverged, lower lr or "
            "limit gradients with nn.utils.clip_grad_norm_"
        )
    scale = width / top
    with np.errstate(divide="ignore", over="ignore"):
        scale[~np.isfinite(np.float32(1) / scale.astype(np.float32))] = 0.1
    below, above = -lo / scale, hi / scale
    zero = np.clip(np.rint(np.where(below < top + above, below, top - above)), 0, top)
    s, z = scale.astype(x.dtype), zero.astype(x.dtype)
    y: Array
    if engine == "fbgemm":
        # The kernel rounds product and sum once (fma); in float64 the product is exact.
        y = (x.astype(np.float64) * (1 / s) + z).astype(x.dtype)
        np.rint(y, out=y)
    else:
        y = x * (1 / s)
        np.rint(y, out=y)
        y += z
    y.clip(0, top, out=y)
    y -= z
    y *= s
    return y


def _samples(rng: np.random.Generator) -> Iterable[Sample]:
    # Finite differences see rounding as steps, so the check is made where nothing is rounded.
    yield Sample(rng.standard_normal((3, 4)), engine=None)


def _forward(x: Array, *, engine: str | None) -> Array:
    return x.copy() if engine is None else rounded(x, engine)


DYNAMIC_FAKE_QUANTIZE = define(
    "dynamic_fake_quantize",
    _forward,
    # Nothing is clamped, and rounding counts as the identity.
    vjp(lambda g, ans, x, *, engine: g),
    samples=_samples,
)


def dynamic_fake_quantize(input: Tensor, engine: str) -> Tensor:
    """Round an activation as a dynamically quantized layer does; the gradient passes unchanged.

    Parameters
    ----------
    input : Tensor, float, shape (..., K)
    engine : {"qrs", "fbgemm", "qnnpack"}
        The numeric profile. Under "qrs" every row has a scale of its own, else the input has one.

    Returns
    -------
    Tensor, of the same shape and type

    Raises
    ------
    NonFiniteError
        If it holds NaN or infinity.

    Examples
    --------
    >>> import qrs
    >>> dynamic_fake_quantize(qrs.tensor([[0.0, 0.12, 2.55], [0.0, 0.12, 25.5]]), "qrs")
    tensor([[ 0.0000,  0.1200,  2.5500],
            [ 0.0000,  0.1000, 25.5000]])
    """
    settings: dict[str, Any] = {"engine": engine}
    return apply(DYNAMIC_FAKE_QUANTIZE, input, **settings)
