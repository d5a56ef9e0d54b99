"""Choosing elements by index and by mask, and writing to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrs.autograd.arrays import is_array, typed, unbroadcast
from qrs.autograd.primitive import Sample, define, vjp

__all__ = [
    "GATHER",
    "GETITEM",
    "INDEX_ADD",
    "INDEX_SELECT",
    "MASKED_FILL",
    "SCATTER",
    "SCATTER_ADD",
    "SETITEM",
]


def is_basic(index: Any) -> bool:
    """Whether `index` selects every element at most once, so that writing needs no summing."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(p.dtype == np.bool_ if is_array(p) else not isinstance(p, list) for p in parts)


def _getitem(x: Any, *, index: Any) -> Any:
    result = x[index]
    if isinstance(result, np.generic):
        # A full integer index gives a NumPy scalar; `...` gives the view of the one element.
        result = x[(*index, ...) if isinstance(index, tuple) else (index, ...)]
    return result


def _getitem_vjp(g: Any, _ans: Any, x: Any, index: Any) -> Any:
    out = np.zeros(x.shape, g.dtype, like=g)
    if is_basic(index):
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


def _getitem_samples(rng: np.random.Generator) -> list[Sample]:
    x = rng.standard_normal((3, 4, 2))
    indices: list[Any] = [
        1,
        (slice(None), -1),
        (slice(0, 3, 2), None, ..., 0),
        (1, 2, 0),
        np.array([0, 2, 0]),
        (np.array([0, 1]), slice(None), np.array([1, 1])),
        x > 0,
        np.array([True, False, True]),
        ...,
        slice(3, 3),
    ]
    return [Sample(x, index=index) for index in indices]


GETITEM = define(
    "getitem",
    _getitem,
    vjp(_getitem_vjp),
    samples=_getitem_samples,
    shares=True,
)


def _setitem(x: Any, value: Any, *, index: Any) -> Any:
    out = x.copy()
    out[index] = value
    return out


def _setitem_write(own: Any, value: Any, *, index: Any) -> Any:
    own[index] = value
    return own


def _setitem_vjp(g: Any, _ans: Any, x: Any, value: Any, index: Any) -> Any:
    out = g.copy()
    out[index] = 0
    return out


def _value_vjp(g: Any, _ans: Any, x: Any, value: Any, index: Any) -> Any:
    """The gradient of what was written; leading extents of one in `value` are allowed for."""
    part = g[index]
    shape = value.shape
    while part.ndim < len(shape):
        part = part[None]
    extra = part.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        extra + i for i, size in enumerate(shape) if size == 1 and part.shape[extra + i] != 1
    )
    return part.sum(axis=axes).reshape(shape)


SETITEM = define(
    "setitem",
    _setitem,
    vjp(_setitem_vjp),
    vjp(_value_vjp),
    samples=lambda rng: [
        Sample(rng.standard_normal((3, 4)), rng.standard_normal(4), index=1),
        Sample(rng.standard_normal((3, 4)), rng.standard_normal(()), index=(slice(None), 2)),
        Sample(rng.standard_normal((3, 4)), rng.standard_normal((2, 1)), index=np.array([0, 2])),
        Sample(rng.standard_normal((3, 4)), rng.standard_normal((1, 4)), index=0),
    ],
    write=_setitem_write,
)


def _places(index: Any, axis: int) -> tuple[Any, ...]:
    """`index` along `axis` together with the running indices of all other axes."""
    grid: list[Any] = []
    for i, extent in enumerate(index.shape):
        shape = [extent if i == k else 1 for k in range(index.ndim)]
        grid.append(index if i == axis else np.arange(extent, like=index).reshape(shape))
    return tuple(grid)


def _add_at(out: Any, index: Any, values: Any, axis: int) -> Any:
    np.add.at(out, _places(index, axis), values)
    return out


def _first(array: Any, shape: tuple[int, ...]) -> Any:
    """The leading corner of `array` with that shape."""
    return array[tuple(slice(0, extent) for extent in shape)]


def _gather(x: Any, index: Any, *, axis: int) -> Any:
    return x[_places(index, axis)]


def _gather_samples(rng: np.random.Generator) -> list[Sample]:
    x = rng.standard_normal((3, 4))
    return [
        Sample(x, rng.integers(0, 3, (2, 4)), axis=0),
        Sample(x, rng.integers(0, 4, (3, 6)), axis=1),
    ]


GATHER = define(
    "gather",
    _gather,
    vjp(
        lambda g, ans, x, index, axis: _add_at(np.zeros(x.shape, g.dtype, like=g), index, g, axis),
        "index",
    ),
    None,
    samples=_gather_samples,
)


def _scatter(x: Any, index: Any, source: Any, *, axis: int) -> Any:
    out = x.copy()
    out[_places(index, axis)] = _scattered(index, source)
    return out


def _scattered(index: Any, source: Any) -> Any:
    """The part of `source` that `index` covers."""
    return _first(source, index.shape) if is_array(source) and source.ndim else source


def _corner(g: Any, index: Any, source: Any, axis: int) -> Any:
    """The gradient of `source`: zero where `index` does not cover it."""
    part = g[_places(index, axis)]
    if source.ndim == 0:
        return part.sum()
    out = np.zeros(source.shape, g.dtype, like=g)
    _first(out, index.shape)[...] = part
    return out


def _scatter_base(g: Any, index: Any, axis: int) -> Any:
    out = g.copy()
    out[_places(index, axis)] = 0
    return out


SCATTER = define(
    "scatter",
    _scatter,
    vjp(lambda g, ans, x, index, source, axis: _scatter_base(g, index, axis), "index"),
    None,
    vjp(lambda g, ans, x, index, source, axis: _corner(g, index, source, axis), "index"),
    samples=lambda rng: [
        Sample(
            rng.standard_normal((3, 4)),
            np.array([[0, 1, 2, 0], [1, 2, 0, 1]]),
            rng.standard_normal((3, 4)),
            axis=0,
        ),
        Sample(rng.standard_normal((2, 3)), np.array([[2], [0]]), 1.5, axis=1),
    ],
)
SCATTER_ADD = define(
    "scatter_add",
    lambda x, index, source, *, axis: _add_at(x.copy(), index, _scattered(index, source), axis),
    vjp(lambda g, ans, x, index, source, axis: g),
    None,
    vjp(lambda g, ans, x, index, source, axis: _corner(g, index, source, axis), "index"),
    samples=lambda rng: [
        Sample(
            rng.standard_normal((3, 4)),
            np.array([[0, 0, 2, 0], [0, 2, 0, 1]]),
            rng.standard_normal((2, 5)),
            axis=0,
        ),
    ],
)


def _along(array: Any, axis: int) -> Any:
    return np.moveaxis(array, axis, 0)


def _select_vjp(g: Any, _ans: Any, x: Any, index: Any, axis: int) -> Any:
    out = np.zeros(x.shape, g.dtype, like=g)
    np.add.at(_along(out, axis), index, _along(g, axis))
    return out


INDEX_SELECT = define(
    "index_select",
    lambda x, index, *, axis: np.take(x, index, axis),
    vjp(_select_vjp, "index"),
    None,
    samples=lambda rng: [
        Sample(rng.standard_normal((3, 4)), np.array([2, 0, 2]), axis=0),
        Sample(rng.standard_normal((3, 4)), np.array([1]), axis=1),
    ],
)


def _index_add(x: Any, index: Any, source: Any, *, axis: int) -> Any:
    wanted = (*x.shape[:axis], index.size, *x.shape[axis + 1 :])
    if index.ndim != 1 or source.shape != wanted:
        raise ValueError(
            f"an index of shape {index.shape} and a source of shape {source.shape} came, a row of "
            f"indices and one slice for each, {wanted}, were expected"
        )
    out = x.copy()
    np.add.at(_along(out, axis), index, _along(source, axis))
    return out


INDEX_ADD = define(
    "index_add",
    _index_add,
    vjp(lambda g, ans, x, index, source, axis: g),
    None,
    vjp(lambda g, ans, x, index, source, axis: np.take(g, index, axis), "index"),
    samples=lambda rng: [
        Sample(
            rng.standard_normal((3, 4)), np.array([2, 0, 2]), rng.standard_normal((3, 4)), axis=0
        ),
    ],
)


def _masked_fill(x: Any, mask: Any, value: Any) -> Any:
    return np.where(mask, typed(value, x), x)


def _masked_write(own: Any, mask: Any, value: Any) -> Any:
    np.copyto(own, typed(value, own), where=mask)
    return own


MASKED_FILL = define(
    "masked_fill",
    _masked_fill,
    vjp(lambda g, ans, x, mask, value: unbroadcast(np.where(mask, 0, g), x), "mask"),
    None,
    vjp(lambda g, ans, x, mask, value: np.where(mask, g, 0).sum(), "mask"),
    samples=lambda rng: [
        Sample(rng.standard_normal((3, 4)), rng.random(4) > 0.5, -1.0),
        Sample(rng.standard_normal((3, 4)), rng.random((3, 1)) > 0.5, rng.standard_normal(())),
    ],
    write=_masked_write,
)
