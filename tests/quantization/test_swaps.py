"""The table of swaps, as PyTorch's functions show it."""

from collections.abc import Callable
from typing import Any

import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import UnsupportedLayerError
from qrs.nn import quantized as nnq
from qrs.nn.quantized import dynamic as nnqd

F, QF = nn.functional, nnq.functional


@pytest.mark.parametrize(
    "get",
    [
        Q.get_default_static_quant_module_mappings,
        Q.get_default_qat_module_mappings,
        Q.get_default_dynamic_quant_module_mappings,
    ],
)
def test_a_table_given_out_is_a_copy(get: Callable[[], dict[type, Any]]) -> None:
    before = dict(get())
    get().clear()
    assert get() == before


def test_sets_given_out_are_copies() -> None:
    for get in (Q.get_default_qconfig_propagation_list, Q.get_default_compare_output_module_list):
        before = set(get())
        get().clear()
        assert get() == before
        assert nn.Linear in before


def test_forms_of_a_class() -> None:
    assert Q.get_static_quant_module_class(nn.Linear) is nnq.Linear
    assert Q.get_dynamic_quant_module_class(nn.Linear) is nnqd.Linear
    own = {nn.Linear: nnq.Conv2d}
    assert Q.get_static_quant_module_class(nn.Linear, own) is nnq.Conv2d
    assert Q.get_dynamic_quant_module_class(nn.Linear, own) is nnq.Conv2d
    assert Q.get_combined_dict({1: 2, 3: 4}, {3: 5}) == {1: 2, 3: 5}
    for get in (Q.get_static_quant_module_class, Q.get_dynamic_quant_module_class):
        with pytest.raises(UnsupportedLayerError, match=r"Softmax came.*expected one of .*Linear"):
            get(nn.Softmax)


@pytest.mark.parametrize("name", ["elu", "hardswish", "instance_norm", "layer_norm", "leaky_relu"])
def test_operator_of_a_function(name: str) -> None:
    assert Q.get_quantized_operator(getattr(F, name)) is getattr(QF, name)


def test_a_function_without_operator_is_named() -> None:
    with pytest.raises(UnsupportedLayerError, match=r"softmax came.*expected one of"):
        Q.get_quantized_operator(F.softmax)


def test_outputs_of_known_range() -> None:
    x = qrs.tensor([-50.0, 50.0])
    for cls, make in Q.DEFAULT_MODULE_TO_ACT_POST_PROCESS.items():
        scale, zero_point = make().calculate_qparams()
        low, high = ((q - zero_point.item()) * scale.item() for q in (0, 256))
        assert cls()(x).tolist() == pytest.approx([low, high])
