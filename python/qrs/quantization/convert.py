"""`convert`: replacing modules by their quantized forms."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

from qrs.backends import quantized
from qrs.errors import NotCalibratedError, QrsError, UnquantizedLayerWarning
from qrs.nn.intrinsic import FusedModule
from qrs.nn.module import Module, check_module
from qrs.quantization.observe import is_activation_post_process, observer_hook
from qrs.quantization.propagate import remove_qconfig_
from qrs.quantization.swaps import (
    SWAPS,
    get_default_static_quant_module_mappings,
    refuse_converted,
)

__all__ = ["convert", "convert_modules", "swap_module"]

ModuleMap = Mapping[type[Module], Any]


def convert(
    module: Module,
    mapping: ModuleMap | None = None,
    inplace: bool = False,
    remove_qconfig: bool = True,
    convert_custom_config_dict: Mapping[str, Any] | None = None,
) -> Module:
    """Replace modules that have a qconfig by their quantized forms.

    Parameters
    ----------
    module : Module
        A prepared and calibrated (or trained) model. If it is itself of a type to replace, the
        replacement is returned.
    mapping : mapping of type to type, optional
        Default: `get_default_static_quant_module_mappings`.
    inplace : bool
        Change the model itself rather than a copy.
    remove_qconfig : bool
        Delete qconfigs and observers that are left.
    convert_custom_config_dict : mapping, optional
        ``{"observed_to_quantized_custom_module_class": {Observed: Quantized}}``: modules of the
        exact type Observed become ``Quantized.from_observed(module)``.

    Returns
    -------
    Module
        The converted model.

    Raises
    ------
    TypeError
        If the model is none of `qrs.nn`.
    QrsError
        If it was not prepared, or is converted already.
    NotCalibratedError
        If an observer has seen no data; the message names its module.

    Warns
    -----
    UnquantizedLayerWarning
        For layers that have a qconfig and stay float.
    UserWarning
        If `qrs.backends.quantized.engine` was changed since `prepare`.

    Examples
    --------
    >>> import qrs
    >>> class Scale(qrs.nn.Module):
    ...     @classmethod
    ...     def from_float(cls, module):
    ...         new = cls()
    ...         new.scale = module.activation_post_process.calculate_qparams()[0].item()
    ...         return new
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(2, 2)).eval()
    >>> model.qconfig = qrs.quantization.get_default_qconfig()
    >>> prepared = qrs.quantization.prepare(model)
    >>> _ = prepared(qrs.ones(3, 2))
    >>> qrs.quantization.convert(prepared, {qrs.nn.Linear: Scale})[0].scale > 0
    True
    """
    check_module("convert", module)
    static = mapping is None
    if mapping is None:
        mapping = get_default_static_quant_module_mappings()
        if not any(is_activation_post_process(part) for part in module.modules()):
            refuse_converted("convert", module)
            raise QrsError(
                "convert: the model has no observer, expected a prepared one; call prepare (or "
                "prepare_qat) and run calibration data before"
            )
    if not inplace:
        module = copy.deepcopy(module)
    _warn_of_another_engine(module)
    custom = (convert_custom_config_dict or {}).get("observed_to_quantized_custom_module_class", {})
    watching = [getattr(part, "activation_post_process", None) for part in module.modules()]
    try:
        module = convert_modules(module, mapping, custom)
    except NotCalibratedError as error:
        if any(map(_has_data, watching)):
            error.args = (
                "convert: this layer was not called during calibration, though others were, "
                "expected one call at least; call it in forward, or set its qconfig to None before "
                "prepare",
            )
        raise
    if static:
        _warn_of_float_layers(module)
    if remove_qconfig:
        remove_qconfig_(module)
        _remove_observers(module)
    return module


def _has_data(observer: Any) -> bool:
    if not is_activation_post_process(observer):
        return False
    try:
        observer.calculate_qparams()
    except QrsError:
        return False
    return True


def _warn_of_another_engine(model: Module) -> None:
    """Report a profile that was changed since `prepare`, which chose observers for the other."""
    engine = model.__dict__.pop("prepared_engine", quantized.engine)
    if engine != quantized.engine:
        warnings.warn(
            f"convert: the model was prepared under engine {engine!r} and is converted under "
            f"{quantized.engine!r}, expected one; set qrs.backends.quantized.engine before prepare",
            stacklevel=3,
        )


def _warn_of_float_layers(model: Module) -> None:
    """Report layers that have a qconfig and stay float: derived types, and those without a form."""
    known = tuple(row.float for row in SWAPS if row.static or row.dynamic)
    left = [
        f"{name or 'the model'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if isinstance(module, (*known, FusedModule)) and getattr(module, "qconfig", None)
    ]
    if left:
        warnings.warn(
            f"convert: left in float: {', '.join(left)}; expected layers of the exact types of "
            "get_default_static_quant_module_mappings(), fused in evaluation mode; pass mapping "
            "with a quantized form, or set their qconfig to None",
            UnquantizedLayerWarning,
            stacklevel=3,
        )


def convert_modules(
    module: Module, mapping: ModuleMap, custom: ModuleMap, done: dict[Module, Module] | None = None
) -> Module:
    """Convert a module and all below it; one that appears under several names stays one.

    Parameters
    ----------
    module : Module
        Changed in place, except that the root may be replaced.
    mapping, custom : mapping
        See `swap_module`.
    done : dict, optional
        Modules already converted.

    Returns
    -------
    Module
        The root or its replacement.
    """
    done = {} if done is None else done
    if module in done:
        return done[module]
    # A fused module is replaced whole, and so are all whose type says so.
    if not isinstance(module, FusedModule) and not _is_replaced(module, mapping, custom):
        for name, child in list(module._modules.items()):
            if child is not None and not is_activation_post_process(child):
                try:
                    module._modules[name] = convert_modules(child, mapping, custom, done)
                except QrsError as error:
                    _locate(error, name, child)
                    raise
    done[module] = swap_module(module, mapping, custom)
    return done[module]


def _locate(error: QrsError, name: str, child: Module) -> None:
    """Say below which child an error arose."""
    if not error.module_path:
        error._class = type(child).__name__
    error.module_path = f"{name}.{error.module_path}" if error.module_path else name


def swap_module(
    mod: Module, mapping: ModuleMap, custom_module_class_mapping: ModuleMap | None = None
) -> Module:
    """Replace one module by its quantized form, if it has a qconfig and its exact type has one.

    Parameters
    ----------
    mod : Module
    mapping : mapping of type to type
        The new type's ``from_float`` makes the replacement.
    custom_module_class_mapping : mapping of type to type, optional
        Goes first; the new type's ``from_observed`` makes the replacement.

    Returns
    -------
    Module
        The replacement, with the hooks of the old module but the observer's, or ``mod`` itself.
    """
    if getattr(mod, "qconfig", None) is None:
        return mod
    custom = (custom_module_class_mapping or {}).get(type(mod))
    target = mapping.get(type(mod))
    if custom is not None:
        new: Module = custom.from_observed(mod)
    elif target is not None:
        new = target.from_float(mod)
    else:
        return mod
    new.train(mod.training)
    for pre_hook in mod._forward_pre_hooks.values():
        new.register_forward_pre_hook(pre_hook)
    for hook in mod._forward_hooks.values():
        if hook is not observer_hook:
            new.register_forward_hook(hook)
    return new


def _is_replaced(module: Module, mapping: ModuleMap, custom: ModuleMap) -> bool:
    known = type(module) in mapping and getattr(module, "qconfig", None) is not None
    return known or type(module) in custom


def _remove_observers(module: Module) -> None:
    for current in list(module.modules()):
        if is_activation_post_process(getattr(current, "activation_post_process", None)):
            del current.activation_post_process
        for key, hook in list(current._forward_hooks.items()):
            if hook is observer_hook:
                del current._forward_hooks[key]
