"""Dynamically quantized linear layers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from onnx import helper

import qrs
from comparison.arithmetic import exact_linear
from comparison.model import Array, Contender, Row, Stage
from comparison.onnx_models import NAMES, Session

# Rows, inputs, outputs: batch 1 (bound by reading weights), small batches, and BERT's layers.
SHAPES = [
    (1, 256, 1024),
    (1, 512, 512),
    (1, 768, 768),
    (1, 768, 3072),
    (1, 1024, 1024),
    (1, 1024, 4096),
    (1, 4096, 4096),
    (8, 768, 3072),
    (32, 768, 768),
    (128, 768, 768),
    (128, 768, 3072),
    (128, 3072, 768),
    (512, 512, 512),
    (1024, 1024, 1024),
]


def build(m: int, k: int, n: int, threads: int) -> tuple[Array, list[Contender]]:
    """The output in double precision, and those who compute it."""
    random = np.random.default_rng(m * k + n)
    x = random.standard_normal((m, k), np.float32)
    weight = random.standard_normal((n, k), np.float32) / np.float32(np.sqrt(k))
    bias = random.standard_normal(n, np.float32)
    contenders = [
        *_qrs(x, weight, bias),
        *_torch(x, weight, bias),
        *_onnx_runtime(x, weight, bias, threads),
    ]
    return x.astype(np.float64) @ weight.T + bias, contenders


def _qrs(x: Array, weight: Array, bias: Array) -> list[Contender]:
    layer = qrs.nn.Linear(*weight.shape[::-1])
    layer.load_state_dict({"weight": qrs.tensor(weight), "bias": qrs.tensor(bias)})
    wrapped = qrs.from_numpy(x)
    made = []
    for engine, top in (("qrs", 255), ("fbgemm", 127)):
        qrs.backends.quantized.engine = engine
        small = qrs.quantization.quantize_dynamic(layer)
        qrs.backends.quantized.engine = "qrs"
        own = engine == "qrs"
        exact = exact_linear(x, _qrs_weight(small), bias, top, by_row=own, fused=not own)
        name = "qrs" if own else f"qrs, profile {engine}"
        made.append(Contender(name, partial(small, wrapped), _numpy, "qrs", exact))
        if own:
            call = partial(_through_numpy, small, x)
            made.append(Contender("qrs, NumPy in and out", call, np.asarray, "qrs", exact))
    return made


def _qrs_weight(layer: Any) -> tuple[Array, Array]:
    weight = layer.weight()
    if weight.qscheme() is qrs.per_channel_affine:
        return weight.int_repr().numpy(), weight.q_per_channel_scales().numpy()
    return weight.int_repr().numpy(), np.array(weight.q_scale())


def _through_numpy(layer: Any, x: Array) -> Array:
    y: Array = layer(qrs.from_numpy(x)).numpy()
    return y


def _numpy(y: Any) -> Array:
    return np.asarray(y.numpy())


def _torch(x: Array, weight: Array, bias: Array) -> list[Contender]:
    model = torch.nn.Sequential(torch.nn.Linear(*weight.shape[::-1])).eval()
    with torch.no_grad():
        model[0].weight.copy_(torch.from_numpy(weight))
        model[0].bias.copy_(torch.from_numpy(bias))
    spec = {torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}
    small = torch.ao.quantization.quantize_dynamic(model, spec)[0]
    stored = small.weight()
    weights = stored.int_repr().numpy(), stored.q_per_channel_scales().numpy()
    exact = exact_linear(x, weights, bias, 127, by_row=False)
    wrapped = torch.from_numpy(x)
    return [
        Contender("PyTorch fbgemm", partial(small, wrapped), _numpy, exact=exact),
        Contender("PyTorch float", partial(model[0], wrapped), _numpy, "float"),
    ]


def _onnx_runtime(x: Array, weight: Array, bias: Array, threads: int) -> list[Contender]:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["y"]),
    ]
    outputs = {"y": (len(x), len(bias))}
    weights = {"w": np.ascontiguousarray(weight.T), "b": bias}
    made = []
    for name, narrow in NAMES.items():
        session = Session(nodes, weights, x, outputs, threads, "DynamicQuantizeMatMul", narrow)
        stored = session.stored["w_quantized"].T, session.stored["w_scale"]
        exact = exact_linear(x, stored, bias, 255, by_row=False)
        made.append(Contender(name, session.call, session.output, exact=exact))
    return made


ROWS = tuple(
    Row(f"linear {m}x{k}x{n}", (Stage(m * k * n, k * n),), partial(build, m, k, n))
    for m, k, n in SHAPES
)
