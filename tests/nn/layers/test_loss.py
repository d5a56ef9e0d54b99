"""Losses: what does not fit together is an error that names the loss; values are compared with
PyTorch in test_against_pytorch.py."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs import nn

LOSSES = sorted(name for name in nn.__all__ if name.endswith("Loss"))
FUNCTIONS = {
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "CrossEntropyLoss": "cross_entropy",
    "HuberLoss": "huber_loss",
    "KLDivLoss": "kl_div",
    "L1Loss": "l1_loss",
    "MSELoss": "mse_loss",
    "NLLLoss": "nll_loss",
    "SmoothL1Loss": "smooth_l1_loss",
}


class Scored(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.loss = getattr(nn, name)()

    def forward(self, input: qrs.Tensor, target: Any) -> qrs.Tensor:
        return self.loss(input, target)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(4, 2), (5, 3), (1, 3)])
def test_shapes_that_differ_name_the_loss_and_its_place(name: str, shape: Any) -> None:
    words = rf"at loss \({name}\): {FUNCTIONS[name]}: .*\({shape[0]}, {shape[1]}\)"
    with pytest.raises(qrs.ShapeError, match=words):
        Scored(name)(qrs.rand(4, 3), qrs.rand(*shape))


@pytest.mark.parametrize("name", LOSSES)
def test_a_target_that_is_no_tensor_is_refused(name: str) -> None:
    with pytest.raises(qrs.QrsError, match=rf"{FUNCTIONS[name]}: .*float"):
        Scored(name)(qrs.rand(4, 3), 1.0)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ([0, 1, 2], qrs.ShapeError, r"target of shape \(3,\) came for an input of shape \(4, 3\)"),
        ([0, 1, 2, 3], qrs.ShapeError, "targets from 0 to 3 came, expected 0 to 2, the numbers of"),
        ([0, 1, 2, -1], qrs.ShapeError, "targets from -1 to 2"),
        ([0.0, 1.0, 2.0, 0.0], qrs.DtypeError, r"expected integers; use \.long\(\)"),
    ],
)
def test_classes_that_do_not_fit_are_refused(
    name: str, target: Any, error: Any, words: str
) -> None:
    with pytest.raises(error, match=rf"{FUNCTIONS[name]}: .*{words}"):
        Scored(name)(qrs.rand(4, 3), qrs.tensor(target))


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_class_weights_of_another_number_are_refused(name: str) -> None:
    loss = getattr(nn, name)(qrs.ones(2))
    with pytest.raises(qrs.ShapeError, match=r"weight of shape \(2,\) came for 3 classes"):
        loss(qrs.rand(4, 3), qrs.tensor([0, 1, 2, 0]))


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_the_mean_over_nothing_is_nan(name: str) -> None:
    loss = getattr(nn, name)(ignore_index=1)
    assert np.isnan(loss(qrs.rand(2, 3), qrs.tensor([1, 1])).item())
