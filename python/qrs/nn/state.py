"""Saving and loading the state of a tree of modules: one part of `Module`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qrs.autograd import no_grad
from qrs.errors import QrsError, StateDictError, type_name
from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor, from_dlpack

if TYPE_CHECKING:
    from qrs.nn.module import Module

__all__ = ["IncompatibleKeys", "StateMixin", "check_state_dict"]


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not match.

    Attributes
    ----------
    missing_keys : list of str
        Entries that the module has and the state dict lacks.
    unexpected_keys : list of str
        Entries of the state dict that the module has no place for.
    """

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


class StateMixin:
    """The methods of `Module` that save and load."""

    if TYPE_CHECKING:
        _version: int
        _parameters: dict[str, Parameter | None]
        _buffers: dict[str, Any]
        _modules: dict[str, Module | None]
        _non_persistent_buffers: set[str]

    def _save_to_state_dict(
        self, destination: OrderedDict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Write this module's own entries; a layer with more state extends it."""
        for name, param in self._parameters.items():
            if param is not None:
                destination[prefix + name] = param if keep_vars else param.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers:
                share = keep_vars or not isinstance(buffer, Tensor)
                destination[prefix + name] = buffer if share else buffer.detach()

    def state_dict(
        self,
        destination: OrderedDict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> OrderedDict[str, Any]:
        """Return the parameters and persistent buffers by dotted name.

        Parameters
        ----------
        destination : OrderedDict, optional
            Filled and returned when given.
        prefix : str
            What every name starts with.
        keep_vars : bool
            Return the parameters themselves; by default the entries are detached tensors that
            share their memory.

        Returns
        -------
        OrderedDict
            Its attribute ``_metadata`` holds the version of every module.

        Examples
        --------
        >>> import qrs
        >>> list(qrs.nn.Linear(2, 1).state_dict(prefix="head."))
        ['head.weight', 'head.bias']
        """
        if destination is None:
            destination = OrderedDict()
        if not hasattr(destination, "_metadata"):
            destination._metadata = OrderedDict()  # type: ignore[attr-defined]
        metadata = destination._metadata  # type: ignore[attr-defined]
        metadata[prefix[:-1]] = {"version": self._version}
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination, f"{prefix}{name}.", keep_vars)
        return destination

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Read this module's own entries; a layer with more state or older versions extends it.

        Parameters
        ----------
        state_dict : dict
            The entries whose names start with ``prefix``; may be changed.
        prefix : str
            The dotted name of this module with a dot at its end.
        local_metadata : dict
            ``{"version": ...}`` as saved; empty if unknown.
        strict : bool
            Whether unexpected entries are to be listed.
        missing_keys, unexpected_keys, error_msgs : list of str
            Extended by what is found.
        """
        del local_metadata  # For layers that have changed their layout.
        persistent = {
            name: buffer
            for name, buffer in self._buffers.items()
            if name not in self._non_persistent_buffers
        }
        own = {
            name: value
            for name, value in {**self._parameters, **persistent}.items()
            if value is not None
        }
        for name, target in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            value = state_dict[key]
            problem = _assign(target, value)
            if problem == "replace":
                self._buffers[name] = value
            elif problem:
                error_msgs.append(f"{key}: {problem}")
        if strict:
            for key in state_dict:
                if key.startswith(prefix):
                    first = key[len(prefix) :].split(".", 1)[0]
                    if first not in own and first not in self._modules:
                        unexpected_keys.append(key)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Copy values from a state dict into this module and those below it.

        Parameters
        ----------
        state_dict : mapping of str to Tensor
            As `state_dict` or `qrs.load` returns it; arrays and tensors of other libraries are
            accepted in place of tensors.
        strict : bool
            Refuse a state dict whose names are not exactly this module's.

        Returns
        -------
        IncompatibleKeys
            ``(missing_keys, unexpected_keys)``, both empty if strict.

        Raises
        ------
        StateDictError
            Lists every missing name, unexpected name and wrong shape.

        Examples
        --------
        >>> import qrs
        >>> source, target = qrs.nn.Linear(2, 1), qrs.nn.Linear(2, 1)
        >>> target.load_state_dict(source.state_dict())
        <All keys matched successfully>
        >>> qrs.equal(source.weight, target.weight)
        True
        """
        where = f"{type(self).__name__}.load_state_dict"
        check_state_dict(where, state_dict)
        values = {name: _from_elsewhere(value) for name, value in state_dict.items()}
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        metadata = getattr(state_dict, "_metadata", None) or {}

        def load(module: StateMixin, entries: dict[str, Any], prefix: str) -> None:
            version = metadata.get(prefix[:-1], {})
            module._load_from_state_dict(
                entries, prefix, version, strict, missing, unexpected, errors
            )
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    load(child, {k: v for k, v in entries.items() if k.startswith(below)}, below)

        with no_grad():
            load(self, values, "")
        if strict:
            if unexpected:
                errors.insert(0, "no place for: " + ", ".join(map(repr, unexpected)))
            if missing:
                errors.insert(0, "missing: " + ", ".join(map(repr, missing)))
        if errors:
            errors += _hints(missing, unexpected, self.state_dict(), state_dict)
            raise StateDictError(f"{where}: the state dict does not fit:\n  " + "\n  ".join(errors))
        return IncompatibleKeys(missing, unexpected)


def check_state_dict(where: str, state_dict: object, needed: Iterable[str] = ()) -> None:
    """Refuse what is no state dict, or lacks entries that every one of its kind has.

    Raises
    ------
    StateDictError
        Says what came.
    """
    if not isinstance(state_dict, Mapping):
        raise StateDictError(
            f"{where}: a {type_name(state_dict)} came, expected a state dict; read files with "
            "qrs.load"
        )
    lacking = [name for name in needed if name not in state_dict]
    if lacking:
        raise StateDictError(
            f"{where}: a dict without {' and '.join(map(repr, lacking))} came, expected what "
            "state_dict() of such an object returns"
        )


def _is_converted(state_dict: Mapping[str, Any]) -> bool:
    # PyTorch's files hold weight and bias in a tuple.
    values = (v[0] if isinstance(v, tuple) and v else v for v in state_dict.values())
    return any(getattr(value, "is_quantized", False) for value in values)


def _hints(
    missing: list[str], unexpected: list[str], own: Mapping[str, Any], came: Mapping[str, Any]
) -> list[str]:
    """What it usually means that the state dict that came differs in this way from a module's."""
    for name in unexpected:
        below = came.get(name)
        if isinstance(below, Mapping) and set(missing) & set(below):
            return [f"the weights are one level down: load state_dict[{name!r}]"]
    converted, is_converted = _is_converted(own), _is_converted(came)
    if is_converted and not converted:
        return [
            "the state dict is of a quantized model: prepare and convert this one, or call "
            "quantize_dynamic, as that one was made, then load"
        ]
    if converted and not is_converted:
        return ["this model is converted, that of the state dict was not: load before you prepare"]
    hints = []
    wrapped, plain = _first_part(unexpected), _first_part(missing)
    if wrapped and set(missing) & {name.removeprefix(wrapped) for name in unexpected}:
        hints.append(
            "the state dict is of a model inside another, such as DataParallel: load "
            f"{{k.removeprefix({wrapped!r}): v for k, v in state_dict.items()}}"
        )
    elif plain and set(unexpected) & {name.removeprefix(plain) for name in missing}:
        hints.append(f"the state dict is of {plain[:-1]!r} alone: load it into that module")
    if set(missing) & set(map(_as_first, unexpected)) or _were_folded(unexpected, missing):
        what = (
            "make this one without fuse_modules, then load" if converted else "load before you fuse"
        )
        hints.append(f"this model is fused, that of the state dict was not: {what}")
    if set(unexpected) & set(map(_as_first, missing)) or _were_folded(missing, unexpected):
        hints.append("the state dict is of a fused model: fuse this one in the same way, then load")
    if any(map(_is_observed, unexpected)) and not any(map(_is_observed, missing)):
        hints.append("the state dict is of a prepared model: prepare this one, then load")
    if any(map(_is_observed, missing)) and not any(map(_is_observed, unexpected)):
        hints.append(
            "this model is prepared, that of the state dict was not: load before you prepare"
        )
    return hints


def _is_observed(name: str) -> bool:
    """Whether an entry is that of an observer."""
    return ".activation_post_process." in f".{name}"


def _first_part(names: list[str]) -> str:
    """What all names have before their first dot, with the dot; empty if they differ in it."""
    parts = {name[: name.find(".") + 1] for name in names}
    return parts.pop() if len(parts) == 1 else ""


def _were_folded(more: list[str], fewer: list[str]) -> bool:
    """Whether one side has normalizations more, and the other at most the biases of folding."""
    norms = {name.rpartition(".")[0] for name in more if name.endswith("running_mean")}
    own = all(name.rpartition(".")[0] in norms for name in more)
    return bool(norms) and own and all(name.endswith("bias") for name in fewer)


def _as_first(name: str) -> str:
    """The name that a layer's entry has in a fused module, where the layer is the first part."""
    owner, _, entry = name.rpartition(".")
    return f"{owner}.0.{entry}"


def _from_elsewhere(value: Any) -> Any:
    """A tensor over the memory of one of another library; other values as they are."""
    if isinstance(value, Tensor | np.ndarray) or not hasattr(value, "__dlpack__"):
        return value
    try:
        return from_dlpack(value)
    except QrsError:
        return value


def _assign(target: Any, value: Any) -> str:
    """Copy a loaded value into a parameter or buffer; return what is wrong, or nothing.

    A buffer that is no float tensor (a quantized one) cannot be written in place: "replace".
    """
    if not isinstance(target, Tensor):
        return "replace" if isinstance(value, type(target)) else _mismatch(target, value)
    if isinstance(value, np.ndarray | np.generic):
        value = Tensor._wrap(np.asarray(value))
    if not isinstance(value, Tensor):
        return _mismatch(target, value)
    # Scalars were saved with one dimension by old versions of PyTorch.
    if target.dim() == 0 and tuple(value.shape) == (1,):
        value = value[0]
    if value.shape != target.shape:
        return f"shape {tuple(value.shape)} came, expected {tuple(target.shape)} as in this module"
    target.copy_(value)
    return ""


def _mismatch(target: Any, value: Any) -> str:
    problem = f"a {type_name(value)} came, expected a {type(target).__name__}"
    if getattr(value, "is_quantized", False):
        return f"{problem}; quantize the model as the saved one was, then load"
    if hasattr(value, "__dlpack__"):
        return f"{problem}; save its state dict with torch.save, and load what qrs.load reads"
    return problem
