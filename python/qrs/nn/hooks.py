"""Handles of registered hooks."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from typing import Any

__all__ = ["RemovableHandle"]


class RemovableHandle:
    """What `register_forward_hook` and its kin return: a way to take the hook off again.

    The handle refers weakly to the table of hooks, so keeping one does not keep a module alive.
    It is also a context manager: the hook is removed at the end of the block.

    Parameters
    ----------
    hooks : OrderedDict
        The table that holds the hook under ``handle.id``.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.nn.Linear(2, 1)
    >>> calls = []
    >>> with layer.register_forward_hook(lambda module, args, output: calls.append(1)):
    ...     _ = layer(qrs.zeros(3, 2))
    >>> _ = layer(qrs.zeros(3, 2))
    >>> len(calls)
    1
    """

    # One counter for all tables: an id stays unique when hooks move between modules on a swap.
    _ids = itertools.count()

    def __init__(self, hooks: OrderedDict[int, Any]) -> None:
        self.id = next(RemovableHandle._ids)
        self._hooks = weakref.ref(hooks)

    def remove(self) -> None:
        """Take the hook off; a second call does nothing."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()

    # A weak reference can be neither pickled nor deep-copied: the table itself travels instead.
    def __getstate__(self) -> tuple[int, OrderedDict[int, Any] | None]:
        return self.id, self._hooks()

    def __setstate__(self, state: tuple[int, OrderedDict[int, Any] | None]) -> None:
        self.id, hooks = state
        # A table that is gone is replaced by an empty one, which dies at once: nothing to remove.
        self._hooks = weakref.ref(OrderedDict() if hooks is None else hooks)
