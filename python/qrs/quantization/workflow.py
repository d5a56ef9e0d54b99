"""The workflows in one call each: dynamic, static, quantization-aware."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.errors import QrsError, UnquantizedLayerWarning, UnsupportedLayerError
from qrs.nn.module import Module, check_module
from qrs.nn.qat import WeightFakeQuant
from qrs.quantization.convert import ModuleMap, convert, convert_modules
from qrs.quantization.observe import name_observers, prepare
from qrs.quantization.observer.base import ObserverBase
from qrs.quantization.propagate import check_keys, propagate_qconfig_, remove_qconfig_
from qrs.quantization.qconfig import get_default_dynamic_qconfig
from qrs.quantization.swaps import (
    dynamic_types,
    get_default_dynamic_quant_module_mappings,
    get_default_observed_module_mappings,
    get_default_qat_dynamic_module_mappings,
    get_default_qat_module_mappings,
)

__all__ = [
    "default_eval_fn",
    "prepare_qat",
    "quantize",
    "quantize_dynamic",
    "quantize_qat",
]

Spec = Collection[Any] | Mapping[Any, Any]


def quantize_dynamic(
    model: Module,
    qconfig_spec: Spec | None = None,
    dtype: Dtype = qint8,
    mapping: ModuleMap | None = None,
    inplace: bool = False,
) -> Module:
    """Quantize the weights of a model; inputs are quantized at each call, outputs are float.

    Parameters
    ----------
    model : Module
        A trained float model. It may itself be a layer to quantize: the quantized layer is
        returned.
    qconfig_spec : set or dict, optional
        What to quantize. A set of types and dotted names, which get the default qconfig of
        ``dtype`` under `qrs.backends.quantized.engine`; or a dict from types and names to a
        qconfig (None: leave in float), where ``dtype`` has no effect. Default: all types that
        ``dtype`` is for.
    dtype : dtype
        Type of the weights: ``qint8``, ``float16``, or ``quint8`` for embeddings.
    mapping : mapping of type to type, optional
        Default: `get_default_dynamic_quant_module_mappings`.
    inplace : bool
        Change the model itself rather than a copy.

    Returns
    -------
    Module
        The quantized model, in evaluation mode.

    Raises
    ------
    UnsupportedLayerError
        If a type or name was asked for that cannot be quantized.
    TypeError
        If the model is none of `qrs.nn`, or ``qconfig_spec`` is no collection, or holds something
        else.
    ValueError
        If there is no default qconfig for ``dtype``.

    Warns
    -----
    UnquantizedLayerWarning
        For subclasses of a type that was asked for, which stay float: only exact types are
        replaced.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(4, 3), qrs.nn.ReLU(), qrs.nn.Linear(3, 2))
    >>> qrs.quantization.quantize_dynamic(model, {"0"})
    Sequential(
      (0): DynamicQuantizedLinear(in_features=4, out_features=3, dtype=qrs.qint8,
      qscheme=qrs.per_channel_affine) (1): ReLU()
      (2): Linear(in_features=3, out_features=2, bias=True)
    )
    """
    check_module("quantize_dynamic", model)
    table = get_default_dynamic_quant_module_mappings() if mapping is None else mapping
    if qconfig_spec is None:
        qconfig_spec = set(dynamic_types(dtype)) & set(table)
    if isinstance(qconfig_spec, type | str):
        shown = getattr(qconfig_spec, "__name__", repr(qconfig_spec))
        raise TypeError(
            f"quantize_dynamic: {shown} came as qconfig_spec, expected a set of module types and "
            f"dotted names; pass {{{shown}}}"
        )
    if isinstance(qconfig_spec, Mapping):
        spec = dict(qconfig_spec)
    else:
        qconfig = get_default_dynamic_qconfig(dtype=dtype)
        spec = dict.fromkeys(qconfig_spec, qconfig)
    _check_spec(model, spec, table)
    if not inplace:
        model = copy.deepcopy(model)
    model.eval()
    propagate_qconfig_(model, spec)
    _warn_of_subclasses(model, spec, table)
    model = convert_modules(model, table, {})
    remove_qconfig_(model)
    return model


def _check_spec(model: Module, spec: Mapping[Any, Any], table: ModuleMap) -> None:
    """Refuse entries that ask for something that cannot be quantized."""
    names = ", ".join(sorted({key.__name__ for key in table}))
    check_keys("quantize_dynamic", model, spec)
    for key, qconfig in spec.items():
        if qconfig is None or key in table:
            continue
        if isinstance(key, str):
            found = [model.get_submodule(key)]
            what = f"{key!r} ({type(found[0]).__name__})"
        else:
            found = [module for module in model.modules() if type(module) is key]
            what = key.__name__
        if not any(type(part) in table for module in found for part in module.modules()):
            raise UnsupportedLayerError(
                f"quantize_dynamic: {what} has no dynamically quantized form and holds no layer "
                f"that has one; expected one of {names}"
            )


def _warn_of_subclasses(model: Module, spec: Mapping[Any, Any], table: ModuleMap) -> None:
    """Report layers that stay float because they are of a derived type."""
    asked = tuple(key for key, value in spec.items() if value is not None and key in table)
    known = tuple(table)
    left = [
        f"{name or 'the model'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if type(module) not in table
        and (
            isinstance(module, asked)
            or (getattr(module, "qconfig", None) is not None and isinstance(module, known))
        )
    ]
    if left:
        warnings.warn(
            f"quantize_dynamic: left in float: {', '.join(left)}; only exact types are replaced, "
            "expected a layer of qrs.nn itself; pass mapping={...} to name a quantized form",
            UnquantizedLayerWarning,
            stacklevel=3,
        )


def prepare_qat(model: Module, mapping: ModuleMap | None = None, inplace: bool = False) -> Module:
    """Replace layers by their forms for quantization-aware training and add fake quantizers.

    A layer with a qconfig that `prepare` observes inside, such as `nn.LSTM`, becomes the class of
    its name in `nn.quantizable`, the parts of which are trained.

    Parameters
    ----------
    model : Module
        In training mode, with an attribute ``qconfig`` such as `get_default_qat_qconfig` gives.
    mapping : mapping of type to type, optional
        Default: `get_default_qat_module_mappings`. To train for dynamic quantization pass
        `get_default_qat_dynamic_module_mappings`, with `get_default_qat_dynamic_qconfig`.
    inplace : bool
        Change the model itself rather than a copy.

    Returns
    -------
    Module
        The model to train.

    Raises
    ------
    TypeError
        If the model is none of `qrs.nn`.
    ValueError
        If it is in evaluation mode.
    QrsError
        If no module has a qconfig, or one has a qconfig that only observes.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.quantization.QuantStub(), qrs.nn.Linear(2, 1))
    >>> model.qconfig = qrs.quantization.get_default_qat_qconfig()
    >>> prepared = qrs.quantization.prepare_qat(model)
    >>> type(prepared[1]) is qrs.nn.qat.Linear
    True
    """
    check_module("prepare_qat", model)
    if not model.training:
        raise ValueError(
            "prepare_qat: a model in evaluation mode came, expected training mode; call "
            "model.train() before"
        )
    table = get_default_qat_module_mappings() if mapping is None else mapping
    if not inplace:
        model = copy.deepcopy(model)
    propagate_qconfig_(model)
    _refuse_observed_weights(model, table)
    dynamic = set(get_default_qat_dynamic_module_mappings().values())
    others = set(table.values()) - dynamic
    if others:
        # What is observed inside is taken apart first, so that its parts train rounded too.
        observed = get_default_observed_module_mappings()
        apart = {old: new for old, new in observed.items() if old not in table}
        model = convert(model, apart, inplace=True, remove_qconfig=False)
        propagate_qconfig_(model)
    model = convert(model, table, inplace=True, remove_qconfig=False)
    if not others:
        _leave_float(model, dynamic)
    # Layers that quantize their input at each call need no observer behind them.
    model = prepare(model, inplace=True, observer_non_leaf_module_list=others)
    for name, module in model.named_modules():
        if isinstance(module, WeightFakeQuant):
            name_observers(module.weight_fake_quant, f"{name}.weight" if name else "weight")
    return model


def _refuse_observed_weights(model: Module, table: ModuleMap) -> None:
    """Raise if a layer would train with float weights, because its qconfig is for calibration."""
    for name, module in model.named_modules():
        weight = getattr(getattr(module, "qconfig", None), "weight", None)
        if type(module) in table and weight is not None and isinstance(weight(), ObserverBase):
            raise QrsError(
                f"prepare_qat: {name or 'the model'} ({type(module).__name__}) has a qconfig whose "
                f"weight is a {type(weight()).__name__}, which only observes; expected a fake "
                "quantizer: use qrs.quantization.get_default_qat_qconfig()"
            )


def _leave_float(model: Module, kinds: Collection[type[Module]]) -> None:
    """Take the qconfig from all modules but those that train for dynamic quantization."""
    for module in model.modules():
        if type(module) not in kinds:
            module.__dict__.pop("qconfig", None)


def quantize(
    model: Module,
    run_fn: Callable[..., Any],
    run_args: Sequence[Any] = (),
    mapping: ModuleMap | None = None,
    inplace: bool = False,
) -> Module:
    """Prepare, calibrate and convert in one call.

    Parameters
    ----------
    model : Module
        A float model with a qconfig; set to evaluation mode.
    run_fn : callable
        ``run_fn(model, *run_args)`` runs calibration data through the model.
    run_args : sequence
    mapping : mapping of type to type, optional
        See `convert`.
    inplace : bool
        Change the model itself rather than a copy.

    Returns
    -------
    Module
        The quantized model.
    """
    if not inplace:
        model = copy.deepcopy(model)
    model.eval()
    prepare(model, inplace=True)
    run_fn(model, *run_args)
    return convert(model, mapping, inplace=True)


def quantize_qat(
    model: Module,
    run_fn: Callable[..., Any],
    run_args: Sequence[Any] = (),
    inplace: bool = False,
) -> Module:
    """Prepare for quantization-aware training, train and convert in one call.

    Parameters
    ----------
    model : Module
        A float model with a qconfig; set to training mode.
    run_fn : callable
        ``run_fn(model, *run_args)`` trains the model.
    run_args : sequence
    inplace : bool
        Change the model itself rather than a copy.

    Returns
    -------
    Module
        The quantized model, in evaluation mode.
    """
    if not inplace:
        model = copy.deepcopy(model)
    model.train()
    model = prepare_qat(model, inplace=True)
    run_fn(model, *run_args)
    return convert(model.eval(), inplace=True)


def default_eval_fn(model: Module, calib_data: Iterable[tuple[Any, Any]]) -> None:
    """Run a model on the inputs of ``(input, target)`` pairs."""
    for data, _ in calib_data:
        model(data)
