"""In-place forms of primitives, and what they do to the graph.

A recorded in-place change gives the tensor a new history. If it is a view, its base gets one too:
"the old base with this view replaced". Other views of that base made earlier would have an outdated
history; using one in a recorded operation is an error.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qrs.autograd.arrays import Array
from qrs.autograd.graph import Aval, GradMeta, Node, Variable, wrap
from qrs.autograd.mode import MODE
from qrs.autograd.primitive import Primitive
from qrs.autograd.record import apply, differentiable, explained, record
from qrs.errors import GradientError, ShapeError

__all__ = ["apply_in_place"]


def apply_in_place(primitive: Primitive, target: Variable, *args: Any, **params: Any) -> Any:
    """Write the result of `primitive(target, *args)` into the memory of `target` and return it.

    Raises
    ------
    GradientError
        `target` is a leaf that requires a gradient, while operations are recorded.
    ShapeError, DtypeError
        The result does not fit the shape or the type of `target`, or its memory is read-only.
    """
    values = (target, *args)
    own = target._array
    tracked = False
    arrays: list[Any] = []
    for value in values:
        if isinstance(value, Variable):
            arrays.append(value._array)
            if value._meta is not None:
                tracked = True
        else:
            arrays.append(value)
    inputs = differentiable(primitive, values) if tracked and MODE.enabled else None
    if inputs is not None:
        _refuse_leaf(primitive, target)
        values, arrays = _kept(primitive, target, inputs, values, arrays)
        recorded = record(primitive, inputs, values, arrays, params)
        _store(primitive, own, recorded._array, arrays)
        counter = target._version_counter()
        counter.count += 1
        counter.recorded += 1
        if recorded._meta is not None:
            _rebase(target, recorded._meta)
        return target
    if not _written(primitive, arrays, params):
        _store(primitive, own, apply(primitive, *values, **params)._array, arrays)
    if target._counter is not None:
        target._counter.count += 1
    return target


def _kept(
    primitive: Primitive,
    target: Variable,
    inputs: tuple[GradMeta | None, ...],
    values: tuple[Any, ...],
    arrays: list[Any],
) -> tuple[tuple[Any, ...], list[Any]]:
    """The arguments, with a copy of `target` where a rule will read what it held before."""
    reads = primitive.plan(tuple([meta is not None for meta in inputs]))[0]
    copied = None
    kept = list(values)
    for i, (value, read) in enumerate(zip(values, reads, strict=False)):
        if read and value is target:
            copied = wrap(arrays[0].copy()) if copied is None else copied
            kept[i] = copied
    return tuple(kept), [v._array if isinstance(v, Variable) else v for v in kept]


def _written(primitive: Primitive, arrays: list[Any], params: dict[str, Any]) -> bool:
    """Whether the primitive could write its result straight into the first array."""
    if primitive.write is None:
        return False
    try:
        return primitive.write(*arrays, **params) is not NotImplemented
    except (ValueError, TypeError, IndexError, OverflowError):
        # The way through a new array fails too, and says why.
        return False


def _store(primitive: Primitive, own: Array, result: Array, arrays: Sequence[Any]) -> None:
    if result.shape != own.shape:
        raise ShapeError(
            f"{primitive.name}_: the result has shape {result.shape}, an in-place operation keeps "
            f"the shape {own.shape}; use the form that returns a new tensor"
        )
    try:
        np.copyto(own, result, casting="same_kind")
    except (ValueError, TypeError) as error:
        raise explained(primitive, arrays, {}, error) from error


class _ViewWriteNode(Node):
    """The base of a view after the view was written: inputs are the old base and the new view."""

    __slots__ = ("again",)

    again: Callable[[Array], Array]

    def run(self, grads: Sequence[Any]) -> Sequence[Array | None]:
        rest = np.array(grads[0])
        part = self.again(rest)
        of_view = part.copy()
        part[...] = 0
        return (rest if self.inputs[0] is not None else None, of_view)

    def release(self) -> None:
        return


def _refuse_leaf(primitive: Primitive, target: Variable) -> None:
    """Stop an in-place change that the graph cannot express."""
    place: Variable | None = target
    while place is not None:
        meta = place._meta
        if meta is not None and meta.requires_grad and meta.node is None:
            raise GradientError(
                f"{primitive.name}_: a leaf that requires a gradient (or a view of one) came for "
                "an in-place operation; do it under no_grad(), or use the form that returns a "
                "new tensor"
            )
        view = place._view
        if view is not None and place._version_counter().recorded != view.stamp:
            raise GradientError(
                f"{primitive.name}_: a view came whose tensor was modified in place after the view "
                "was made, so the change cannot be recorded; make the view again"
            )
        if view is not None and view.primitive is None:
            raise GradientError(
                f"{primitive.name}_: one of several views made together came for a recorded "
                "in-place operation; index the tensor instead (x[i]), or modify a clone()"
            )
        place = None if view is None else view.base


def _rebase(target: Variable, meta: GradMeta) -> None:
    """Give `target` the history `meta`, and its bases the history of having been written."""
    target._meta = meta
    view = target._view
    if view is None or view.primitive is None or target._counter is None:
        return
    view.stamp = target._counter.recorded
    base = view.base
    old = base._meta if base._meta is not None and base._meta.requires_grad else None
    array = base._array
    node = _ViewWriteNode("view_write", (old, meta), (Aval(array.shape, array.dtype),), ())
    node.again = view.again
    _rebase(base, GradMeta(array, node))
