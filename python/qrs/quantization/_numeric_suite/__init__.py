"""Comparing a quantized model with the float one: weights, layers on equal inputs, activations.

Three questions, in the order in which to ask them. `compare_weights`: did a weight lose more than
rounding? `compare_model_stub`: does a layer, given what its quantized twin gets, answer alike?
`compare_model_outputs`: where along the network do the errors of all layers add up?
"""

from qrs.quantization._numeric_suite.loggers import (
    Logger,
    OutputLogger,
    ShadowLogger,
    get_logger_dict,
)
from qrs.quantization._numeric_suite.outputs import (
    compare_model_outputs,
    get_matching_activations,
    prepare_model_outputs,
    remove_loggers,
)
from qrs.quantization._numeric_suite.stubs import (
    Shadow,
    compare_model_stub,
    prepare_model_with_stubs,
    remove_stubs,
)
from qrs.quantization._numeric_suite.weights import compare_weights

__all__ = [
    "Logger",
    "OutputLogger",
    "Shadow",
    "ShadowLogger",
    "compare_model_outputs",
    "compare_model_stub",
    "compare_weights",
    "get_logger_dict",
    "get_matching_activations",
    "prepare_model_outputs",
    "prepare_model_with_stubs",
    "remove_loggers",
    "remove_stubs",
]
