"""The activations of a float and a quantized model, side by side."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import qrs.nn.quantized as nnq
from qrs.autograd import no_grad
from qrs.nn.layers.container import Identity
from qrs.nn.module import Module
from qrs.quantization._numeric_suite.loggers import Logger as BaseLogger
from qrs.quantization._numeric_suite.loggers import OutputLogger, get_logger_dict, was_called
from qrs.quantization._numeric_suite.stubs import check_twins, check_types
from qrs.quantization.swaps import get_default_compare_output_module_list

__all__ = [
    "compare_model_outputs",
    "get_matching_activations",
    "prepare_model_outputs",
    "remove_loggers",
]

Types = Collection[type[Module]]


def _log_output(module: Module, _inputs: Any, output: Any) -> None:
    module.logger(output)


def _attach(model: Module, logger: type[BaseLogger], types: Types) -> None:
    for name, module in list(model.named_modules()):
        if isinstance(module, nnq.FXFloatFunctional | nnq.QFunctional):
            # Its methods call the module of this name.
            if type(getattr(module, "activation_post_process", None)) is Identity:
                module.activation_post_process = logger()
        elif type(module) in types and not hasattr(module, "logger"):
            if hasattr(module, "activation_post_process"):
                raise ValueError(
                    f"prepare_model_outputs: {name or 'the model'} has an observer, expected a "
                    "float model and a converted one; pass the model from before prepare"
                )
            module.add_module("logger", logger())
            module.register_forward_hook(_log_output)


def prepare_model_outputs(
    float_module: Module,
    q_module: Module,
    Logger: type[BaseLogger] = OutputLogger,  # noqa: N803 - PyTorch's name
    allow_list: Types | None = None,
) -> None:
    """Attach loggers to both models, in place; `remove_loggers` undoes it.

    Parameters
    ----------
    float_module, q_module : Module
    Logger : type of Logger
    allow_list : collection of type, optional
        Exact types of the modules to watch. Default: `get_default_compare_output_module_list`.

    Raises
    ------
    TypeError
        If ``allow_list`` holds something else than types.
    ValueError
        If a model holds observers, or a quantized module was made from another kind of module than
        the float one of its name.
    """
    types = get_default_compare_output_module_list() if allow_list is None else allow_list
    check_types("prepare_model_outputs", types)
    floats = dict(float_module.named_modules())
    for name, module in q_module.named_modules():
        if type(module) in types and name in floats:
            check_twins("prepare_model_outputs", name, floats[name], module)
    for model in (float_module, q_module):
        _attach(model, Logger, types)


def get_matching_activations(
    float_module: Module, q_module: Module
) -> dict[str, dict[str, list[Any]]]:
    """Pair what the loggers of `prepare_model_outputs` have recorded.

    Returns
    -------
    dict
        ``{name + ".stats": {"float": list, "quantized": list}}``, for the names that both have and
        that were called.
    """
    floats, quantized = get_logger_dict(float_module), get_logger_dict(q_module)
    return {
        name: {"float": floats[name]["tensor_val"], "quantized": stats["tensor_val"]}
        for name, stats in quantized.items()
        if name in floats and was_called(stats)
    }


def compare_model_outputs(
    float_model: Module,
    q_model: Module,
    *data: Any,
    Logger: type[BaseLogger] = OutputLogger,  # noqa: N803 - PyTorch's name
    allow_list: Types | None = None,
) -> dict[str, dict[str, list[Any]]]:
    """Run both models on the same data and pair the activations of equal names.

    Parameters
    ----------
    float_model, q_model : Module
        Both fused alike, in evaluation mode. They are as before when the call returns.
    *data : Tensor
        The inputs of the models.
    Logger : type of Logger
    allow_list : collection of type, optional
        See `prepare_model_outputs`.

    Returns
    -------
    dict
        ``{name + ".stats": {"float": list, "quantized": list}}``; quantized outputs as they are.

    Raises
    ------
    ValueError
        If a model holds observers.

    Examples
    --------
    >>> import qrs
    >>> import qrs.quantization._numeric_suite as ns
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(4, 4)).eval()
    >>> small = qrs.quantization.quantize_dynamic(model)
    >>> list(ns.compare_model_outputs(model, small, qrs.ones(2, 4)))
    ['0.stats']
    """
    try:
        prepare_model_outputs(float_model, q_model, Logger, allow_list)
        with no_grad():
            float_model(*data)
            q_model(*data)
        return get_matching_activations(float_model, q_model)
    finally:
        remove_loggers(float_model)
        remove_loggers(q_model)


def remove_loggers(model: Module) -> None:
    """Take out the loggers of `prepare_model_outputs`, in place."""
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if isinstance(child, BaseLogger) and name == "logger":
                del module._modules[name]
            elif isinstance(child, BaseLogger):
                module._modules[name] = Identity()
        for key, hook in list(module._forward_hooks.items()):
            if hook is _log_output:
                del module._forward_hooks[key]
