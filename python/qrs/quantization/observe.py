"""`prepare`: putting observers behind the modules that are to be quantized."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from typing import Any

from qrs.errors import QrsError
from qrs.nn.hooks import RemovableHandle
from qrs.nn.intrinsic import FusedModule
from qrs.nn.layers.container import Identity, Sequential
from qrs.nn.module import Module
from qrs.quantization.fake_quantize import FakeQuantizeBase
from qrs.quantization.observer import ObserverBase
from qrs.quantization.propagate import propagate_qconfig_
from qrs.quantization.stubs import DeQuantStub
from qrs.quantization.swaps import (
    get_default_qconfig_propagation_list,
    get_fixed_output_fake_quant,
)

__all__ = [
    "add_observer_",
    "is_activation_post_process",
    "observer_hook",
    "prepare",
    "register_activation_post_process_hook",
]

ModuleTypes = Collection[type[Module]]


def is_activation_post_process(module: object) -> bool:
    """Whether a module is an observer or a fake quantizer."""
    return isinstance(module, ObserverBase | FakeQuantizeBase)


def observer_hook(module: Module, _inputs: Any, output: Any) -> Any:
    """The forward hook of observed modules: what the observer returns replaces the output."""
    return module.activation_post_process(output)


def register_activation_post_process_hook(module: Module) -> RemovableHandle:
    """Let a module's observer see its output, before any other forward hook.

    Raises
    ------
    ValueError
        If the module has no ``activation_post_process``.
    """
    if not hasattr(module, "activation_post_process"):
        raise ValueError(
            f"register_activation_post_process_hook: a {type(module).__name__} without "
            "activation_post_process came; set one first"
        )
    return module.register_forward_hook(observer_hook, prepend=True)


def prepare(
    model: Module,
    inplace: bool = False,
    allow_list: ModuleTypes | None = None,
    observer_non_leaf_module_list: ModuleTypes | None = None,
    prepare_custom_config_dict: Mapping[str, Any] | None = None,
) -> Module:
    """Put observers into a model, for calibration and then `convert`.

    Parameters
    ----------
    model : Module
        With an attribute ``qconfig`` on itself or on modules below.
    inplace : bool
        Change the model itself rather than a copy.
    allow_list : collection of type, optional
        Types of leaves to observe. Default: all that have a quantized form.
    observer_non_leaf_module_list : collection of type, optional
        Types to observe as a whole although they have children.
    prepare_custom_config_dict : mapping, optional
        ``{"float_to_observed_custom_module_class": {Float: Observed}}``: modules of the exact type
        Float become ``Observed.from_float(module)``.

    Returns
    -------
    Module
        The prepared model.

    Raises
    ------
    QrsError
        If no module has a qconfig, or the model has been prepared already.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.quantization.QuantStub(), qrs.nn.Linear(2, 2))
    >>> model.qconfig = qrs.quantization.get_default_qconfig()
    >>> prepared = qrs.quantization.prepare(model)
    >>> type(prepared[1].activation_post_process).__name__
    'HistogramObserver'
    """
    for name, module in model.named_modules():
        if is_activation_post_process(getattr(module, "activation_post_process", None)):
            raise QrsError(
                f"prepare: {name or 'the model'} has an observer already, expected a model that "
                "was not prepared; prepare the float model"
            )
    if not inplace:
        model = copy.deepcopy(model)
    propagate_qconfig_(model)
    if not any(module.qconfig for module in model.modules()):
        raise QrsError(
            "prepare: no module has a qconfig, expected one at least; set "
            "model.qconfig = get_default_qconfig() before"
        )
    custom = (prepare_custom_config_dict or {}).get("float_to_observed_custom_module_class", {})
    add_observer_(model, allow_list, observer_non_leaf_module_list, custom)
    return model


def add_observer_(
    module: Module,
    qconfig_propagation_list: ModuleTypes | None = None,
    non_leaf_module_list: ModuleTypes | None = None,
    custom_module_class_mapping: Mapping[type[Module], Any] | None = None,
) -> None:
    """Insert observers below a module that carries qconfigs, in place.

    Parameters
    ----------
    module : Module
        The root, after `propagate_qconfig_`.
    qconfig_propagation_list, non_leaf_module_list : collection of type, optional
        See `prepare` (``allow_list``, ``observer_non_leaf_module_list``).
    custom_module_class_mapping : mapping, optional
        From float to observed custom types.
    """
    leaves = (
        get_default_qconfig_propagation_list()
        if qconfig_propagation_list is None
        else qconfig_propagation_list
    )
    _Inserter(leaves, non_leaf_module_list or (), custom_module_class_mapping or {}).walk(
        module, ""
    )


class _Inserter:
    def __init__(
        self,
        leaves: ModuleTypes,
        whole: ModuleTypes,
        custom: Mapping[type[Module], Any],
    ) -> None:
        self.leaves = leaves
        self.whole = whole
        self.custom = custom

    def walk(self, module: Module, prefix: str) -> None:
        for name, child in list(module.named_children()):
            path = f"{prefix}.{name}" if prefix else name
            qconfig = getattr(child, "qconfig", None)
            fixed = get_fixed_output_fake_quant(type(child)) if child.training else None
            if isinstance(getattr(child, "activation_post_process", None), Identity):
                # Its own methods call the observer (FloatFunctional): no hook.
                if qconfig is not None:
                    child.activation_post_process = _named(qconfig.activation(), path)
            elif isinstance(child, FusedModule) or type(child) in self.whole:
                self._insert(child, path)
            elif fixed is not None:
                self._insert(child, path, fixed)
            elif qconfig is not None and type(child) in self.custom:
                observed = self.custom[type(child)].from_float(child)
                module.add_module(name, observed)
                observed.qconfig = qconfig
                self._insert(observed, path)
            else:
                self.walk(child, path)
        is_leaf = not list(module.children()) and not isinstance(module, Sequential)
        if is_leaf and type(module) in self.leaves:
            self._insert(module, prefix)

    def _insert(
        self, module: Module, path: str, factory: Callable[[], Module] | None = None
    ) -> None:
        qconfig = getattr(module, "qconfig", None)
        if qconfig is None or isinstance(module, DeQuantStub):
            return
        if is_activation_post_process(getattr(module, "activation_post_process", None)):
            # The same module under a second name.
            return
        observer = (factory or qconfig.activation)()
        module.add_module("activation_post_process", _named(observer, path))
        register_activation_post_process_hook(module)


def _named(observer: Module, path: str) -> Module:
    """Tell an observer, and one inside a fake quantizer, whose output it watches."""
    for part in observer.modules():
        if isinstance(part, ObserverBase):
            part.owner = path
    return observer
