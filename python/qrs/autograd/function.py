"""Operations with a gradient of the user's own, written on tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs.autograd.arrays import Array
from qrs.autograd.graph import Aval, Counter, GradMeta, Node, Variable, wrap
from qrs.autograd.mode import MODE, no_grad
from qrs.errors import DtypeError, GradientError

__all__ = ["Function", "FunctionCtx"]


class FunctionCtx:
    """What the forward of a `Function` leaves for its backward; any attribute may be set.

    Attributes
    ----------
    needs_input_grad : tuple of bool
        Which arguments of `apply` want a gradient.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved: tuple[Any, ...] = ()
        self._checks: list[tuple[Counter, int]] = []
        self._fixed: set[int] = set()
        self._dirty: set[int] = set()
        self._materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for the backward; in-place changes of them will be noticed."""
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` was given."""
        return self._saved

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Declare outputs through which no gradient flows."""
        self._fixed.update(id(t) for t in tensors)

    def mark_dirty(self, *tensors: Any) -> None:
        """Declare inputs that the forward modified in place; they must be returned."""
        self._dirty.update(id(t) for t in tensors)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether the backward sees zeros (True, the default) or None for an unused output."""
        self._materialize = value


class _FunctionNode(Node):
    __slots__ = ("cls", "ctx")

    cls: type["Function"]
    ctx: FunctionCtx

    def run(self, grads: Sequence[Any]) -> Sequence[Array | None]:
        self.load()
        tensors = []
        known = next(g for g in grads if g is not None)
        for g, spec in zip(grads, self.outputs, strict=True):
            if g is not None:
                tensors.append(wrap(g))
            elif self.ctx._materialize:
                tensors.append(wrap(np.zeros(spec.shape, spec.dtype, like=known)))
            else:
                tensors.append(None)
        result = self.cls.backward(self.ctx, *tensors)
        if not isinstance(result, tuple):
            result = (result,)
        if len(result) > len(self.inputs) and all(r is None for r in result[len(self.inputs) :]):
            result = result[: len(self.inputs)]
        if len(result) != len(self.inputs):
            raise GradientError(
                f"{self.name}.backward: {len(result)} gradients came, one for each of the "
                f"{len(self.inputs)} arguments of forward was expected (None where there is none)"
            )
        return [self._array(r) for r in result]

    def _array(self, value: Any) -> Array | None:
        if value is None:
            return None
        if not isinstance(value, Variable):
            raise DtypeError(
                f"{self.name}.backward: a {type(value).__name__} came, Tensors or None were "
                "expected"
            )
        return value._array

    def release(self) -> None:
        self.saved = None
        self.ctx._saved = ()


class Function:
    """Base class of operations with a hand-written gradient.

    A subclass defines two static methods. `forward(ctx, *args)` computes the result from tensors
    and other values, with recording switched off; `backward(ctx, *grads)` takes one gradient for
    each output and returns one for each argument of
    `forward` (None where there is none). The operation is called through `apply`.

    Examples
    --------
    >>> import qrs
    >>> class Cube(qrs.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x * x * grad
    >>> x = qrs.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the result; overridden by every subclass."""
        raise NotImplementedError("Function.forward: a subclass must define forward(ctx, *args)")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Compute the gradients; overridden by every subclass that is differentiated."""
        raise NotImplementedError("Function.backward: a subclass must define backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` and record it.

        Parameters
        ----------
        *args
            Passed to `forward` after `ctx`; the tensors among them are differentiable.
        **kwargs
            Passed to `forward`; never differentiable.

        Returns
        -------
        Whatever `forward` returns: a Tensor or a tuple with Tensors in it.
        """
        metas = tuple(
            [
                a._meta if isinstance(a, Variable) and a._meta and a._meta.requires_grad else None
                for a in args
            ]
        )
        recorded = MODE.enabled and any(metas)
        ctx = FunctionCtx(tuple([recorded and m is not None for m in metas]))
        with no_grad():
            out = cls.forward(ctx, *args, **kwargs)
        outs = out if isinstance(out, tuple) else (out,)
        for item in outs:
            if id(item) in ctx._dirty:
                item._version_counter().count += 1
        if not recorded:
            return out
        return _recorded(cls, ctx, metas, args, out)


def _recorded(
    cls: type[Function],
    ctx: FunctionCtx,
    metas: tuple[GradMeta | None, ...],
    args: tuple[Any, ...],
    out: Any,
) -> Any:
    outs = out if isinstance(out, tuple) else (out,)
    given = {id(a) for a in args}
    made = {id(item) for item in outs} - given
    results: list[Any] = []
    specs: list[Aval] = []
    for item in outs:
        if not isinstance(item, Variable):
            results.append(item)
            specs.append(Aval((), np.dtype(np.float32)))
            continue
        # An input handed through must not lose its own history.
        handed_through = id(item) in given and id(item) not in ctx._dirty
        results.append(_detached(item) if handed_through else item)
        specs.append(Aval(item._array.shape, item._array.dtype))
    # A saved output must not hold on to the node that holds it.
    ctx._saved = tuple([_detached(t) if id(t) in made else t for t in ctx._saved])
    checks = [
        (t._version_counter(), t._version_counter().count)
        for t in ctx._saved
        if isinstance(t, Variable)
    ]
    node = _FunctionNode(cls.__name__, metas, tuple(specs), (), checks)
    node.cls = cls
    node.ctx = ctx
    for index, (item, original) in enumerate(zip(results, outs, strict=True)):
        if (
            isinstance(item, Variable)
            and item._array.dtype.kind == "f"
            and id(original) not in ctx._fixed
        ):
            item._meta = GradMeta(item._array, node, index)
    return tuple(results) if isinstance(out, tuple) else results[0]


def _detached(tensor: Variable) -> Any:
    """The same memory, and its counter, outside the graph."""
    alias = wrap(tensor._array)
    alias._counter = tensor._version_counter()
    return alias
