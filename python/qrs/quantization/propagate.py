"""Giving every module its qconfig."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import qrs.nn as nn
from qrs.errors import UnsupportedLayerError
from qrs.nn.module import Module, check_module
from qrs.quantization.qconfig import assert_valid_qconfig
from qrs.quantization.stubs import QuantWrapper

__all__ = [
    "QConfigSpec",
    "add_quant_dequant",
    "check_keys",
    "propagate_qconfig_",
    "remove_qconfig_",
]

# Keys are module types or dotted names; the value None leaves a module in float.
QConfigSpec = Mapping[Any, Any]


def check_keys(where: str, model: Module, entries: QConfigSpec) -> None:
    """Refuse entries for something that a model cannot have.

    Raises
    ------
    UnsupportedLayerError
        If a name is that of no module.
    TypeError
        If a key is neither a name nor a type of modules.
    """
    names = [name for name, _ in model.named_modules(remove_duplicate=False)] if entries else []
    for key in entries:
        if isinstance(key, str):
            if key not in names:
                close = difflib.get_close_matches(key, names, 1)
                hint = f"did you mean {close[0]!r}?" if close else "see model.named_modules()"
                if isinstance(getattr(nn, key, None), type):
                    hint = f"for all of this type pass qrs.nn.{key}"
                raise UnsupportedLayerError(f"{where}: no module is named {key!r}; {hint}")
        elif not (isinstance(key, type) and issubclass(key, Module)):
            raise TypeError(
                f"{where}: {key!r} came, expected types of modules of qrs.nn and dotted names"
            )


def propagate_qconfig_(module: Module, qconfig_dict: QConfigSpec | None = None) -> None:
    """Set the attribute ``qconfig`` on a module and on all below it, in place.

    For every module the last of these that exists holds: the parent's value; the entry of its exact
    type; the entry of its dotted name (``""`` is the root); its own attribute, even if it is None.

    Parameters
    ----------
    module : Module
        The root.
    qconfig_dict : mapping, optional
        From types and dotted names to a `QConfig` or None.

    Raises
    ------
    UnsupportedLayerError
        If a name is that of no module.
    TypeError
        If ``module`` is none of `qrs.nn`, a value is neither a qconfig nor None, or a key neither a
        name nor a type.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization import default_qconfig, propagate_qconfig_
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(2, 2), qrs.nn.ReLU())
    >>> propagate_qconfig_(model, {qrs.nn.Linear: default_qconfig})
    >>> model[0].qconfig is default_qconfig, model[1].qconfig
    (True, None)
    """
    check_module("propagate_qconfig_", module)
    entries = {} if qconfig_dict is None else qconfig_dict
    check_keys("propagate_qconfig_", module, entries)
    # A module may have several names.
    named = {
        module.get_submodule(key): value for key, value in entries.items() if isinstance(key, str)
    }
    pending: list[tuple[str, Module, Any]] = [("", module, None)]
    while pending:
        name, current, qconfig = pending.pop()
        qconfig = entries.get(type(current), qconfig)
        qconfig = named.get(current, qconfig)
        qconfig = getattr(current, "qconfig", qconfig)
        assert_valid_qconfig(qconfig, current, name)
        current.qconfig = qconfig
        # The first of a module's parents decides, so it comes off the list first.
        for child_name, child in reversed(list(current.named_children())):
            pending.append((f"{name}.{child_name}" if name else child_name, child, qconfig))


def remove_qconfig_(module: Module) -> None:
    """Delete the attribute ``qconfig`` from a module and from all below it."""
    for current in module.modules():
        current.__dict__.pop("qconfig", None)


def add_quant_dequant(module: Module) -> Module:
    """Wrap every leaf that has a qconfig of its own in a `QuantWrapper`, in place.

    Parameters
    ----------
    module : Module
        The root; a leaf itself is wrapped and returned.

    Returns
    -------
    Module
        The root, or its wrapper.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization import add_quant_dequant, default_qconfig
    >>> layer = qrs.nn.Linear(2, 2)
    >>> layer.qconfig = default_qconfig
    >>> type(add_quant_dequant(layer)).__name__
    'QuantWrapper'
    """
    children = list(module.named_children())
    if not children:
        return QuantWrapper(module) if getattr(module, "qconfig", None) else module
    for name, child in children:
        module.add_module(name, add_quant_dequant(child))
    return module
