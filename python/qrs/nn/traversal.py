"""How a tree of modules is walked, looked up and printed: one part of `Module`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor

if TYPE_CHECKING:
    from qrs.nn.module import Module

__all__ = ["TraversalMixin"]


class TraversalMixin:
    """The methods of `Module` that walk the tree."""

    if TYPE_CHECKING:
        _modules: dict[str, Module | None]

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield (dotted name, module) for this module and all below it, parents first.

        Parameters
        ----------
        memo : set, optional
            Modules already seen.
        prefix : str
            What every name starts with.
        remove_duplicate : bool
            Yield a module that is reachable under several names once, under the first.
        """
        seen = set() if memo is None else memo
        if remove_duplicate:
            if self in seen:
                return
            seen.add(self)
        yield prefix, self  # type: ignore[misc]
        for name, child in self._modules.items():
            if child is not None:
                below = f"{prefix}.{name}" if prefix else name
                yield from child.named_modules(seen, below, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of the direct children, each module once."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        """Yield the direct children, each once."""
        for _, child in self.named_children():
            yield child

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter), each parameter once.

        Parameters
        ----------
        prefix : str
            What every name starts with.
        recurse : bool
            Include the parameters of the modules below.
        """
        yield from self._named_members(lambda module: module._parameters, prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, each once."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Yield (dotted name, buffer), each buffer once."""
        yield from self._named_members(lambda module: module._buffers, prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(
        self, table_of: Callable[[Any], dict[str, Any]], prefix: str, recurse: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        owners: Iterable[tuple[str, Any]]
        owners = self.named_modules(prefix=prefix) if recurse else [(prefix, self)]
        for owner, module in owners:
            for name, member in table_of(module).items():
                # By identity: tensors compare element by element.
                if member is not None and id(member) not in seen:
                    seen.add(id(member))
                    yield (f"{owner}.{name}" if owner else name), member

    def get_submodule(self, target: str) -> Module:
        """Return the module of a dotted name; the empty name is this module.

        Raises
        ------
        AttributeError
            If there is none of that name.
        """
        module: Any = self
        done: list[str] = []
        for name in target.split(".") if target else []:
            child = module._modules.get(name)
            if child is None:
                at = ".".join(done) or type(self).__name__
                known = ", ".join(module._modules) or "no children"
                raise AttributeError(
                    f"get_submodule: no module {target!r}: {at!r} has no child {name!r}, "
                    f"expected one of: {known}"
                )
            module = child
            done.append(name)
        found: Module = module
        return found

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of a dotted name.

        Raises
        ------
        AttributeError
            If there is none of that name.
        """
        return self._get_member("_parameters", target)  # type: ignore[no-any-return]  # the table says which type

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer of a dotted name.

        Raises
        ------
        AttributeError
            If there is none of that name.
        """
        return self._get_member("_buffers", target)  # type: ignore[no-any-return]  # the table says which type

    def _get_member(self, table: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        members = getattr(owner, table)
        if name not in members:
            known = ", ".join(members) or "none"
            raise AttributeError(
                f"{type(owner).__name__}: no {table[1:-1]} {name!r} (asked for {target!r}), "
                f"expected one of: {known}"
            )
        return members[name]

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of `repr`, besides the children."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self._modules.items()
        ]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        body = "".join(f"\n  {line}" for line in lines + children)
        return f"{self._get_name()}({body}\n)"
