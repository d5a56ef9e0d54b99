"""Many tensors into one."""

from typing import Any

import numpy as np

from qrs.autograd.primitive import Sample, define_fused

__all__ = ["CAT", "STACK"]


def _common(arrays: tuple[Any, ...]) -> list[Any]:
    """The arrays in one type, the float one if any is a float."""
    first = arrays[0].dtype
    if all(a.dtype == first for a in arrays):
        return list(arrays)
    floats = [a.dtype for a in arrays if a.dtype.kind == "f"]
    target = np.result_type(*(floats or [a.dtype for a in arrays]))
    return [a.astype(target, copy=False) for a in arrays]


def _cat(*arrays: Any, save: bool, axis: int) -> Any:
    extents = tuple(a.shape[axis] for a in arrays) if save else None
    return np.concatenate(_common(arrays), axis), extents


def _cat_vjp(grads: Any, extents: Any, needs: Any, *, axis: int) -> Any:
    parts = np.split(grads[0], np.cumsum(extents)[:-1].tolist(), axis)
    return [part if need else None for part, need in zip(parts, needs, strict=True)]


CAT = define_fused(
    "cat",
    _cat,
    _cat_vjp,
    samples=lambda rng: [
        Sample(*(rng.standard_normal((2, n, 3)) for n in (1, 0, 4)), axis=1),
        Sample(rng.standard_normal(2), axis=-1),
    ],
)


def _stack(*arrays: Any, save: bool, axis: int) -> Any:
    return np.stack(_common(arrays), axis), ()


def _stack_vjp(grads: Any, saved: Any, needs: Any, *, axis: int) -> Any:
    moved = np.moveaxis(grads[0], axis, 0)
    return [moved[i] if need else None for i, need in enumerate(needs)]


STACK = define_fused(
    "stack",
    _stack,
    _stack_vjp,
    samples=lambda rng: [
        Sample(*(rng.standard_normal((2, 3)) for _ in range(3)), axis=axis) for axis in (0, 1, -1)
    ],
)
