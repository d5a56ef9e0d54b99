"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrs.autograd.arrays import arrayed, promote, unbroadcast
from qrs.autograd.primitive import Sample, define, define_fused, vjp

__all__ = ["EINSUM", "MATMUL"]


def _matmul(x: Any, y: Any) -> Any:
    if x.dtype is not y.dtype:
        x, y = promote(x, y)
    return np.matmul(x, y)


def _left(g: Any, x: Any, y: Any) -> Any:
    """The gradient of the left operand; a vector acts as a matrix of one row or column."""
    if y.ndim == 1:
        return unbroadcast(np.expand_dims(g, -1) * y, x)
    if x.ndim == 1:
        g = np.expand_dims(g, -2)
        return unbroadcast(np.matmul(g, np.swapaxes(y, -1, -2))[..., 0, :], x)
    return unbroadcast(np.matmul(g, np.swapaxes(y, -1, -2)), x)


def _right(g: Any, x: Any, y: Any) -> Any:
    """The gradient of the right operand."""
    if x.ndim == 1:
        part = x if y.ndim == 1 else np.expand_dims(x, -1)
        return unbroadcast(part * (g if y.ndim == 1 else np.expand_dims(g, -2)), y)
    if y.ndim == 1:
        return unbroadcast(np.matmul(np.swapaxes(x, -1, -2), np.expand_dims(g, -1))[..., 0], y)
    if y.ndim == 2 and x.ndim > 2:
        # One product over all rows, rather than a product for each batch and a sum over them.
        return np.matmul(x.reshape(-1, x.shape[-1]).T, g.reshape(-1, g.shape[-1]))
    return unbroadcast(np.matmul(np.swapaxes(x, -1, -2), g), y)


def _matmul_samples(rng: np.random.Generator) -> list[Sample]:
    shapes = [
        ((3, 4), (4, 2)),
        ((2, 3, 4), (4, 2)),
        ((2, 3, 4), (2, 4, 5)),
        ((5, 1, 3, 4), (2, 4, 2)),
        ((3, 4), (2, 4, 2)),
        ((4,), (4,)),
        ((4,), (4, 2)),
        ((4,), (2, 4, 3)),
        ((3, 4), (4,)),
        ((2, 3, 4), (4,)),
        ((2, 0), (0, 3)),
        ((0, 2), (2, 3)),
    ]
    return [Sample(rng.standard_normal(a), rng.standard_normal(b)) for a, b in shapes]


MATMUL = define(
    "matmul",
    _matmul,
    vjp(lambda g, ans, x, y: _left(g, x, y), "y"),
    vjp(lambda g, ans, x, y: _right(g, x, y), "x"),
    samples=_matmul_samples,
)


def _einsum(*arrays: Any, save: bool, terms: tuple[str, ...], out: str) -> Any:
    equation = ",".join(terms) + "->" + out
    return np.einsum(equation, *arrays, optimize=len(arrays) > 1), arrays if save else None


def _einsum_vjp(grads: Any, arrays: Any, needs: Any, *, terms: Any, out: str) -> Any:
    """The gradient of an operand is the einsum of `g` and the others onto its letters."""
    g = grads[0]
    results: list[Any] = []
    for i, need in enumerate(needs):
        if not need:
            results.append(None)
            continue
        term = terms[i]
        others = [t for j, t in enumerate(terms) if j != i]
        operands = [a for j, a in enumerate(arrays) if j != i]
        known = set(out).union(*others)
        target = "".join(dict.fromkeys(c for c in term if c in known))
        part = np.einsum(",".join([out, *others]) + "->" + target, g, *operands, optimize=True)
        results.append(_placed(part, target, term, arrays[i].shape))
    return results


def _placed(part: Any, letters: str, term: str, shape: tuple[int, ...]) -> Any:
    """`part` over the distinct `letters` of a term, spread over all of its places.

    A letter that only this term has was summed over: every place gets the same. A repeated letter
    took the diagonal: the rest of the operand gets zero.
    """
    extents = dict(zip(term, shape, strict=True))
    distinct = "".join(dict.fromkeys(term))
    part = arrayed(part)
    wide = part.reshape([extents[c] if c in letters else 1 for c in distinct])
    wide = np.broadcast_to(wide, [extents[c] for c in distinct])
    if distinct == term:
        return wide
    result = np.zeros(shape, part.dtype, like=part)
    grid = {c: np.arange(extents[c], like=part) for c in distinct}
    for i, c in enumerate(distinct):
        grid[c] = grid[c].reshape([-1 if i == k else 1 for k in range(len(distinct))])
    result[tuple(grid[c] for c in term)] = wide
    return result


def _einsum_samples(rng: np.random.Generator) -> list[Sample]:
    cases = [
        (("ij", "jk"), "ik", ((2, 3), (3, 4))),
        (("bij", "bkj"), "bik", ((2, 3, 4), (2, 5, 4))),
        (("ii",), "i", ((3, 3),)),
        (("ii",), "", ((3, 3),)),
        (("ij",), "j", ((2, 3),)),
        (("i", "j", "jk"), "ik", ((2,), (3,), (3, 4))),
        (("ij", "ij"), "", ((2, 3), (2, 3))),
    ]
    return [
        Sample(*(rng.standard_normal(s) for s in shapes), terms=terms, out=out)
        for terms, out, shapes in cases
    ]


EINSUM = define_fused("einsum", _einsum, _einsum_vjp, samples=_einsum_samples)
