"""`prepare`: putting observers behind the modules that are to be quantized."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

from qrs.backends import quantized
from qrs.errors import QrsError
from qrs.nn.hooks import RemovableHandle
from qrs.nn.intrinsic import FusedModule
from qrs.nn.layers.container import Identity, Sequential
from qrs.nn.layers.dropout import Dropout, Dropout1d, Dropout2d, Dropout3d
from qrs.nn.module import Module, check_module
from qrs.quantization.fake_quantize import FakeQuantizeBase, FixedQParamsFakeQuantize
from qrs.quantization.observer import ObserverBase
from qrs.quantization.propagate import propagate_qconfig_
from qrs.quantization.stubs import DeQuantStub
from qrs.quantization.swaps import (
    get_default_observed_module_mappings,
    get_default_qconfig_propagation_list,
    get_fixed_output_fake_quant,
    refuse_converted,
)
from qrs.tensor import device as Device

__all__ = [
    "add_observer_",
    "get_unique_devices_",
    "is_activation_post_process",
    "name_observers",
    "observer_hook",
    "prepare",
    "refuse_prepared",
    "register_activation_post_process_hook",
]

ModuleTypes = Collection[type[Module]]

_DROPOUT = (Dropout, Dropout1d, Dropout2d, Dropout3d)


def is_activation_post_process(module: object) -> bool:
    """Whether a module is an observer or a fake quantizer, or does what these do."""
    known = isinstance(module, ObserverBase | FakeQuantizeBase)
    return known or (isinstance(module, Module) and hasattr(module, "calculate_qparams"))


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
        Float become ``Observed.from_float(module)``. An `nn.LSTM`, `nn.LSTMCell`,
        `nn.MultiheadAttention` or `nn.TransformerEncoderLayer` becomes the class of its name in
        `nn.quantizable` unless something else is said here.

    Returns
    -------
    Module
        The prepared model.

    Raises
    ------
    QrsError
        If no module has a qconfig, or the model has been prepared or converted already.
    TypeError
        If the model is none of `qrs.nn`, or a qconfig makes something that is no observer.

    Warns
    -----
    UserWarning
        If normalisation or dropout is in training mode, unless fake quantizers show that the model
        is to be trained.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.quantization.QuantStub(), qrs.nn.Linear(2, 2))
    >>> model.qconfig = qrs.quantization.get_default_qconfig()
    >>> prepared = qrs.quantization.prepare(model)
    >>> type(prepared[1].activation_post_process).__name__
    'MSEObserver'
    """
    check_module("prepare", model)
    refuse_prepared("prepare", model)
    if not inplace:
        model = copy.deepcopy(model)
    propagate_qconfig_(model)
    if not any(module.qconfig for module in model.modules()):
        refuse_converted("prepare", model)
        raise QrsError(
            "prepare: no module has a qconfig, expected one at least; set "
            "model.qconfig = get_default_qconfig() before"
        )
    # `convert` compares: a model is calibrated for one profile.
    model.prepared_engine = quantized.engine
    custom = get_default_observed_module_mappings()
    custom |= (prepare_custom_config_dict or {}).get("float_to_observed_custom_module_class", {})
    model = add_observer_(
        model, allow_list, observer_non_leaf_module_list, custom_module_class_mapping=custom
    )
    parts = list(model.modules())
    if not any(map(is_activation_post_process, parts)):
        refuse_converted("prepare", model)
    if not any(map(_is_trained, parts)):
        _warn_of_training_mode(model)
    return model


def refuse_prepared(where: str, model: Module, path: str = "") -> None:
    """Raise if a model, or the part of one at a path, holds observers.

    Raises
    ------
    QrsError
        Names the first module that has one.
    """
    for name, module in model.named_modules(prefix=path):
        # A fake quantizer, such as that of a weight, holds its own observer.
        if isinstance(module, FakeQuantizeBase):
            continue
        if is_activation_post_process(getattr(module, "activation_post_process", None)):
            raise QrsError(
                f"{where}: {name or 'it'} has an observer, so the model is prepared already, "
                "expected one from before prepare; calibrate and convert it, or start again from "
                "the float model"
            )


def _is_trained(module: Module) -> bool:
    """Whether a module rounds what a training run is to get used to."""
    fixed = isinstance(module, FixedQParamsFakeQuantize)
    return isinstance(module, FakeQuantizeBase) and not fixed


def _warn_of_training_mode(model: Module) -> None:
    """Report layers that calibration would change, or that would drop what is to be observed."""
    left = [
        f"{name or 'the model'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if module.training
        and (getattr(module, "running_mean", None) is not None or isinstance(module, _DROPOUT))
    ]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        warnings.warn(
            f"prepare: {', '.join(left[:3])}{more} came in training mode, in which calibration "
            "moves running statistics and drops values, expected evaluation mode; call "
            "model.eval() before",
            stacklevel=3,
        )


def get_unique_devices_(module: Module) -> set[Device]:
    """The devices that hold the parameters and buffers of a module: the CPU, or none.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.get_unique_devices_(qrs.nn.Linear(2, 2))
    {device(type='cpu')}
    """
    return {value.device for value in (*module.parameters(), *module.buffers())}


def add_observer_(
    module: Module,
    qconfig_propagation_list: ModuleTypes | None = None,
    non_leaf_module_list: ModuleTypes | None = None,
    device: Any = None,
    custom_module_class_mapping: Mapping[type[Module], Any] | None = None,
) -> Module:
    """Insert observers into a tree of modules that carries qconfigs, in place.

    Parameters
    ----------
    module : Module
        The root, after `propagate_qconfig_`.
    qconfig_propagation_list, non_leaf_module_list : collection of type, optional
        See `prepare` (``allow_list``, ``observer_non_leaf_module_list``).
    device : device or str, optional
        Where the observers go: the CPU.
    custom_module_class_mapping : mapping, optional
        From float to observed custom types.

    Returns
    -------
    Module
        The root, or what took its place if its type is a custom one.

    Raises
    ------
    ValueError
        For another device.
    """
    Device("cpu" if device is None else device)
    leaves = (
        get_default_qconfig_propagation_list()
        if qconfig_propagation_list is None
        else qconfig_propagation_list
    )
    custom = custom_module_class_mapping or {}
    return _Inserter(leaves, non_leaf_module_list or (), custom).run(module, "")


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
        # What became of each module: one under several names stays one.
        self.done: dict[Module, Module] = {}

    def run(self, module: Module, path: str) -> Module:
        """Observe a module and those below it; return it, or what takes its place."""
        if module in self.done:
            return self.done[module]
        self.done[module] = module
        qconfig = getattr(module, "qconfig", None)
        fixed = get_fixed_output_fake_quant(type(module)) if module.training else None
        if isinstance(getattr(module, "activation_post_process", None), Identity):
            # Its own methods call the observer (FloatFunctional): no hook.
            if qconfig is not None:
                module.activation_post_process = _made(qconfig.activation, path)
        elif isinstance(module, FusedModule) or type(module) in self.whole:
            self._insert(module, path)
        elif fixed is not None:
            self._insert(module, path, fixed)
        elif qconfig is not None and type(module) in self.custom:
            return self._replace(module, path)
        else:
            self._below(module, path)
        return module

    def _below(self, module: Module, path: str) -> None:
        is_leaf = True
        for name, child in list(module._modules.items()):
            if child is not None:
                is_leaf = False
                new = self.run(child, f"{path}.{name}" if path else name)
                if new is not child:
                    module._modules[name] = new
        if is_leaf and not isinstance(module, Sequential) and type(module) in self.leaves:
            self._insert(module, path)

    def _replace(self, module: Module, path: str) -> Module:
        observed: Module = self.custom[type(module)].from_float(module)
        observed.qconfig = module.qconfig
        self.done[module] = observed
        if getattr(observed, "observes_inside", False):
            propagate_qconfig_(observed)
            self._below(observed, path)
        else:
            self._insert(observed, path)
        return observed

    def _insert(
        self, module: Module, path: str, factory: Callable[[], Module] | None = None
    ) -> None:
        qconfig = getattr(module, "qconfig", None)
        if qconfig is None or isinstance(module, DeQuantStub):
            return
        if is_activation_post_process(getattr(module, "activation_post_process", None)):
            # The same module under a second name.
            return
        observer = _made(factory or qconfig.activation, path)
        module.add_module("activation_post_process", observer)
        register_activation_post_process_hook(module)


def _made(factory: Callable[[], Any], path: str) -> Module:
    """What a qconfig puts behind a module."""
    observer = factory()
    # An Identity observes nothing, as in a qconfig for weights only.
    if not is_activation_post_process(observer) and type(observer) is not Identity:
        raise TypeError(
            f"prepare: the qconfig of {path or 'the model'} has made a {type(observer).__name__} "
            "for its output, expected a Module with calculate_qparams; derive it from "
            "qrs.quantization.ObserverBase"
        )
    return name_observers(observer, path)


def name_observers(observer: Module, path: str) -> Module:
    """Tell an observer, and one inside a fake quantizer, whose output it watches."""
    for part in observer.modules():
        if isinstance(part, ObserverBase):
            part.owner = path
    return observer
