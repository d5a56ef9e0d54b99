"""The graph: a `Variable` holds data, its `GradMeta` is a value in the graph, a `Node` made it.

Edges point from a node to the metas of its inputs, and from a meta to the node that made it.
Nothing points from a meta back to a Variable, so the graph has no cycles and is freed by reference
counts alone.
"""

import itertools
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from qrs.autograd.arrays import Array
from qrs.errors import DtypeError, GradientError

__all__ = ["Aval", "Counter", "GradMeta", "Node", "Variable", "View", "set_result_class", "wrap"]

_sequence = itertools.count()
_new = object.__new__


class Aval:
    """What is kept of an array whose values a gradient does not need."""

    __slots__ = ("dtype", "shape")

    # A rule that computes with it by mistake gets a TypeError, not an array of objects.
    __array_ufunc__ = None

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Counter:
    """Counts the in-place changes of one memory; every tensor over that memory shares it.

    `recorded` counts those that changed the graph as well.
    """

    __slots__ = ("count", "recorded")

    def __init__(self) -> None:
        self.count = 0
        self.recorded = 0


class GradMeta:
    """A differentiable value: where it comes from, and, for a leaf, its gradient."""

    __slots__ = ("__weakref__", "dtype", "grad", "hooks", "index", "node", "requires_grad", "shape")

    def __init__(self, array: Array, node: "Node | None" = None, index: int = 0) -> None:
        self.requires_grad = True
        self.node = node
        self.index = index
        self.shape = array.shape
        self.dtype = array.dtype
        self.grad: Any = None
        self.hooks: dict[int, Callable[[Array], Array | None]] | None = None

    def add_hook(self, hook: Callable[[Array], Array | None]) -> Callable[[], None]:
        """Have `hook` see (and replace, if it returns one) the whole gradient of this value.

        Returns a function that removes the hook.
        """
        if self.node is not None:
            hooks = self.node.hooks.setdefault(self.index, {})
        else:
            if self.hooks is None:
                self.hooks = {}
            hooks = self.hooks
        key = next(_sequence)
        hooks[key] = hook
        return lambda: hooks.pop(key, None) and None

    def retain(self) -> None:
        """Keep the gradient of this value after a backward pass, though it is not a leaf."""
        weak = weakref.ref(self)

        def keep(grad: Array) -> None:
            meta = weak()
            if meta is not None:
                meta.grad = wrap(grad if meta.grad is None else meta.grad._array + grad)

        self.add_hook(keep)


class Node:
    """One recorded operation. Subclasses compute the gradients of `inputs` in `run`.

    Attributes
    ----------
    inputs : tuple of (GradMeta or None)
        One entry for each argument, None where no gradient flows.
    outputs : tuple of Aval
        Shapes and types of the results.
    sequence : int
        Grows with each node: a node always has a greater number than the nodes that it depends on.
    """

    __slots__ = ("checks", "hooks", "inputs", "name", "outputs", "saved", "sequence")

    def __init__(
        self,
        name: str,
        inputs: tuple[GradMeta | None, ...],
        outputs: tuple[Aval, ...],
        saved: Any,
        checks: Sequence[tuple[Counter, int]] = (),
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.saved = saved
        self.checks = checks
        self.sequence = next(_sequence)
        self.hooks: dict[int, dict[int, Callable[[Array], Array | None]]] = {}

    def run(self, grads: Sequence[Any]) -> Sequence[Array | None]:
        """Gradients of the inputs, given those of the outputs."""
        raise NotImplementedError

    def release(self) -> None:
        """Forget the saved values; a node that needs none may run again."""
        self.saved = None

    def load(self) -> Any:
        """The saved values, if they are still there and unchanged."""
        if self.saved is None:
            raise GradientError(
                f"backward: the values saved by '{self.name}' were freed by an earlier backward "
                "pass; pass retain_graph=True to the earlier one, or compute the forward again"
            )
        for counter, count in self.checks:
            if counter.count != count:
                raise GradientError(
                    f"backward: a value that '{self.name}' saved for its gradient was modified in "
                    f"place afterwards ({counter.count - count} time(s)); use the form that "
                    "returns a new tensor, or modify a clone()"
                )
        return self.saved


class View:
    """How a tensor that shares memory was cut from another one.

    Attributes
    ----------
    base : Variable
        What it was cut from.
    primitive : Primitive or None
        The cut; None where a result of several views cannot be cut again alone.
    stamp : int
        How many recorded changes the memory had seen.
    """

    __slots__ = ("args", "base", "params", "primitive", "stamp")

    def __init__(
        self, base: "Variable", primitive: Any, args: Any, params: dict[str, Any], stamp: int
    ) -> None:
        self.base = base
        self.primitive = primitive
        self.args = args
        self.params = params
        self.stamp = stamp

    def again(self, array: Array) -> Array:
        """The same cut from another array."""
        result: Array = self.primitive.forward(array, *self.args[1:], **self.params)
        return result


class Variable:
    """Data and its place in the graph. `qrs.Tensor` adds the methods."""

    __slots__ = ("__weakref__", "_array", "_counter", "_meta", "_view")

    _array: Array
    _meta: GradMeta | None
    _counter: Counter | None
    _view: View | None

    @classmethod
    def _wrap(cls, array: Array, requires_grad: bool = False) -> Self:
        """An instance of this very class over `array`, which is neither copied nor checked."""
        self = _new(cls)
        self._array = array
        self._meta = None
        self._counter = None
        self._view = None
        if requires_grad:
            self.requires_grad = True
        return self

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor record a graph; can be set on leaves."""
        meta = self._meta
        return meta is not None and meta.requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        meta = self._meta
        if meta is not None and meta.node is not None:
            if value:
                return
            raise GradientError(
                "requires_grad: set to False on the result of an operation; use detach() to get "
                "a tensor outside the graph"
            )
        if value and self._array.dtype.kind != "f":
            raise DtypeError(
                f"requires_grad: a tensor of {self._array.dtype} came, only floating-point tensors "
                "have gradients; convert it with float() first"
            )
        if meta is None:
            if value:
                self._meta = GradMeta(self._array)
        else:
            meta.requires_grad = bool(value)

    @property
    def grad(self) -> Any:
        """The accumulated gradient, a Tensor of the same shape, or None."""
        meta = self._meta
        return None if meta is None else meta.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if not isinstance(value, Variable):
                raise DtypeError(
                    f"grad: {type(value).__name__} came, a Tensor or None was expected"
                )
            if value._array.shape != self._array.shape:
                raise GradientError(
                    f"grad: a tensor of shape {value._array.shape} came, the shape of its owner "
                    f"{self._array.shape} was expected"
                )
        if self._meta is None:
            if value is None:
                return
            self._meta = GradMeta(self._array)
            self._meta.requires_grad = False
        self._meta.grad = value

    @property
    def _node(self) -> Node | None:
        """The operation that made this tensor, None for a leaf."""
        meta = self._meta
        return None if meta is None else meta.node

    def _version_counter(self) -> Counter:
        counter = self._counter
        if counter is None:
            counter = self._counter = Counter()
        return counter


_result_class: type[Variable] = Variable


def set_result_class(cls: type[Variable]) -> None:
    """Name the class of which `wrap` makes instances; called once, by the module of Tensor."""
    global _result_class  # noqa: PLW0603
    _result_class = cls


def wrap(array: Array) -> Any:
    """A Tensor over `array`: no copy, no check, no graph."""
    self = _new(_result_class)
    self._array = array
    self._meta = None
    self._counter = None
    self._view = None
    return self
