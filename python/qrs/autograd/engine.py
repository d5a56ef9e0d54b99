"""The backward pass: nodes in descending order of creation, gradients summed on the way.

A node is created after everything that it depends on, so a heap ordered by creation visits every
consumer of a value before its producer: no recursion and no separate sort, whatever the depth of
the graph.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from qrs.autograd.arrays import Array, arrayed, as_array
from qrs.autograd.graph import GradMeta, Node, Variable, wrap
from qrs.autograd.mode import no_grad
from qrs.autograd.special import quiet
from qrs.errors import DtypeError, GradientError, ShapeError

__all__ = ["backward", "grad"]


def backward(
    tensors: Variable | Sequence[Variable],
    grad_tensors: Any = None,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> None:
    """Add the gradients of `tensors` to the `grad` of the leaves that they depend on.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
        The values to differentiate.
    grad_tensors : Tensor, array or sequence of them, optional
        The gradient with respect to each of `tensors`, of its shape; one for a tensor of one
        element.
    retain_graph : bool
        Keep the saved values, so that another backward pass over the same graph can follow.
    create_graph : bool
        Only False: the gradients themselves are not differentiable.

    Raises
    ------
    GradientError
        A tensor does not depend on any that requires a gradient, is not a scalar and came without a
        gradient, or a value that the pass needs was freed or modified.
    ShapeError
        A gradient's shape differs from its tensor's.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([1.0, 2.0], requires_grad=True)
    >>> qrs.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    roots = _roots("backward", tensors, grad_tensors, create_graph)
    for meta, total in _propagate(roots, retain_graph, capture=None).items():
        # Always the leaf's own memory: a rule may return an array that it shares with another leaf.
        meta.grad = wrap(total.copy() if meta.grad is None else meta.grad._array + total)


def grad(
    outputs: Variable | Sequence[Variable],
    inputs: Variable | Sequence[Variable],
    grad_outputs: Any = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The gradients of `outputs` with respect to `inputs`; no `grad` attribute changes.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        The values to differentiate.
    inputs : Tensor or sequence of Tensor
        With respect to what; leaves or results of operations.
    grad_outputs, retain_graph, create_graph
        As in `backward`.
    allow_unused : bool
        Give None for an input that the outputs do not depend on, rather than raise.

    Returns
    -------
    tuple of (Tensor or None)
        One for each input, of its shape and dtype.

    Raises
    ------
    GradientError
        As in `backward`, or an input was not used and `allow_unused` is False.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor(3.0, requires_grad=True)
    >>> qrs.autograd.grad(x * x, x)
    (tensor(6.),)
    """
    wanted = [inputs] if isinstance(inputs, Variable) else list(inputs)
    metas = []
    for i, item in enumerate(wanted):
        if not isinstance(item, Variable) or item._meta is None or not item._meta.requires_grad:
            raise GradientError(
                f"grad: input {i} does not require a gradient; call requires_grad_() on it before "
                "the outputs are computed"
            )
        metas.append(item._meta)
    roots = _roots("grad", outputs, grad_outputs, create_graph)
    capture: dict[GradMeta, Array] = {}
    captured = _propagate(roots, retain_graph, capture, set(metas))
    result: list[Any] = []
    for i, meta in enumerate(metas):
        total = captured.get(meta)
        if total is None and not allow_unused:
            raise GradientError(
                f"grad: the outputs do not depend on input {i}; pass allow_unused=True to get None"
            )
        result.append(None if total is None else wrap(total.copy()))
    return tuple(result)


def _roots(
    where: str, tensors: Any, grads: Any, create_graph: bool
) -> list[tuple[GradMeta, Array]]:
    """The metas to start from, each with its gradient."""
    if create_graph:
        raise GradientError(
            f"{where}: create_graph=True came, but gradients of gradients are not supported"
        )
    if isinstance(tensors, Variable):
        tensors = [tensors]
        grads = [grads]
    else:
        tensors = list(tensors)
        grads = [None] * len(tensors) if grads is None else list(grads)
    if len(tensors) != len(grads):
        raise ShapeError(
            f"{where}: {len(grads)} gradients came for {len(tensors)} tensors, one each was "
            "expected"
        )
    return [_root(where, i, *pair) for i, pair in enumerate(zip(tensors, grads, strict=True))]


def _root(where: str, i: int, tensor: Any, grad: Any) -> tuple[GradMeta, Array]:
    if not isinstance(tensor, Variable):
        raise DtypeError(f"{where}: tensor {i} is a {type(tensor).__name__}, a Tensor was expected")
    meta = tensor._meta
    if meta is None or not meta.requires_grad:
        raise GradientError(
            f"{where}: tensor {i} does not require a gradient and was made by no recorded "
            "operation; set requires_grad on an input, do not compute it under no_grad, and train "
            "before you quantize"
        )
    array = tensor._array
    if grad is None:
        if array.size != 1:
            raise GradientError(
                f"{where}: tensor {i} of shape {array.shape} came without a gradient, which only a "
                "tensor of one element may; reduce it (for example with sum()) or pass a gradient"
            )
        return meta, np.ones_like(array)
    grad_array = grad._array if isinstance(grad, Variable) else as_array(grad)
    if grad_array.shape != array.shape:
        raise ShapeError(
            f"{where}: a gradient of shape {grad_array.shape} came for tensor {i} of shape "
            f"{array.shape}, equal shapes were expected"
        )
    return meta, grad_array.astype(array.dtype, copy=False)


@no_grad
@quiet
def _propagate(
    roots: list[tuple[GradMeta, Array]],
    retain_graph: bool,
    capture: dict[GradMeta, Array] | None,
    wanted: set[GradMeta] | None = None,
) -> dict[GradMeta, Array]:
    """Send gradients from `roots` down the graph.

    Returns the totals of the leaves, or, if `capture` is given, of the `wanted` values only.
    """
    leaves: dict[GradMeta, Array] = {}
    pending: dict[Node, list[Array | None]] = {}
    heap: list[tuple[int, Node]] = []
    inner: dict[Node, list[GradMeta]] = {}
    for meta in wanted or ():
        if meta.node is not None:
            inner.setdefault(meta.node, []).append(meta)

    def deliver(meta: GradMeta, grad: Array) -> None:
        node = meta.node
        if node is None:
            if wanted is None or meta in wanted:
                before = leaves.get(meta)
                leaves[meta] = grad if before is None else before + grad
            return
        slots = pending.get(node)
        if slots is None:
            slots = pending[node] = [None] * len(node.outputs)
            heapq.heappush(heap, (-node.sequence, node))
        before = slots[meta.index]
        slots[meta.index] = grad if before is None else before + grad

    for meta, grad in roots:
        deliver(meta, grad)
    while heap:
        node = heapq.heappop(heap)[1]
        grads = pending.pop(node)
        for index, hooks in node.hooks.items():
            grads[index] = _hooked(hooks, grads[index])
        for meta in inner.get(node, ()):
            total = grads[meta.index]
            if capture is not None and total is not None:
                capture[meta] = total
        for target, grad_in in zip(node.inputs, node.run(grads), strict=True):
            if target is not None and grad_in is not None:
                deliver(target, _fitted(node, target, grad_in))
        if not retain_graph:
            node.release()
    for meta, total in leaves.items():
        if meta.hooks:
            hooked = _hooked(meta.hooks, total)
            leaves[meta] = total if hooked is None else hooked
    if capture is not None:
        leaves.update(capture)
    return leaves


def _hooked(hooks: dict[int, Any], grad: Array | None) -> Array | None:
    if grad is None:
        return None
    for hook in list(hooks.values()):
        replaced = hook(grad)
        if replaced is not None:
            grad = replaced
    return grad


def _fitted(node: Node, meta: GradMeta, grad: Any) -> Array:
    """`grad` in the type of the value that it belongs to; its shape must fit already."""
    array = arrayed(grad)
    if array.shape != meta.shape:
        raise ShapeError(
            f"backward of '{node.name}': a gradient of shape {array.shape} came for an input of "
            f"shape {meta.shape}, equal shapes were expected"
        )
    return array if array.dtype == meta.dtype else array.astype(meta.dtype)
