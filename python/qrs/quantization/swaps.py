"""THE table: which class takes the place of which (README's table of layers is derived from it).

One row per float class. Every mapping, list and lookup below is read off the rows, and so are the
parametrized tests: a new quantized layer is one more row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import qrs.nn as nn
import qrs.nn.functional as F
import qrs.nn.intrinsic as nni
import qrs.nn.intrinsic.qat as nniqat
import qrs.nn.intrinsic.quantized as nniq
import qrs.nn.qat as nnqat
import qrs.nn.qat.dynamic as nnqatd
import qrs.nn.quantized as nnq
import qrs.nn.quantized.dynamic as nnqd
from qrs.dtypes import dtype as Dtype
from qrs.errors import QrsError, UnsupportedLayerError
from qrs.nn.module import Module
from qrs.nn.stubs import DeQuantStub, QuantStub
from qrs.quantization.fake_quantize_defaults import (
    default_affine_fixed_qparams_fake_quant,
    default_symmetric_fixed_qparams_fake_quant,
)

__all__ = [
    "DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS",
    "DEFAULT_FLOAT_TO_QUANTIZED_OPERATOR_MAPPINGS",
    "DEFAULT_MODULE_TO_ACT_POST_PROCESS",
    "DEFAULT_QAT_MODULE_MAPPINGS",
    "DEFAULT_STATIC_QUANT_MODULE_MAPPINGS",
    "SWAPS",
    "Swap",
    "dynamic_types",
    "get_combined_dict",
    "get_default_compare_output_module_list",
    "get_default_dynamic_quant_module_mappings",
    "get_default_observed_module_mappings",
    "get_default_qat_dynamic_module_mappings",
    "get_default_qat_module_mappings",
    "get_default_qconfig_propagation_list",
    "get_default_static_quant_module_mappings",
    "get_dynamic_quant_module_class",
    "get_fixed_output_fake_quant",
    "get_quantized_operator",
    "get_static_quant_module_class",
    "refuse_converted",
]

ModuleType = type[Module]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Swap:
    """One row of the table; None where a form does not exist.

    Attributes
    ----------
    float : type
        The class that users write.
    qat : type or None
        Its form in quantization-aware training.
    static : type or None
        Its quantized form; also that of the QAT class.
    dynamic : type or None
        Its form with float inputs and outputs. The types of weight it takes are in its attribute
        ``weight_dtypes``.
    qat_dynamic : type or None
        Its form in training for dynamic quantization.
    observed : type or None
        What `prepare` puts in its place, made of parts that are observed one by one.
    output : callable or None
        Fake quantizer of an output whose range is known beforehand.
    """

    float: ModuleType
    qat: ModuleType | None = None
    static: ModuleType | None = None
    dynamic: ModuleType | None = None
    qat_dynamic: ModuleType | None = None
    observed: ModuleType | None = None
    output: Callable[[], Module] | None = None


SWAPS = (
    Swap(QuantStub, static=nnq.Quantize),
    Swap(DeQuantStub, static=nnq.DeQuantize),
    Swap(nnq.FloatFunctional, static=nnq.QFunctional),
    Swap(nn.Linear, nnqat.Linear, nnq.Linear, nnqd.Linear, nnqatd.Linear),
    Swap(nni.LinearReLU, nniqat.LinearReLU, nniq.LinearReLU),
    Swap(nni.LinearBn1d, nniqat.LinearBn1d, nnq.Linear),
    Swap(nn.Conv1d, nnqat.Conv1d, nnq.Conv1d),
    Swap(nn.Conv2d, nnqat.Conv2d, nnq.Conv2d),
    Swap(nn.Conv3d, nnqat.Conv3d, nnq.Conv3d),
    Swap(nn.ConvTranspose1d, static=nnq.ConvTranspose1d),
    Swap(nn.ConvTranspose2d, static=nnq.ConvTranspose2d),
    Swap(nn.ConvTranspose3d, static=nnq.ConvTranspose3d),
    Swap(nni.ConvReLU1d, nniqat.ConvReLU1d, nniq.ConvReLU1d),
    Swap(nni.ConvReLU2d, nniqat.ConvReLU2d, nniq.ConvReLU2d),
    Swap(nni.ConvReLU3d, nniqat.ConvReLU3d, nniq.ConvReLU3d),
    Swap(nni.ConvBn1d, nniqat.ConvBn1d, nnq.Conv1d),
    Swap(nni.ConvBn2d, nniqat.ConvBn2d, nnq.Conv2d),
    Swap(nni.ConvBn3d, nniqat.ConvBn3d, nnq.Conv3d),
    Swap(nni.ConvBnReLU1d, nniqat.ConvBnReLU1d, nniq.ConvReLU1d),
    Swap(nni.ConvBnReLU2d, nniqat.ConvBnReLU2d, nniq.ConvReLU2d),
    Swap(nni.ConvBnReLU3d, nniqat.ConvBnReLU3d, nniq.ConvReLU3d),
    Swap(nn.BatchNorm1d, static=nnq.BatchNorm1d),
    Swap(nn.BatchNorm2d, static=nnq.BatchNorm2d),
    Swap(nn.BatchNorm3d, static=nnq.BatchNorm3d),
    Swap(nni.BNReLU1d, static=nniq.BNReLU1d),
    Swap(nni.BNReLU2d, static=nniq.BNReLU2d),
    Swap(nni.BNReLU3d, static=nniq.BNReLU3d),
    Swap(nn.LayerNorm, static=nnq.LayerNorm),
    Swap(nn.GroupNorm, static=nnq.GroupNorm),
    Swap(nn.InstanceNorm1d, static=nnq.InstanceNorm1d),
    Swap(nn.InstanceNorm2d, static=nnq.InstanceNorm2d),
    Swap(nn.InstanceNorm3d, static=nnq.InstanceNorm3d),
    Swap(nn.CELU, static=nnq.CELU),
    Swap(nn.ELU, static=nnq.ELU),
    Swap(nn.GELU, static=nnq.GELU),
    Swap(nn.Hardswish, static=nnq.Hardswish),
    Swap(nn.LeakyReLU, static=nnq.LeakyReLU),
    Swap(nn.ReLU6, static=nnq.ReLU6),
    Swap(nn.SiLU, static=nnq.SiLU),
    Swap(
        nn.LSTM,
        dynamic=nnqd.LSTM,
        qat_dynamic=nnqatd.LSTM,
        observed=nn.quantizable.LSTM,
    ),
    Swap(nn.GRU, dynamic=nnqd.GRU),
    Swap(nn.RNN, dynamic=nnqd.RNN),
    Swap(nn.LSTMCell, dynamic=nnqd.LSTMCell, observed=nn.quantizable.LSTMCell),
    Swap(nn.GRUCell, dynamic=nnqd.GRUCell),
    Swap(nn.RNNCell, dynamic=nnqd.RNNCell),
    Swap(
        nn.MultiheadAttention,
        dynamic=nnqd.MultiheadAttention,
        observed=nn.quantizable.MultiheadAttention,
    ),
    Swap(nn.TransformerEncoderLayer, observed=nn.quantizable.TransformerEncoderLayer),
    Swap(nn.Embedding, nnqat.Embedding, nnq.Embedding, nnq.Embedding),
    Swap(nn.EmbeddingBag, nnqat.EmbeddingBag, nnq.EmbeddingBag, nnq.EmbeddingBag),
    Swap(nn.Sigmoid, output=default_affine_fixed_qparams_fake_quant),
    Swap(nn.Hardsigmoid, output=default_affine_fixed_qparams_fake_quant),
    Swap(nn.Tanh, output=default_symmetric_fixed_qparams_fake_quant),
)


DEFAULT_STATIC_QUANT_MODULE_MAPPINGS: dict[ModuleType, ModuleType] = {
    old: new
    for row in SWAPS
    for old, new in (
        (row.float, row.static),
        (row.qat, row.static),
        (row.qat_dynamic, row.dynamic),
    )
    if old is not None and new is not None
}
DEFAULT_QAT_MODULE_MAPPINGS: dict[ModuleType, ModuleType] = {
    row.float: row.qat for row in SWAPS if row.qat is not None
}
DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS: dict[ModuleType, ModuleType] = {
    row.float: row.dynamic for row in SWAPS if row.dynamic is not None
}
DEFAULT_MODULE_TO_ACT_POST_PROCESS: dict[ModuleType, Callable[[], Module]] = {
    row.float: row.output for row in SWAPS if row.output is not None
}
# Functions of float tensors whose quantized forms take the parameters of the output.
DEFAULT_FLOAT_TO_QUANTIZED_OPERATOR_MAPPINGS: dict[Callable[..., Any], Callable[..., Any]] = {
    getattr(F, name): getattr(nnq.functional, name)
    for name in ("elu", "hardswish", "instance_norm", "layer_norm", "leaky_relu")
}


def get_default_static_quant_module_mappings() -> dict[ModuleType, ModuleType]:
    """A new dict from float and QAT classes to statically quantized ones."""
    return dict(DEFAULT_STATIC_QUANT_MODULE_MAPPINGS)


def get_default_observed_module_mappings() -> dict[ModuleType, ModuleType]:
    """A new dict from float classes to those that `prepare` puts in their place."""
    return {row.float: row.observed for row in SWAPS if row.observed is not None}


def get_default_qat_module_mappings() -> dict[ModuleType, ModuleType]:
    """A new dict from float classes to those of quantization-aware training."""
    return dict(DEFAULT_QAT_MODULE_MAPPINGS)


def get_default_qat_dynamic_module_mappings() -> dict[ModuleType, ModuleType]:
    """A new dict from float classes to those of training for dynamic quantization."""
    return {row.float: row.qat_dynamic for row in SWAPS if row.qat_dynamic is not None}


def get_default_dynamic_quant_module_mappings() -> dict[ModuleType, ModuleType]:
    """A new dict from float classes to dynamically quantized ones."""
    return dict(DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS)


def get_default_qconfig_propagation_list() -> set[ModuleType]:
    """A new set of the classes that `prepare` observes: those with a form in a static model."""
    return {
        *DEFAULT_STATIC_QUANT_MODULE_MAPPINGS,
        *DEFAULT_QAT_MODULE_MAPPINGS,
        *get_default_observed_module_mappings(),
        nn.Sequential,
    }


def refuse_converted(where: str, model: Module, path: str = "") -> None:
    """Raise if a model, or the part of one at a path, holds layers that `convert` has made.

    Raises
    ------
    QrsError
        Names the first of them.
    """
    forms = set(DEFAULT_STATIC_QUANT_MODULE_MAPPINGS.values())
    for name, module in model.named_modules(prefix=path):
        if type(module) in forms:
            raise QrsError(
                f"{where}: {name or 'it'} is a {module._get_name()}, so the model is converted "
                "already, expected one from before convert; use it as it is, or start again from "
                "the float model"
            )


def get_default_compare_output_module_list() -> set[ModuleType]:
    """A new set of the classes whose outputs `_numeric_suite.compare_model_outputs` compares."""
    tables = (
        DEFAULT_STATIC_QUANT_MODULE_MAPPINGS,
        DEFAULT_QAT_MODULE_MAPPINGS,
        DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS,
    )
    return {kind for table in tables for pair in table.items() for kind in pair}


def get_combined_dict(default_dict: Mapping[K, V], additional_dict: Mapping[K, V]) -> dict[K, V]:
    """A new dict with the entries of both; those of the second hold."""
    return {**default_dict, **additional_dict}


def get_quantized_operator(float_op: Callable[..., Any]) -> Callable[..., Any]:
    """The function of quantized tensors that stands for a function of float ones.

    Raises
    ------
    UnsupportedLayerError
        If there is none.

    Examples
    --------
    >>> import qrs
    >>> elu = qrs.quantization.get_quantized_operator(qrs.nn.functional.elu)
    >>> elu is qrs.nn.quantized.functional.elu
    True
    """
    table = DEFAULT_FLOAT_TO_QUANTIZED_OPERATOR_MAPPINGS
    return _lookup("get_quantized_operator", float_op, table)


def dynamic_types(dtype: Dtype) -> list[ModuleType]:
    """The float classes whose dynamic form takes weights of a type, in the order of the table."""
    return [
        row.float
        for row in SWAPS
        if row.dynamic is not None and dtype in getattr(row.dynamic, "weight_dtypes", ())
    ]


def get_fixed_output_fake_quant(float_class: ModuleType) -> Callable[[], Module] | None:
    """The fake quantizer of a class whose output has a known range; None for the others."""
    return DEFAULT_MODULE_TO_ACT_POST_PROCESS.get(float_class)


def get_static_quant_module_class(
    float_module_class: ModuleType, additional_static_quant_mapping: Mapping[Any, Any] | None = None
) -> ModuleType:
    """The statically quantized form of a class.

    Parameters
    ----------
    float_module_class : type
    additional_static_quant_mapping : mapping, optional
        Looked at first.

    Raises
    ------
    UnsupportedLayerError
        If there is none.
    """
    table: dict[ModuleType, ModuleType] = get_combined_dict(
        DEFAULT_STATIC_QUANT_MODULE_MAPPINGS, additional_static_quant_mapping or {}
    )
    return _lookup("get_static_quant_module_class", float_module_class, table)


def get_dynamic_quant_module_class(
    float_module_class: ModuleType,
    additional_dynamic_quant_mapping: Mapping[Any, Any] | None = None,
) -> ModuleType:
    """The dynamically quantized form of a class.

    Parameters
    ----------
    float_module_class : type
    additional_dynamic_quant_mapping : mapping, optional
        Looked at first.

    Raises
    ------
    UnsupportedLayerError
        If there is none.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.get_dynamic_quant_module_class(qrs.nn.Linear).__module__
    'qrs.nn.quantized.dynamic.linear'
    """
    table: dict[ModuleType, ModuleType] = get_combined_dict(
        DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS, additional_dynamic_quant_mapping or {}
    )
    return _lookup("get_dynamic_quant_module_class", float_module_class, table)


def _lookup(where: str, key: Any, table: Mapping[Any, V]) -> V:
    if key not in table:
        names = ", ".join(sorted({key.__name__ for key in table}))
        raise UnsupportedLayerError(
            f"{where}: {getattr(key, '__name__', key)} came, which has no such form; expected one "
            f"of {names}"
        )
    return table[key]
