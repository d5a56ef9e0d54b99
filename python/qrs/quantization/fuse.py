"""`fuse_modules`: neighbouring modules become one, by a table of patterns."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import qrs.nn as nn
import qrs.nn.intrinsic as nni
from qrs.errors import UnsupportedLayerError
from qrs.nn.module import Module
from qrs.nn.utils import fuse_conv_bn_weights

__all__ = [
    "DEFAULT_OP_LIST_TO_FUSER_METHOD",
    "PATTERNS",
    "Pattern",
    "fuse_known_modules",
    "fuse_modules",
    "get_fuser_method",
]

Fuser = Callable[..., Module]
Types = tuple[type[Module], ...]


@dataclass(frozen=True)
class Pattern:
    """One row of the table.

    Attributes
    ----------
    types : tuple of type
        Exact types of neighbours, in the order in which they are called.
    inference : callable
        Makes one module of them in evaluation mode.
    training : callable or None
        The same in training mode; None where that is not possible.
    """

    types: Types
    inference: Fuser
    training: Fuser | None

    def fuser(self, training: bool) -> Fuser:
        """The function for one mode.

        Raises
        ------
        UnsupportedLayerError
            If there is none in training mode.
        """
        chosen = self.training if training else self.inference
        if chosen is None:
            names = ", ".join(cls.__name__ for cls in self.types)
            raise UnsupportedLayerError(
                f"fuse_modules: ({names}) came in training mode, expected evaluation mode; call "
                "model.eval() before"
            )
        return chosen

    def fuse(self, *modules: Module) -> Module:
        """Make one module of several, by the mode that the first is in."""
        return self.fuser(modules[0].training)(*modules)


def _fold(layer: Any, bn: Any) -> Module:
    """The layer with the normalisation folded into its weight and bias; a new module."""
    if bn.running_mean is None or bn.running_var is None:
        raise UnsupportedLayerError(
            f"fuse_modules: a {type(bn).__name__} without running statistics came, expected "
            "track_running_stats=True"
        )
    folded: Any = copy.deepcopy(layer)
    # A transposed convolution keeps its output channels, cut into groups, on the second axis.
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    weight, bias = fuse_conv_bn_weights(
        layer.weight,
        layer.bias,
        bn.running_mean,
        bn.running_var,
        bn.eps,
        bn.weight,
        bn.bias,
        groups=layer.groups if transposed else None,
    )
    folded.weight = nn.Parameter(weight)
    folded.bias = nn.Parameter(bias)
    fused: Module = folded
    return fused


def _patterns() -> tuple[Pattern, ...]:
    rows: list[Pattern] = []
    for rank in ("1d", "2d", "3d"):
        conv, bn, relu = getattr(nn, f"Conv{rank}"), getattr(nn, f"BatchNorm{rank}"), nn.ReLU
        conv_relu = getattr(nni, f"ConvReLU{rank}")
        rows += [
            Pattern((conv, bn), _fold, getattr(nni, f"ConvBn{rank}")),
            Pattern(
                (conv, bn, relu),
                lambda conv, bn, relu, fused=conv_relu: fused(_fold(conv, bn), relu),
                getattr(nni, f"ConvBnReLU{rank}"),
            ),
            Pattern((conv, relu), conv_relu, conv_relu),
            Pattern((getattr(nn, f"ConvTranspose{rank}"), bn), _fold, None),
        ]
    return (
        *rows,
        Pattern((nn.Linear, nn.ReLU), nni.LinearReLU, nni.LinearReLU),
        Pattern((nn.Linear, nn.BatchNorm1d), _fold, nni.LinearBn1d),
        Pattern((nn.BatchNorm2d, nn.ReLU), nni.BNReLU2d, nni.BNReLU2d),
        Pattern((nn.BatchNorm3d, nn.ReLU), nni.BNReLU3d, nni.BNReLU3d),
    )


PATTERNS = _patterns()
"""All patterns; README's list and the tests are derived from it."""

DEFAULT_OP_LIST_TO_FUSER_METHOD: dict[Types, Fuser] = {row.types: row.fuse for row in PATTERNS}
"""From the types of neighbours to the function that fuses them."""


def get_fuser_method(
    op_list: Types,
    additional_fuser_method_mapping: Mapping[Types, Fuser] | None = None,
    training: bool = False,
) -> Fuser:
    """The function that fuses modules of exactly these types.

    Parameters
    ----------
    op_list : tuple of type
    additional_fuser_method_mapping : mapping, optional
        From tuples of types to functions of the modules; looked at first.
    training : bool
        Whether the modules are in training mode.

    Raises
    ------
    UnsupportedLayerError
        If there is no pattern of these types in this mode.
    """
    extra = (additional_fuser_method_mapping or {}).get(op_list)
    if extra is not None:
        return extra
    names = ", ".join(cls.__name__ for cls in op_list)
    row = next((row for row in PATTERNS if row.types == op_list), None)
    if row is None:
        known = "; ".join(", ".join(cls.__name__ for cls in row.types) for row in PATTERNS)
        raise UnsupportedLayerError(f"fuse_modules: ({names}) came, expected one of: {known}")
    return row.fuser(training)


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


def _taken(hooks: dict[int, Callable[..., Any]]) -> list[Callable[..., Any]]:
    """The hooks of a table, which is emptied."""
    found = list(hooks.values())
    hooks.clear()
    return found


def fuse_modules(
    model: Module,
    modules_to_fuse: Sequence[str] | Sequence[Sequence[str]],
    inplace: bool = False,
    fuser_func: Callable[..., Sequence[Module]] = fuse_known_modules,
    fuse_custom_config_dict: Mapping[str, Any] | None = None,
) -> Module:
    """Fuse groups of neighbouring modules.

    In evaluation mode normalisations are folded into the layers before them, as static quantization
    wants it; in training mode they stay, fused, for quantization-aware training.

    Parameters
    ----------
    model : Module
    modules_to_fuse : list of str, or list of lists of str
        Dotted names of one group, or of several, each in the order in which they are called.
    inplace : bool
        Change the model itself rather than a copy.
    fuser_func : callable
        ``fuser_func(modules, additional_fuser_method_mapping)`` returns as many modules.
    fuse_custom_config_dict : mapping, optional
        ``{"additional_fuser_method_mapping": {(TypeA, TypeB): function}}``.

    Returns
    -------
    Module
        With the fused module under the first name of each group and `nn.Identity` under the others.

    Raises
    ------
    UnsupportedLayerError
        If no pattern fits a group.
    ValueError
        If modes or sizes do not fit, a group has fewer than two names, or its modules stand in one
        Sequential and do not follow each other.
    AttributeError
        If a name does not exist.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(2, 2), qrs.nn.ReLU()).eval()
    >>> [type(m).__name__ for m in qrs.quantization.fuse_modules(model, ["0", "1"])]
    ['LinearReLU', 'Identity']
    """
    if not inplace:
        model = copy.deepcopy(model)
    extra = (fuse_custom_config_dict or {}).get("additional_fuser_method_mapping", {})
    for group in _groups(modules_to_fuse):
        if len(group) < 2:
            raise ValueError(f"fuse_modules: group {group} came, expected two names at least")
        _check_neighbours(model, group)
        fused = fuser_func([model.get_submodule(name) for name in group], extra)
        for name, module in zip(group, fused, strict=True):
            parent, _, leaf = name.rpartition(".")
            model.get_submodule(parent).add_module(leaf, module)
    return model


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
