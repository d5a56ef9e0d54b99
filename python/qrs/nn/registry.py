"""The tables in which a module keeps its parameters, buffers and children.

A member is wanted both in its table, for traversal and saving, and as an ordinary attribute, so
that `module.weight` is a plain lookup (some 0.03 us) rather than a failed one followed by
`__getattr__` (some 0.6 us). The table does the double entry, so code that writes to it directly, as
PyTorch code does (`module._modules[name] = other`), stays right.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Registry"]

_MISSING = object()


class Registry(dict[str, Any]):
    """A dict of members that also sets them as attributes of its owner.

    The owner is referred to weakly: a module and its tables form no cycle, and the memory of a
    model is freed as soon as the last reference goes.
    """

    __slots__ = ("_owner",)

    def __init__(self, owner: object) -> None:
        super().__init__()
        self.bind(owner)

    def bind(self, owner: object) -> None:
        """Take an owner, whose attributes hold the members already or are set now."""
        self._owner = weakref.ref(owner)
        for name, member in self.items():
            self._fields()[name] = member

    def _fields(self) -> dict[str, Any]:
        owner = self._owner()
        return {} if owner is None else owner.__dict__

    def __setitem__(self, name: str, member: Any) -> None:
        super().__setitem__(name, member)
        self._fields()[name] = member

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._fields().pop(name, None)

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        """Remove a member and return it, or the default."""
        if name not in self:
            if default is _MISSING:
                raise KeyError(name)
            return default
        member = self[name]
        del self[name]
        return member

    def popitem(self) -> tuple[str, Any]:
        """Remove the last member and return its name and value."""
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        """Remove all members."""
        for name in list(self):
            del self[name]

    def update(  # type: ignore[override]
        self, members: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), **more: Any
    ) -> None:
        """Set several members."""
        for name, member in dict(members, **more).items():
            self[name] = member

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return a member, set to the default if there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, members: Any) -> Registry:  # type: ignore[override, misc]
        self.update(members)
        return self

    # Copies and files hold the members only; the module binds its tables when it is restored.
    def __reduce_ex__(self, protocol: Any) -> Any:
        return _unbound, (), None, None, iter(self.items())


class _Nobody:
    """The owner of a table that is not bound yet."""


def _unbound() -> Registry:
    return Registry(_Nobody())
