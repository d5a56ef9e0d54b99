"""Collecting observers of a model, and saving and loading what they saw."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from qrs.errors import StateDictError
from qrs.nn.module import Module
from qrs.nn.state import check_state_dict

__all__ = ["get_observer_dict", "get_observer_state_dict", "load_observer_state_dict"]

_NAME = "activation_post_process"


def get_observer_dict(mod: Module, target_dict: dict[str, Module], prefix: str = "") -> None:
    """Put every observer and fake quantizer behind a module into a dict, by dotted name.

    Parameters
    ----------
    mod : Module
        A prepared model.
    target_dict : dict
        Filled in place; keys end in ``activation_post_process``.
    prefix : str
        What every name starts with.
    """
    for name, module in mod.named_modules():
        if hasattr(module, _NAME):
            key = ".".join(part for part in (prefix, name, _NAME) if part)
            target_dict[key] = module.activation_post_process


def get_observer_state_dict(mod: Module) -> OrderedDict[str, Any]:
    """The entries of a model's state dict that belong to observers.

    Parameters
    ----------
    mod : Module
        A prepared model.

    Returns
    -------
    OrderedDict
        With the ``_metadata`` of the whole state dict.
    """
    state = mod.state_dict()
    kept = OrderedDict((key, value) for key, value in state.items() if _NAME in key)
    kept._metadata = state._metadata  # type: ignore[attr-defined]
    return kept


def load_observer_state_dict(mod: Module, obs_dict: Mapping[str, Any]) -> None:
    """Load what `get_observer_state_dict` returned into a model prepared the same way.

    Parameters
    ----------
    mod : Module
        A prepared model.
    obs_dict : mapping

    Raises
    ------
    StateDictError
        If entries are missing or have no place.
    """
    check_state_dict("load_observer_state_dict", obs_dict)
    expected = {key for key in mod.state_dict() if _NAME in key}
    missing, unexpected = sorted(expected - set(obs_dict)), sorted(set(obs_dict) - expected)
    if missing or unexpected:
        raise StateDictError(
            f"load_observer_state_dict: missing {missing} and unexpected {unexpected}, expected "
            "the entries of a model prepared in the same way"
        )
    mod.load_state_dict(obs_dict, strict=False)
