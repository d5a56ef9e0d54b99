"""A step of quantization-aware training: forward with fake quantization, backward, optimizer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import qrs
from comparison.model import Array, Contender, Row, Stage
from comparison.same_source import read

BATCH = 50


def build(_threads: int) -> tuple[Array, list[Contender]]:
    """The float loss of the first batch in double precision, and those who train."""
    files = {name: read("examples/digits_cnn.py", name) for name in ("qrs", "torch")}
    start = files["qrs"]["load_model"]()
    (images, labels), _ = files["qrs"]["load_data"]()
    x, y = images[:BATCH].numpy(), labels[:BATCH].numpy()
    state = {name: value.numpy() for name, value in start.state_dict().items()}
    made = []
    for library, title, role in ((qrs, "qrs", "qrs"), (torch, "PyTorch fbgemm", "peer")):
        model = files[library.__name__]["DigitsCNN"]()
        model.load_state_dict({k: library.from_numpy(np.array(v)) for k, v in state.items()})
        batch = library.from_numpy(x), library.from_numpy(y)
        step = _step(library, _prepared(library, model.train()), *batch)
        first = float(_step(library, _prepared(library, copy.deepcopy(model)), *batch)().item())
        made.append(Contender(title, step, lambda _, first=first: np.array(first), role))
    exact = files["torch"]["DigitsCNN"]().double().train()
    exact.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in state.items()})
    scores = exact(torch.from_numpy(x).double())
    loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(y))
    return loss.detach().numpy(), made


def _prepared(library: Any, model: Any) -> Any:
    tools = qrs.quantization if library is qrs else torch.ao.quantization
    fuse = tools.fuse_modules if library is qrs else tools.fuse_modules_qat
    fused = fuse(model, [list(names) for names in model.FUSE])
    fused.qconfig = tools.get_default_qat_qconfig("fbgemm")
    return tools.prepare_qat(fused)


def _step(library: Any, model: Any, x: Any, y: Any) -> Callable[[], Any]:
    optimizer = library.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    grad = library.enable_grad()

    def step() -> Any:
        with grad:
            optimizer.zero_grad()
            loss = library.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    return step


# The products of the convolutions and the linear layer, forward and twice backward.
PRODUCTS = BATCH * (64 * 9 * 16 + 64 * 9 * 16 * 32 + 16 * 9 * 32 * 32 + 128 * 10)
ROWS = (
    Row(
        f"training step, digits CNN, batch {BATCH}",
        (Stage(3 * PRODUCTS, 0),),
        build,
    ),
)
