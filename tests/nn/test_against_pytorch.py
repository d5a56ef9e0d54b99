"""Outputs, gradients and running statistics of every float layer against PyTorch's."""

import json
import pathlib

import numpy as np
import pytest
from tests.nn.float_cases import CASES, label, run

import qrs

GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden" / "float_layers.json").read_text())


def _assign(tensor, array):
    with qrs.no_grad():
        tensor.copy_(qrs.from_numpy(array))


@pytest.mark.parametrize("case", CASES, ids=label)
def test_layer_agrees_with_pytorch(case):
    wanted = GOLDEN["cases"][label(case)]
    found = run(qrs.nn, qrs.tensor, lambda t: t.detach().numpy(), _assign, case)
    assert set(found) == set(wanted)
    wrong = []
    for key, (shape, *products) in wanted.items():
        got_shape, *got = found[key]
        # Each product sums so many values of about one, each as exact as float32 allows.
        allowed = 1e-5 * max(np.prod(shape), 1.0) ** 0.5
        if got_shape != shape or not np.allclose(got, products, rtol=1e-5, atol=allowed):
            wrong.append((key, found[key], wanted[key]))
    assert not wrong


def test_every_recorded_case_is_run():
    assert {label(case) for case in CASES} == set(GOLDEN["cases"])
