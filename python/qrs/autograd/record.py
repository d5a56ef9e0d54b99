"""Running primitives on tensors: `apply`, and what it records."""

import reprlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from qrs.autograd.arrays import Array, arrayed, is_array
from qrs.autograd.graph import Aval, Counter, GradMeta, Node, Variable, View, wrap
from qrs.autograd.mode import MODE
from qrs.autograd.primitive import Primitive, Vjp
from qrs.errors import DtypeError, GradientError, QrsError, ShapeError

__all__ = ["apply", "differentiable", "explained", "record"]

_ndarray = np.ndarray


class _RuleNode(Node):
    __slots__ = ("params", "reads", "rules")

    rules: tuple[Vjp | None, ...]
    params: dict[str, Any]
    reads: bool

    def run(self, grads: Sequence[Any]) -> Sequence[Array | None]:
        ans, args = self.load()
        g, params = grads[0], self.params
        return [
            None if meta is None or rule is None else rule.rule(g, ans, *args, **params)
            for meta, rule in zip(self.inputs, self.rules, strict=True)
        ]

    def release(self) -> None:
        if self.reads:
            self.saved = None


class _FusedNode(Node):
    __slots__ = ("backward", "params")

    backward: Callable[..., Any]
    params: dict[str, Any]

    def run(self, grads: Sequence[Any]) -> Sequence[Array | None]:
        (saved,) = self.load()
        known = next(g for g in grads if g is not None)
        filled = [
            np.zeros(spec.shape, spec.dtype, like=known) if g is None else g
            for g, spec in zip(grads, self.outputs, strict=True)
        ]
        needs = tuple(meta is not None for meta in self.inputs)
        result: Sequence[Array | None] = self.backward(filled, saved, needs, **self.params)
        return result


def apply(primitive: Primitive, *args: Any, **params: Any) -> Any:
    """Run `primitive` on tensors and record it where a gradient is wanted.

    Parameters
    ----------
    primitive : Primitive
    *args : Tensor, array, number or None
    **params
        Settings of the operation.

    Returns
    -------
    Tensor or tuple of Tensor

    Raises
    ------
    ShapeError, DtypeError
        The operation does not take these inputs; the message names it and them.

    Examples
    --------
    >>> import qrs
    >>> from qrs.autograd import PRIMITIVES, apply
    >>> apply(PRIMITIVES["exp"], qrs.zeros(2))
    tensor([1., 1.])
    """
    tracked = False
    arrays = []
    for arg in args:
        if isinstance(arg, Variable):
            arrays.append(arg._array)
            if arg._meta is not None:
                tracked = True
        else:
            arrays.append(arg)
    if tracked and MODE.enabled:
        inputs = differentiable(primitive, args)
        if inputs is not None:
            return record(primitive, inputs, args, arrays, params)
    try:
        if primitive.backward is None:
            result = primitive.forward(*arrays, **params)
        else:
            result = primitive.forward(*arrays, save=False, **params)[0]
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise explained(primitive, arrays, params, error) from error
    if primitive.shares:
        return _wrap_shared(primitive, args, result, params)
    if type(result) is _ndarray:
        return wrap(result)
    if type(result) is tuple:
        return tuple([wrap(arrayed(item)) for item in result])
    return wrap(arrayed(result))


def differentiable(primitive: Primitive, args: Sequence[Any]) -> tuple[GradMeta | None, ...] | None:
    """The metas of the arguments through which a gradient flows; None if through none."""
    rules = primitive.rules
    fused = primitive.backward is not None
    found = False
    metas: list[GradMeta | None] = []
    for i, arg in enumerate(args):
        meta = arg._meta if isinstance(arg, Variable) else None
        if meta is None or not meta.requires_grad or not (fused or rules[i] is not None):
            metas.append(None)
            continue
        view = arg._view
        if view is not None and view.stamp != arg._counter.recorded:
            raise GradientError(
                f"{primitive.name}: argument {i} is a view of a tensor that was modified in place "
                "after the view was made, so its gradient is not known; make the view again"
            )
        found = True
        metas.append(meta)
    return tuple(metas) if found else None


def record(
    primitive: Primitive,
    inputs: tuple[GradMeta | None, ...],
    args: Sequence[Any],
    arrays: list[Any],
    params: dict[str, Any],
) -> Any:
    """Run the primitive and make the node that can run it backwards."""
    if primitive.backward is not None:
        return _record_fused(primitive, inputs, args, arrays, params)
    try:
        ans = arrayed(primitive.forward(*arrays, **params))
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise explained(primitive, arrays, params, error) from error
    result = wrap(ans)
    if primitive.shares:
        _link(primitive, args, result, params)
    if ans.dtype.kind != "f":
        return result
    reads, reads_ans = primitive.plan(tuple([meta is not None for meta in inputs]))
    saved: list[Any] = []
    checks: list[tuple[Counter, int]] = []
    for read, arg, array in zip(reads, args, arrays, strict=False):
        if type(array) is not _ndarray and not is_array(array):
            saved.append(array)
        elif read:
            saved.append(array)
            if isinstance(arg, Variable):
                counter = arg._version_counter()
                checks.append((counter, counter.count))
        else:
            saved.append(Aval(array.shape, array.dtype))
    if reads_ans:
        counter = result._counter = result._counter or Counter()
        checks.append((counter, counter.count))
    spec = Aval(ans.shape, ans.dtype)
    node = _RuleNode(primitive.name, inputs, (spec,), (ans if reads_ans else spec, saved), checks)
    node.rules = primitive.rules[: len(inputs)]
    node.params = params
    node.reads = reads_ans or True in reads
    result._meta = GradMeta(ans, node)
    return result


def _record_fused(
    primitive: Primitive,
    inputs: tuple[GradMeta | None, ...],
    args: Sequence[Any],
    arrays: list[Any],
    params: dict[str, Any],
) -> Any:
    try:
        out, saved = primitive.forward(*arrays, save=True, **params)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise explained(primitive, arrays, params, error) from error
    outs = tuple([arrayed(item) for item in out]) if type(out) is tuple else (arrayed(out),)
    results = tuple([wrap(item) for item in outs])
    if primitive.shares:
        for item in results:
            _link(None, args, item, params)
    kept = list(_arrays_in(saved))
    checks = [
        (v._version_counter(), v._version_counter().count)
        for v in (*args, *results)
        if isinstance(v, Variable) and any(np.may_share_memory(v._array, k) for k in kept)
    ]
    specs = tuple([Aval(item.shape, item.dtype) for item in outs])
    node = _FusedNode(primitive.name, inputs, specs, (saved,), checks)
    node.backward = primitive.backward  # type: ignore[assignment]
    node.params = params
    for index, result in enumerate(results):
        if result._array.dtype.kind == "f":
            result._meta = GradMeta(result._array, node, index)
    return results if type(out) is tuple else results[0]


def _arrays_in(saved: Any) -> Iterator[Array]:
    """The arrays in nested tuples, lists and dicts."""
    if is_array(saved):
        yield saved
    elif isinstance(saved, (tuple, list)):
        for item in saved:
            yield from _arrays_in(item)
    elif isinstance(saved, dict):
        yield from _arrays_in(list(saved.values()))


def _wrap_shared(
    primitive: Primitive, args: Sequence[Any], result: Any, params: dict[str, Any]
) -> Any:
    if type(result) is tuple:
        results = tuple([wrap(item) for item in result])
        for item in results:
            _link(None, args, item, params)
        return results
    tensor = wrap(arrayed(result))
    _link(primitive, args, tensor, params)
    return tensor


def _link(
    primitive: Primitive | None, args: Sequence[Any], result: Variable, params: dict[str, Any]
) -> None:
    """Let a result that shares the memory of the first argument share its counter."""
    base = args[0]
    if not isinstance(base, Variable):
        return
    # NumPy names the owner of the memory in `base`; only views of unusual owners need a search.
    owner = result._array.base
    array = base._array
    if owner is None or not (
        owner is array or owner is array.base or np.may_share_memory(result._array, array)
    ):
        return
    counter = base._counter
    if counter is None:
        counter = base._counter = Counter()
    result._counter = counter
    if MODE.enabled:
        result._view = View(base, primitive, args, params, counter.recorded)


def explained(
    primitive: Primitive, arrays: Sequence[Any], params: dict[str, Any], error: Exception
) -> Exception:
    """The same failure as one of our errors, with the operation and its inputs named."""
    if isinstance(error, QrsError):
        return error
    inputs = ", ".join(
        f"{a.dtype}{list(a.shape)}" if is_array(a) else reprlib.repr(a) for a in arrays
    )
    settings = "".join(f", {key}={reprlib.repr(value)}" for key, value in params.items())
    text = f"{primitive.name}({inputs}{settings}): these inputs do not fit together: {error}"
    return DtypeError(text) if isinstance(error, TypeError) else ShapeError(text)
