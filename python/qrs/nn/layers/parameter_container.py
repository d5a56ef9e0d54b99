"""Modules that hold parameters: lists and dicts of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from qrs.nn.layers.container import position_of
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter

__all__ = ["ParameterDict", "ParameterList"]


def _as_parameter(value: Any) -> Any:
    return value if isinstance(value, Parameter) else Parameter(value)


class ParameterList(Module):
    """A list of parameters that registers its members; tensors are wrapped.

    Parameters
    ----------
    parameters : iterable of Parameter or Tensor, optional
        The first members.

    Examples
    --------
    >>> import qrs
    >>> weights = qrs.nn.ParameterList([qrs.ones(2, 3), qrs.ones(3)])
    >>> [tuple(w.shape) for w in weights]
    [(2, 3), (3,)]
    """

    def __init__(self, parameters: Iterable[Any] | None = None) -> None:
        super().__init__()
        if parameters is not None:
            self.extend(parameters)

    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...
    @overload
    def __getitem__(self, index: int) -> Parameter: ...
    def __getitem__(self, index: int | slice) -> ParameterList | Parameter:
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        position = position_of(self, len(self), index)
        return self._parameters[str(position)]  # type: ignore[return-value]

    def __setitem__(self, index: int, value: Any) -> None:
        position = position_of(self, len(self), index)
        self.register_parameter(str(position), _as_parameter(value))

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())  # type: ignore[arg-type]

    def append(self, value: Any) -> Self:
        """Add a parameter at the end; returns the list."""
        self.register_parameter(str(len(self)), _as_parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several parameters at the end; returns the list."""
        for value in values:
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """List the members."""
        return _list_parameters(self)


class ParameterDict(Module):
    """A dict of parameters that registers its members; tensors are wrapped.

    Parameters
    ----------
    parameters : mapping of str to Parameter or Tensor, optional
        The first members.

    Examples
    --------
    >>> import qrs
    >>> sorted(qrs.nn.ParameterDict({"w": qrs.ones(2), "b": qrs.zeros(1)}).keys())
    ['b', 'w']
    """

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        for key, value in (parameters or {}).items():
            self[key] = value

    def __getitem__(self, key: str) -> Parameter:
        return self._parameters[key]  # type: ignore[return-value]

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._parameters.keys()

    def values(self) -> Iterable[Parameter]:
        """Return the parameters."""
        return self._parameters.values()  # type: ignore[return-value]

    def items(self) -> Iterable[tuple[str, Parameter]]:
        """Return the (name, parameter) pairs."""
        return self._parameters.items()  # type: ignore[return-value]

    def extra_repr(self) -> str:
        """List the members."""
        return _list_parameters(self)


def _list_parameters(owner: Module) -> str:
    return "\n".join(
        f"({name}): Parameter containing: [{param.dtype} of size {'x'.join(map(str, param.shape))}]"
        for name, param in owner.named_parameters(recurse=False)
    )
