"""`fuse_modules`: neighbouring modules become one, by a table of patterns."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import qrs.nn as nn
from qrs.errors import UnsupportedLayerError
from qrs.nn.module import Module, check_module
from qrs.quantization.fusion_patterns import (
    DEFAULT_OP_LIST_TO_FUSER_METHOD,
    Fuser,
    Types,
    get_fuser_method,
)
from qrs.quantization.observe import refuse_prepared
from qrs.quantization.swaps import refuse_converted
from qrs.quantization.trace import sole_readers

__all__ = ["find_modules_to_fuse", "fuse_known_modules", "fuse_modules"]


def fuse_known_modules(
    mod_list: Sequence[Module],
    additional_fuser_method_mapping: Mapping[Types, Fuser] | None = None,
) -> list[Module]:
    """Fuse modules by the table.

    Parameters
    ----------
    mod_list : sequence of Module
        In the order in which they are called, all in the same mode.
    additional_fuser_method_mapping : mapping, optional
        See `get_fuser_method`.

    Returns
    -------
    list of Module
        The fused module, then an `nn.Identity` for each of the others. The first module's
        forward-pre hooks and the last one's forward hooks move to the fused module.

    Warns
    -----
    UserWarning
        If there are hooks between the modules, which are lost here or in `convert`.

    Raises
    ------
    UnsupportedLayerError
        If no pattern fits.
    ValueError
        If some are in training mode and some are not, or sizes do not fit.
    """
    types = tuple(type(module) for module in mod_list)
    names = ", ".join(cls.__name__ for cls in types)
    modes = {module.training for module in mod_list}
    if len(modes) != 1:
        raise ValueError(
            f"fuse_modules: ({names}) came, some in training and some in evaluation mode, expected "
            "one mode; call train() or eval() on the model"
        )
    training = mod_list[0].training
    fuser = get_fuser_method(types, additional_fuser_method_mapping, training)
    _check_sizes(mod_list, training)
    if _has_hooks_between(mod_list):
        warnings.warn(
            f"fuse_modules: ({names}) came with hooks between them, which are lost here or in "
            "convert; remove them, or register them as forward-pre hooks of the first module or "
            "forward hooks of the last",
            stacklevel=3,
        )
    pre_hooks = _taken(mod_list[0]._forward_pre_hooks)
    hooks = _taken(mod_list[-1]._forward_hooks)
    fused = fuser(*mod_list)
    fused.training = training
    for pre_hook in pre_hooks:
        fused.register_forward_pre_hook(pre_hook)
    for hook in hooks:
        fused.register_forward_hook(hook)
    rest = [nn.Identity().train(training) for _ in mod_list[1:]]
    return [fused, *rest]


def _check_sizes(mod_list: Sequence[Any], training: bool) -> None:
    first, second = mod_list[0], mod_list[1] if len(mod_list) > 1 else None
    if not isinstance(second, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        return
    channels = getattr(first, "out_channels", getattr(first, "out_features", None))
    if channels is not None and channels != second.num_features:
        raise ValueError(
            f"fuse_modules: {type(first).__name__} gives {channels} channels, "
            f"{type(second).__name__} expects {second.num_features}"
        )
    if training and not (second.affine and second.track_running_stats):
        raise ValueError(
            f"fuse_modules: a {type(second).__name__} with affine={second.affine}, "
            f"track_running_stats={second.track_running_stats} came in training mode, expected "
            "both True"
        )


def _has_hooks_between(modules: Sequence[Module]) -> bool:
    """Whether something watches what one module gives to the next."""
    hooks = [module._forward_hooks for module in modules[:-1]]
    hooks += [module._forward_pre_hooks for module in modules[1:]]
    return any(hooks)


def _taken(hooks: dict[int, Callable[..., Any]]) -> list[Callable[..., Any]]:
    """The hooks of a table, which is emptied."""
    found = list(hooks.values())
    hooks.clear()
    return found


def find_modules_to_fuse(
    model: Module,
    example_inputs: Any,
    fuse_custom_config_dict: Mapping[str, Any] | None = None,
) -> list[list[str]]:
    """The groups that ``fuse_modules(model, "auto")`` fuses, found by watching a run.

    A copy of the model is run once. Modules form a group if their exact types are a pattern of the
    table, and if each reads what the one before returns and nobody else does: no other module, no
    code between, not the caller of the model. A module that is called in several places, that has
    two names, or whose hooks would be lost is left alone. Of several patterns the longest is taken.

    Parameters
    ----------
    model : Module
        In the mode in which it is to be fused.
    example_inputs : object
        One batch, as `calibrate` takes it: a tensor, or a tuple or dict of inputs. What the model
        does with it (branches, loops) must be what it always does.
    fuse_custom_config_dict : mapping, optional
        See `fuse_modules`.

    Returns
    -------
    list of list of str
        Dotted names, for ``modules_to_fuse``.

    Examples
    --------
    >>> import qrs
    >>> from qrs import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.ReLU()).eval()
    >>> qrs.quantization.find_modules_to_fuse(model, qrs.zeros(1, 1, 4, 4))
    [['0', '1', '2']]
    """
    check_module("find_modules_to_fuse", model)
    extra = _extra_patterns(fuse_custom_config_dict)
    longest = max(len(types) for types in [*DEFAULT_OP_LIST_TO_FUSER_METHOD, *extra])
    readers = sole_readers(model, example_inputs)
    groups: list[list[str]] = []
    used: set[str] = set()
    for start in readers:
        chain = [start]
        while len(chain) < longest and chain[-1] in readers:
            chain.append(readers[chain[-1]])
        for length in range(len(chain), 1, -1):
            group = chain[:length]
            modules = [model.get_submodule(name) for name in group]
            if used.isdisjoint(group) and _fits(modules, extra):
                groups.append(group)
                used.update(group)
    return groups


def _extra_patterns(config: Mapping[str, Any] | None) -> Mapping[Types, Fuser]:
    extra: Mapping[Types, Fuser] = (config or {}).get("additional_fuser_method_mapping", {})
    return extra


def _fits(modules: Sequence[Module], extra: Mapping[Types, Fuser]) -> bool:
    """Whether these modules, called in turn, can be fused without losing anything."""
    training = modules[0].training
    if _has_hooks_between(modules) or any(module.training != training for module in modules):
        return False
    try:
        get_fuser_method(tuple(type(module) for module in modules), extra, training)
        _check_sizes(modules, training)
    except (UnsupportedLayerError, ValueError):
        return False
    return all(getattr(module, "running_mean", module) is not None for module in modules)


def fuse_modules(
    model: Module,
    modules_to_fuse: Sequence[str] | Sequence[Sequence[str]],
    inplace: bool = False,
    fuser_func: Callable[..., Sequence[Module]] = fuse_known_modules,
    fuse_custom_config_dict: Mapping[str, Any] | None = None,
    *,
    example_inputs: Any = None,
) -> Module:
    """Fuse groups of neighbouring modules.

    In evaluation mode normalisations are folded into the layers before them, as static quantization
    wants it; in training mode they stay, fused, for quantization-aware training.

    Parameters
    ----------
    model : Module
    modules_to_fuse : list of str, list of lists of str, or "auto"
        Dotted names of one group, or of several, each in the order in which they are called.
        Nothing else may read what a module gives to the next, and each must be called in one place
        only: a ReLU that is called again elsewhere would be lost there. "auto": the groups of
        `find_modules_to_fuse`, which watches a run for that and needs ``example_inputs``.
    inplace : bool
        Change the model itself rather than a copy.
    fuser_func : callable
        ``fuser_func(modules, additional_fuser_method_mapping)`` returns as many modules.
    fuse_custom_config_dict : mapping, optional
        ``{"additional_fuser_method_mapping": {(TypeA, TypeB): function}}``.
    example_inputs : object, optional
        One batch, as `calibrate` takes it. Needed for "auto"; with lists of names, a run on it
        shows whether they may be fused.

    Returns
    -------
    Module
        With the fused module under the first name of each group and `nn.Identity` under the others.

    Raises
    ------
    UnsupportedLayerError
        If no pattern fits a group, or it is fused already.
    TypeError
        If the model is none of `qrs.nn`.
    QrsError
        If it is prepared or converted already.
    ValueError
        If modes or sizes do not fit, a group has fewer than two names, its modules stand in one
        Sequential and do not follow each other, a run on ``example_inputs`` shows that they do more
        than feed each other, or "auto" came without.
    AttributeError
        If a name does not exist.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(2, 2), qrs.nn.ReLU()).eval()
    >>> [type(m).__name__ for m in qrs.quantization.fuse_modules(model, ["0", "1"])]
    ['LinearReLU', 'Identity']
    """
    check_module("fuse_modules", model)
    if not inplace:
        model = copy.deepcopy(model)
    extra = _extra_patterns(fuse_custom_config_dict)
    if isinstance(modules_to_fuse, str):
        groups = _found(model, modules_to_fuse, example_inputs, fuse_custom_config_dict)
    else:
        groups = _groups(modules_to_fuse)
        if example_inputs is not None:
            _check_run(model, groups, example_inputs)
    for group in groups:
        if len(group) < 2:
            raise ValueError(f"fuse_modules: group {group} came, expected two names at least")
        _check_neighbours(model, group)
        modules = [model.get_submodule(name) for name in group]
        for name, module in zip(group, modules, strict=True):
            refuse_converted("fuse_modules", module, name)
            refuse_prepared("fuse_modules", module, name)
        fused = fuser_func(modules, extra)
        for name, module in zip(group, fused, strict=True):
            parent, _, leaf = name.rpartition(".")
            model.get_submodule(parent).add_module(leaf, module)
    return model


def _found(
    model: Module, asked: str, example_inputs: Any, config: Mapping[str, Any] | None
) -> list[list[str]]:
    if asked != "auto" or example_inputs is None:
        raise ValueError(
            f"fuse_modules: modules_to_fuse={asked!r} came"
            f"{' without example_inputs' if example_inputs is None else ''}, expected lists of "
            'names, or "auto" with example_inputs, one batch to run the model on'
        )
    return find_modules_to_fuse(model, example_inputs, config)


def _check_neighbours(model: Module, group: Sequence[str]) -> None:
    """Refuse modules of one Sequential that do not follow each other; elsewhere nobody can tell."""
    parents = {name.rpartition(".")[0] for name in group}
    parent = model.get_submodule(parents.pop())
    if parents or getattr(type(parent), "forward", None) is not nn.Sequential.forward:
        return
    order = list(parent._modules)
    for one, other in itertools.pairwise(name.rpartition(".")[2] for name in group):
        if one not in order or other not in order:
            continue
        start, end = order.index(one), order.index(other)
        between = [order[i] for i in range(start + 1, end)]
        left = [name for name in between if type(parent._modules[name]) is not nn.Identity]
        if start >= end or left:
            why = f"{', '.join(left)} is called between" if left else "they are called in turn"
            raise ValueError(
                f"fuse_modules: group {list(group)} came, but {one!r} and {other!r} do not follow "
                f"each other ({why}), expected neighbours in the order in which they are called"
            )


def _check_run(model: Module, groups: Sequence[Sequence[str]], example_inputs: Any) -> None:
    """Refuse modules that do more than feed each other in a run."""
    readers = sole_readers(model, example_inputs)
    for group in groups:
        for one, other in itertools.pairwise(group):
            if readers.get(one) != other:
                raise ValueError(
                    f"fuse_modules: group {list(group)} came, but in a run {one!r} does more than "
                    f"feed {other!r}, or {other!r} reads something else or is called elsewhere "
                    "too; leave one out, or give every place a module of its own"
                )


def _groups(names: Sequence[str] | Sequence[Sequence[str]]) -> list[list[str]]:
    """One list of names for each group."""
    flat = [name for name in names if isinstance(name, str)]
    if not flat:
        return [list(group) for group in names]
    if len(flat) < len(names):
        raise ValueError(
            "fuse_modules: names and lists of names came mixed, expected one list of names or a "
            "list of lists"
        )
    return [flat]
