"""SGD, Adam and AdamW take the steps that PyTorch takes."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs import optim

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
START = np.array([1.0, -2.0, 3.0])

# The parameter after five steps from START, in float64, as PyTorch computes it. The loss is
# sum((X w)^2), times 0.1 at every other step.
CASES: list[tuple[type[optim.Optimizer], dict[str, Any], list[float]]] = [
    (
        optim.SGD,
        {"lr": 0.1},
        [0.20327835741210945, -0.42129748052246097, -0.1562711339013672],
    ),
    (
        optim.SGD,
        {"lr": 0.1, "weight_decay": 0.2},
        [0.17427205188085942, -0.386015158494336, -0.12900809098574215],
    ),
    (
        optim.SGD,
        {"lr": 0.1, "momentum": 0.9},
        [-0.9105845679785155, 0.035091920766600865, -0.9327932865185542],
    ),
    (
        optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
        [-0.29718838007551296, 1.0517165958103636, -3.0536161615978883],
    ),
    (
        optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        [-0.7055138988344045, -3.068794835968083, 5.482191412985156],
    ),
    (
        optim.Adam,
        {"lr": 0.1},
        [0.5993969767459308, -1.5984693074409522, 2.5984594319521856],
    ),
    (
        optim.Adam,
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.3},
        [0.5833824273434611, -1.588492914571684, 2.5904303003509863],
    ),
    (
        optim.Adam,
        {"lr": 0.1, "betas": (0.5, 0.6), "amsgrad": True},
        [0.625833717893233, -1.6237353408409, 2.623702514565608],
    ),
    (
        optim.AdamW,
        {"lr": 0.1},
        [0.5952931209111233, -1.5893608104130783, 2.584360693969163],
    ),
    (
        optim.AdamW,
        {"lr": 0.1, "weight_decay": 0.5, "betas": (0.5, 0.6), "amsgrad": True},
        [0.44896215843482346, -1.2133682651088957, 1.9871051630381635],
    ),
]


def name_of(case: Any) -> str:
    if isinstance(case, type):
        return case.__name__
    return "-".join(case) if isinstance(case, dict) else ""


def train(w: qrs.Tensor, optimizer: optim.Optimizer, steps: range) -> None:
    x = qrs.tensor(X)
    for i in steps:
        optimizer.zero_grad()
        product = x @ w
        ((product * product).sum() * (1 if i % 2 else 0.1)).backward()
        optimizer.step()


@pytest.mark.parametrize(("make", "settings", "expected"), CASES, ids=name_of)
class TestSteps:
    def test_five_steps_equal_pytorch(self, make: Any, settings: Any, expected: Any) -> None:
        w = qrs.tensor(START, requires_grad=True)
        train(w, make([w], **settings), range(5))
        np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-12)

    def test_a_run_goes_on_from_its_state_dict(
        self, make: Any, settings: Any, expected: Any
    ) -> None:
        first = qrs.tensor(START, requires_grad=True)
        one = make([first], **settings)
        train(first, one, range(3))
        second = qrs.tensor(first.detach().numpy().copy(), requires_grad=True)
        other = make([second], lr=123.0)
        other.load_state_dict(one.state_dict())
        train(second, other, range(3, 5))
        np.testing.assert_allclose(second.detach().numpy(), expected, rtol=1e-12)

    def test_the_gradient_is_left_as_it_was(self, make: Any, settings: Any, expected: Any) -> None:
        w = qrs.tensor(START, requires_grad=True)
        optimizer = make([w], **settings)
        for _ in range(2):
            w.grad = qrs.tensor(START)
            optimizer.step()
            assert np.array_equal(w.grad.numpy(), START)


def test_the_step_is_taken_in_the_type_of_the_parameter() -> None:
    w = qrs.ones(2, requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)
    (w * w).sum().backward()
    optimizer.step()
    assert w.dtype is qrs.float32
    assert optimizer.state[w]["exp_avg_sq"].dtype is qrs.float32
