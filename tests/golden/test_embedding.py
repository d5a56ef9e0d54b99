"""Quantized embeddings against PyTorch 1.8.1."""

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q

from .cases import Case, load

CASES = [case for case in load("operators") if case.op.startswith("embedding")]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_embedding(case: Case) -> None:
    rows, width = case.inputs["weight"].shape
    cls = nn.Embedding if case.op == "embedding" else nn.EmbeddingBag
    layer = cls(rows, width, **case.args)
    layer.load_state_dict({"weight": case.inputs["weight"]})
    quantized = Q.quantize_dynamic(layer, dtype=qrs.quint8)
    inputs = [qrs.from_numpy(case.inputs[k]) for k in ("indices", "offsets") if k in case.inputs]
    y = quantized(*inputs).numpy()
    # PyTorch's conversion forgets include_last_offset: it gives one more bag, an empty one.
    expected, more = case.outputs["y"][: len(y)], case.outputs["y"][len(y) :]
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
    assert not more.any()
