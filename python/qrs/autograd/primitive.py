"""Primitives: operations on arrays together with their gradients.

This is how an operation is added. One rule of one line for each argument, where the gradient needs
no more than inputs and output::

    exp = define("exp", np.exp, vjp(lambda g, ans, x: g * ans, "ans"), samples=one(0.5, 2.0))

A rule takes the gradient of the output, the output and the arguments of the forward, and gives
the gradient of its argument. `uses` names the values that the rule reads; of all others it
sees only `shape`, `dtype`, `ndim` and `size` (an `Aval`), so that they need not be kept and may be
modified in place. `None` in place of a rule: not differentiable.

One forward and one backward function, for fused operations that keep intermediate results::

    lstm = define_fused("lstm", forward, backward, samples=...)
    def forward(x, w, *, save, reverse):          # save: whether a backward pass may follow
        return out, saved                         # out: an array or a tuple of arrays
    def backward(grads, saved, needs, *, reverse):  # needs[i]: whether argument i wants a gradient
        return grad_x, grad_w                     # None where not needed

Both are called as `apply(exp, tensor)` or `apply(lstm, x, w, reverse=True)`: values are positional
(tensors, arrays, numbers or None), settings are keywords. `samples(rng)` gives the inputs,
`Sample(x, w, reverse=True)` in float64, at which the test suite compares the rules with finite
differences; a primitive without samples fails the suite. `shares=True` says that the result may
share the memory of the first argument.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

__all__ = ["PRIMITIVES", "Primitive", "Sample", "Vjp", "define", "define_fused", "vjp"]


class Sample:
    """Arguments at which a primitive's gradient is checked.

    Parameters
    ----------
    *args : array or other value
        Positional arguments; the float64 arrays among them are differentiated.
    **params
        Keyword arguments.
    """

    __slots__ = ("args", "params")

    def __init__(self, *args: Any, **params: Any) -> None:
        self.args = args
        self.params = params


class Vjp:
    """The rule of one argument and the names of the values that it reads."""

    __slots__ = ("rule", "uses")

    def __init__(self, rule: Callable[..., Any], uses: frozenset[str]) -> None:
        self.rule = rule
        self.uses = uses


def vjp(rule: Callable[..., Any], *uses: str) -> Vjp:
    """A rule `rule(g, ans, *args, **params)` that reads the values named in `uses`.

    Examples
    --------
    >>> vjp(lambda g, ans, x: g * ans, "ans").uses
    frozenset({'ans'})
    """
    return Vjp(rule, frozenset(uses))


class Primitive:
    """An operation on arrays and its gradient; made by `define` and `define_fused`."""

    __slots__ = (
        "_plans",
        "backward",
        "forward",
        "name",
        "names",
        "rules",
        "samples",
        "shares",
        "write",
    )

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        samples: Callable[[np.random.Generator], Iterable[Sample]],
        *,
        rules: tuple[Vjp | None, ...] = (),
        backward: Callable[..., Any] | None = None,
        shares: bool = False,
        write: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.forward = forward
        self.samples = samples
        self.rules = rules
        self.backward = backward
        self.shares = shares
        self.write = write
        self.names = _argument_names(name, rules)
        self._plans: dict[tuple[bool, ...], tuple[tuple[bool, ...], bool]] = {}

    def plan(self, needed: tuple[bool, ...]) -> tuple[tuple[bool, ...], bool]:
        """Which arguments, and whether the result, the rules of the needed arguments read."""
        plan = self._plans.get(needed)
        if plan is None:
            uses: set[str] = set()
            for rule, need in zip(self.rules, needed, strict=False):
                if need and rule is not None:
                    uses |= rule.uses
            plan = tuple([name in uses for name in self.names]), "ans" in uses
            self._plans[needed] = plan
        return plan

    def __repr__(self) -> str:
        return f"Primitive({self.name!r})"


def _argument_names(name: str, rules: tuple[Vjp | None, ...]) -> tuple[str, ...]:
    """The arguments as the rules spell them, after `g` and `ans`."""
    for rule in rules:
        if rule is None:
            continue
        names = tuple(inspect.signature(rule.rule).parameters)[2 : 2 + len(rules)]
        unknown = set().union(*(r.uses for r in rules if r is not None)) - {*names, "ans"}
        if unknown or len(names) < len(rules):
            raise ValueError(
                f"define: the rules of '{name}' use {sorted(unknown)} and have the arguments "
                f"{names}; names of arguments, the same in every rule, were expected"
            )
        return names
    return ()


PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by name; the gradient test walks it."""


def define(
    name: str,
    forward: Callable[..., Any],
    *rules: Vjp | None,
    samples: Callable[[np.random.Generator], Iterable[Sample]],
    shares: bool = False,
    write: Callable[..., Any] | None = None,
) -> Primitive:
    """Make and register a primitive with one rule for each argument.

    Parameters
    ----------
    name : str
        Shown in errors and in `Tensor.grad_fn`; unique.
    forward : callable
        Arrays and settings to one array.
    *rules : Vjp or None
        One for each positional argument.
    samples : callable
        Where the gradient is checked.
    shares : bool
        Whether the result may share the memory of the first argument.
    write : callable, optional
        `write(own, *args, **params)` puts the result straight into the array `own`, the first
        argument; it returns NotImplemented where it cannot. Without it an in-place form computes a
        new array and copies it.

    Examples
    --------
    >>> from qrs.autograd.primitive import PRIMITIVES
    >>> PRIMITIVES["exp"]
    Primitive('exp')
    """
    return _register(Primitive(name, forward, samples, rules=rules, shares=shares, write=write))


def define_fused(
    name: str,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *,
    samples: Callable[[np.random.Generator], Iterable[Sample]],
    shares: bool = False,
) -> Primitive:
    """Make and register a primitive with one backward function for all arguments.

    Parameters
    ----------
    name : str
        Unique.
    forward : callable
        `forward(*args, save, **params) -> (out or tuple of out, saved)`. With `save` False nothing
        needs to be saved.
    backward : callable
        `backward(grads, saved, needs, **params) -> sequence of (array or None)`, one for each
        argument.
    samples : callable
        Where the gradient is checked.
    shares : bool
        Whether the results share the memory of the first argument.
    """
    return _register(Primitive(name, forward, samples, backward=backward, shares=shares))


def _register(primitive: Primitive) -> Primitive:
    if primitive.name in PRIMITIVES:
        raise ValueError(f"define: a primitive named '{primitive.name}' exists, names are unique")
    PRIMITIVES[primitive.name] = primitive
    return primitive
