"""Modules that hold modules: `Sequential`, lists and dicts, and `Identity`."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from qrs.errors import QrsError
from qrs.nn.module import Module

__all__ = [
    "Identity",
    "ModuleDict",
    "ModuleList",
    "Sequential",
    "position_of",
]

_CALL = Module.__call__


class Identity(Module):
    """Return the input; takes and ignores any arguments, so it can stand in for any layer.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Identity(54, unused=True)(qrs.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Return ``input``."""
        return input


def position_of(owner: Module, count: int, index: int, end: bool = False) -> int:
    """Turn a possibly negative index into a position, or say what the range is."""
    index = operator.index(index)
    last = count if end else count - 1
    if not -count <= index <= last:
        raise IndexError(
            f"{type(owner).__name__}: index {index} came, expected {-count}..{last} "
            f"({count} entries)"
        )
    return index + count if index < 0 else index


def _check_modules(owner: Module, modules: Iterable[Any], method: str) -> list[Any]:
    if not isinstance(modules, Iterable):
        raise TypeError(
            f"{type(owner).__name__}.{method}: a {type(modules).__name__} came, expected an "
            "iterable of modules"
        )
    return list(modules)


class _ModuleSequence(Module):
    """What `Sequential` and `ModuleList` share: children in order, named "0", "1", ..."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())  # type: ignore[arg-type]

    def _key(self, index: int) -> str:
        return list(self._modules)[position_of(self, len(self), index)]

    def _slice(self, index: slice) -> Self:
        raise NotImplementedError

    @overload
    def __getitem__(self, index: slice) -> Self: ...
    @overload
    def __getitem__(self, index: int) -> Module: ...
    def __getitem__(self, index: int | slice) -> Self | Module:
        if isinstance(index, slice):
            return self._slice(index)
        return self._modules[self._key(index)]  # type: ignore[return-value]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        keys = list(self._modules)
        for key in keys[index] if isinstance(index, slice) else [self._key(index)]:
            del self._modules[key]
        # Numbers close ranks; names given by the user stay.
        if all(key.isdigit() for key in keys):
            self._renumber(list(self._modules.values()))

    def _renumber(self, modules: list[Any]) -> None:
        self._modules.clear()
        for number, module in enumerate(modules):
            self.add_module(str(number), module)

    def append(self, module: Module) -> Self:
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end; returns the container."""
        for module in _check_modules(self, modules, "extend"):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before position ``index``; returns the container."""
        modules = list(self._modules.values())
        modules.insert(position_of(self, len(self), index, end=True), module)
        self._renumber(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Remove the module at position ``index`` and return it."""
        module = self[index]
        del self[index]
        return module


class Sequential(_ModuleSequence):
    """Apply modules one after the other.

    Parameters
    ----------
    *args : Module or one OrderedDict
        The modules; an `OrderedDict` gives them names, otherwise they are numbered.

    Examples
    --------
    >>> import qrs
    >>> net = qrs.nn.Sequential(qrs.nn.Linear(4, 3), qrs.nn.ReLU())
    >>> net(qrs.ones(2, 4)).shape[-1]
    3
    >>> net[:1]
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], Mapping)
        items = args[0].items() if named else ((str(i), m) for i, m in enumerate(args))
        for name, module in items:
            self.add_module(name, module)

    def _slice(self, index: slice) -> Self:
        return type(self)(OrderedDict(list(self._modules.items())[index]))

    def forward(self, input: Any) -> Any:
        """Apply the modules in order."""
        for module in self._modules.values():
            if (
                module is None
                or type(module).__call__ is not _CALL
                or module._forward_hooks
                or module._forward_pre_hooks
            ):
                called: Any = module
                input = called(input)
                continue
            # What is left of `Module.__call__`. A call of an object takes 0.2 us longer than one of
            # a method, and fusing leaves two modules that do nothing for each layer.
            try:
                input = module.forward(input)
            except (QrsError, AttributeError, TypeError) as error:
                module._explain(error, (input,))
                raise
        return input


class ModuleList(_ModuleSequence):
    """A list of modules that registers its members.

    Parameters
    ----------
    modules : iterable of Module, optional
        The first members.

    Examples
    --------
    >>> import qrs
    >>> layers = qrs.nn.ModuleList([qrs.nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _slice(self, index: slice) -> Self:
        return type(self)(list(self._modules.values())[index])  # type: ignore[arg-type]

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class ModuleDict(Module):
    """A dict of modules that registers its members.

    Parameters
    ----------
    modules : mapping of str to Module, or iterable of pairs, optional
        The first members.

    Examples
    --------
    >>> import qrs
    >>> heads = qrs.nn.ModuleDict({"a": qrs.nn.Linear(2, 1), "b": qrs.nn.Linear(2, 5)})
    >>> heads["b"](qrs.zeros(3, 2)).shape[-1]
    5
    """

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]  # type: ignore[return-value]

    def __setitem__(self, key: str, module: Module) -> None:
        if key in self._modules:
            setattr(self, key, module)
        else:
            self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """Return the modules."""
        return self._modules.values()  # type: ignore[return-value]

    def items(self) -> Iterable[tuple[str, Module]]:
        """Return the (name, module) pairs."""
        return self._modules.items()  # type: ignore[return-value]

    def clear(self) -> None:
        """Remove all members."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Remove a member and return it."""
        return self._modules.pop(key)  # type: ignore[return-value]

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace members, in the order given."""
        pairs = modules.items() if isinstance(modules, Mapping | ModuleDict) else modules
        for key, module in pairs:
            self[key] = module
