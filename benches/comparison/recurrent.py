"""Dynamically quantized LSTM and GRU layers: as many inputs as hidden units, 20 steps."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from onnx import helper

import qrs
from comparison.model import Array, Contender, Row, Stage
from comparison.onnx_models import NAMES, Session

STEPS = 20
# Kind, hidden units, batch.
SHAPES = [
    ("LSTM", 256, 1),
    ("LSTM", 512, 1),
    ("LSTM", 1024, 1),
    ("LSTM", 512, 8),
    ("GRU", 256, 1),
    ("GRU", 512, 1),
    ("GRU", 1024, 1),
]
GATES = {"LSTM": 4, "GRU": 3}


class Wrapped(torch.nn.Module):
    """PyTorch's `quantize_dynamic` does not replace a model that is itself the layer."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer


def build(kind: str, size: int, batch: int, threads: int) -> tuple[Array, list[Contender]]:
    """The output in double precision, and those who compute it."""
    torch.manual_seed(size + batch)
    model = getattr(torch.nn, kind)(size, size).eval()
    weights = {name: value.detach().numpy() for name, value in model.named_parameters()}
    x = np.random.default_rng(size).standard_normal((STEPS, batch, size), np.float32)
    contenders = [*_qrs(kind, weights, x), *_torch(model, x)]
    if kind == "LSTM":
        contenders += _onnx_runtime(weights, x, threads)
    double = getattr(torch.nn, kind)(size, size).double()
    double.load_state_dict({name: torch.from_numpy(w).double() for name, w in weights.items()})
    with torch.no_grad():
        return double(torch.from_numpy(x).double())[0].numpy(), contenders


def _first(result: Any) -> Array:
    return np.asarray(result[0].numpy())


def _qrs(kind: str, weights: dict[str, Array], x: Array) -> list[Contender]:
    size = x.shape[-1]
    layer = getattr(qrs.nn, kind)(size, size)
    layer.load_state_dict({name: qrs.tensor(value) for name, value in weights.items()})
    wrapped = qrs.from_numpy(x)
    made = []
    for engine in ("qrs", "fbgemm"):
        qrs.backends.quantized.engine = engine
        small = qrs.quantization.quantize_dynamic(layer)
        qrs.backends.quantized.engine = "qrs"
        name = "qrs" if engine == "qrs" else f"qrs, profile {engine}"
        made.append(Contender(name, partial(small, wrapped), _first, "qrs"))
    return made


def _torch(model: Any, x: Array) -> list[Contender]:
    # Per tensor, which is all that PyTorch's recurrent layers take.
    small = torch.ao.quantization.quantize_dynamic(Wrapped(model), {type(model)}).layer
    wrapped = torch.from_numpy(x)
    return [
        Contender("PyTorch fbgemm", partial(small, wrapped), _first),
        Contender("PyTorch float", partial(model, wrapped), _first, "float"),
    ]


def _onnx_runtime(weights: dict[str, Array], x: Array, threads: int) -> list[Contender]:
    steps, batch, size = x.shape

    def reordered(name: str) -> Array:
        # From PyTorch's i, f, g, o to ONNX's i, o, f, g.
        i, f, g, o = weights[name].reshape(4, size, *weights[name].shape[1:])
        return np.concatenate([i, o, f, g])[None]

    stored = {
        "w": reordered("weight_ih_l0"),
        "r": reordered("weight_hh_l0"),
        "b": np.concatenate([reordered("bias_ih_l0"), reordered("bias_hh_l0")], axis=1),
    }
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["y", "h", "c"], hidden_size=size)
    state = (1, batch, size)
    outputs = {"y": (steps, 1, batch, size), "h": state, "c": state}
    made = []
    for name, narrow in NAMES.items():
        session = Session([node], stored, x, outputs, threads, "DynamicQuantizeLSTM", narrow)
        made.append(Contender(name, session.call, partial(_without_directions, session)))
    return made


def _without_directions(session: Session, result: Any) -> Array:
    return session.output(result)[:, 0]


def _row(kind: str, size: int, batch: int) -> Row:
    weight = GATES[kind] * size * size
    stages = (
        Stage(STEPS * batch * weight, weight),  # the input, all steps at once
        Stage(batch * weight, weight, STEPS),  # the hidden state, step by step
    )
    name = f"{kind} {size}, batch {batch}, {STEPS} steps"
    return Row(name, stages, partial(build, kind, size, batch))


ROWS = tuple(_row(kind, size, batch) for kind, size, batch in SHAPES)
