"""Whether operations record a graph: one switch for each thread."""

import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

__all__ = ["enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]

P = ParamSpec("P")
R = TypeVar("R")


class _Mode(threading.local):
    enabled = True


MODE = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations of this thread record a graph.

    Examples
    --------
    >>> is_grad_enabled()
    True
    """
    return MODE.enabled


class _Setting:
    """Context manager and decorator that sets the switch and restores it."""

    __slots__ = ("_before", "_value")

    def __init__(self, value: bool) -> None:
        self._value = value
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(MODE.enabled)
        MODE.enabled = self._value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        MODE.enabled = self._before.pop()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        value = self._value

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            # A fresh setting each call: the decorated function may run in several threads.
            with _Setting(value):
                return function(*args, **kwargs)

        return wrapped


@overload
def no_grad() -> _Setting: ...
@overload
def no_grad(function: Callable[P, R]) -> Callable[P, R]: ...
def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Do not record a graph: a context manager and a decorator (with or without parentheses).

    Examples
    --------
    >>> import qrs
    >>> x = qrs.ones(2, requires_grad=True)
    >>> with qrs.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    return _Setting(False) if function is None else _Setting(False)(function)


@overload
def enable_grad() -> _Setting: ...
@overload
def enable_grad(function: Callable[P, R]) -> Callable[P, R]: ...
def enable_grad(function: Callable[..., Any] | None = None) -> Any:
    """Record a graph, even inside `no_grad`: a context manager and a decorator.

    Examples
    --------
    >>> import qrs
    >>> with qrs.no_grad(), qrs.enable_grad():
    ...     qrs.is_grad_enabled()
    True
    """
    return _Setting(True) if function is None else _Setting(True)(function)


class set_grad_enabled(_Setting):  # noqa: N801 (PyTorch's name)
    """Switch recording on or off at once; as a context manager, restore it at the end.

    Parameters
    ----------
    mode : bool
        True to record.

    Examples
    --------
    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    >>> is_grad_enabled()
    True
    """

    __slots__ = ()

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._before.append(MODE.enabled)
        MODE.enabled = self._value

    def __enter__(self) -> None:
        MODE.enabled = self._value

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Have `function` run with the switch set."""
        # As a decorator it must not leave the switch where the constructor put it.
        MODE.enabled = self._before.pop()
        return super().__call__(function)
