"""Statically quantized linear layers and convolutions against PyTorch 1.8.1, integers equal."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import quantized as nniq

from .cases import Case, load

CASES = load("linear_conv")


def quantized_weight(case: Case, axis: int = 0) -> qrs.QTensor:
    ints, scale = case.inputs["weight"], case.inputs["weight_scale"]
    zero_point = case.inputs["weight_zero_point"]
    if case.args.get("per_channel"):
        return qrs.QTensor.from_ints(ints, scale, zero_point, qrs.qint8, axis=axis)
    return qrs.QTensor.from_ints(ints, scale.item(), zero_point.item(), qrs.qint8)


def layer_of(case: Case) -> Any:
    """The layer with its weights, engine fbgemm."""
    name = {"linear": "Linear", "conv": "Conv", "conv_transpose": "ConvTranspose"}[
        case.op.removesuffix("_relu").rstrip("123d")
    ]
    rank = case.inputs["x"].ndim - 2
    relu = case.op.endswith("_relu")
    name += ("ReLU" if relu else "") + ("" if "linear" in case.op else f"{rank}d")
    cls = getattr(nniq if relu else nnq, name)
    weight, bias = case.inputs["weight"], case.inputs.get("bias")
    if "linear" in case.op:
        layer = cls(weight.shape[1], weight.shape[0], bias is not None)
    else:
        keys = ("stride", "padding", "dilation", "output_padding", "groups")
        settings = {key: case.args[key] for key in keys if key in case.args}
        sizes = [weight.shape[0], weight.shape[1] * settings.get("groups", 1)]
        outer, inner = sizes if "transpose" in case.op else reversed(sizes)
        layer = cls(outer, inner, weight.shape[2:], bias=bias is not None, **settings)
    layer.set_weight_bias(quantized_weight(case), None if bias is None else qrs.from_numpy(bias))
    layer.scale, layer.zero_point = case.args["scale"], case.args["zero_point"]
    return layer


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", "fbgemm")
    layer = layer_of(case)
    x = case.args["x"]
    q = qrs.QTensor.from_ints(case.inputs["x"], x["scale"], x["zero_point"], qrs.quint8)
    y = layer(q)
    assert np.array_equal(y.int_repr().numpy(), case.outputs["y"])
    assert (y.q_scale(), y.q_zero_point()) == (case.args["scale"], case.args["zero_point"])
