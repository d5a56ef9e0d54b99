"""Schedules give the rates that PyTorch's give."""

from typing import Any

import pytest

import qrs
from qrs import optim
from qrs.optim import lr_scheduler

# The rates of seven epochs from 0.2, as PyTorch gives them.
CASES: dict[str, tuple[dict[str, Any], list[float]]] = {
    "StepLR": ({"step_size": 3, "gamma": 0.5}, [0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05]),
    "MultiStepLR": (
        {"milestones": [2, 5], "gamma": 0.3},
        [0.2, 0.2, 0.06, 0.06, 0.06, 0.018, 0.018],
    ),
    "CosineAnnealingLR": (
        {"T_max": 4, "eta_min": 0.01},
        [0.2, 0.172175144212722, 0.105, 0.037824855787278, 0.01, 0.037824855787278, 0.105],
    ),
    "LinearLR": (
        {"start_factor": 0.25, "end_factor": 0.75, "total_iters": 4},
        [0.05, 0.075, 0.1, 0.125, 0.15, 0.15, 0.15],
    ),
    "LambdaLR": (
        {"lr_lambda": lambda step: 1 / (1 + step)},
        [0.2, 0.1, 0.2 / 3, 0.05, 0.04, 0.2 / 6, 0.2 / 7],
    ),
}


def optimizer() -> optim.Optimizer:
    return optim.SGD([qrs.zeros(1, requires_grad=True)], lr=0.2)


def make(name: str, over: optim.Optimizer) -> lr_scheduler.LRScheduler:
    schedule: lr_scheduler.LRScheduler = getattr(lr_scheduler, name)(over, **CASES[name][0])
    return schedule


def rates(over: optim.Optimizer, schedule: lr_scheduler.LRScheduler, epochs: int) -> list[float]:
    found = []
    for _ in range(epochs):
        found.append(over.param_groups[0]["lr"])
        schedule.step()
    return found


@pytest.mark.parametrize("name", CASES)
class TestRates:
    def test_equal_pytorchs(self, name: str) -> None:
        over = optimizer()
        assert rates(over, make(name, over), 7) == pytest.approx(CASES[name][1], rel=1e-12)

    def test_go_on_from_a_state_dict(self, name: str) -> None:
        over = optimizer()
        schedule = make(name, over)
        rates(over, schedule, 3)
        other = optimizer()
        resumed = make(name, other)
        resumed.load_state_dict(schedule.state_dict())
        assert resumed.last_epoch == 3
        assert rates(other, resumed, 4) == pytest.approx(CASES[name][1][3:], rel=1e-12)

    def test_go_on_from_a_given_epoch(self, name: str) -> None:
        over = optimizer()
        over.param_groups[0]["initial_lr"] = 0.2
        schedule = getattr(lr_scheduler, name)(over, last_epoch=2, **CASES[name][0])
        assert rates(over, schedule, 4) == pytest.approx(CASES[name][1][3:], rel=1e-12)


def test_each_group_keeps_its_own_first_rate() -> None:
    groups = [{"params": [qrs.zeros(1)]}, {"params": [qrs.zeros(1)], "lr": 1.0}]
    over = optim.SGD(groups, lr=0.5)
    schedule = lr_scheduler.StepLR(over, 1)
    schedule.step()
    assert schedule.get_last_lr() == [0.05, 0.1]


def test_a_function_for_each_group() -> None:
    groups = [{"params": [qrs.zeros(1)]}, {"params": [qrs.zeros(1)]}]
    over = optim.SGD(groups, lr=1.0)
    schedule = lr_scheduler.LambdaLR(over, [lambda step: 1.0, lambda step: 0.5**step])
    schedule.step()
    assert schedule.get_last_lr() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("StepLR", {"step_size": 0}),
        ("CosineAnnealingLR", {"T_max": 0}),
        ("LinearLR", {"start_factor": 0.0}),
        ("LinearLR", {"total_iters": 0}),
        ("LambdaLR", {"lr_lambda": []}),
    ],
)
def test_settings_out_of_range_are_refused(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{name}: .* came, expected"):
        getattr(lr_scheduler, name)(optimizer(), **settings)


def test_what_is_no_optimizer_is_refused() -> None:
    with pytest.raises(TypeError, match="a float came as optimizer"):
        lr_scheduler.StepLR(0.1, 1)  # type: ignore[arg-type]


def test_what_is_no_state_of_a_scheduler_is_refused() -> None:
    schedule = optim.lr_scheduler.StepLR(optim.SGD([qrs.zeros(1)], lr=1.0), 1)
    with pytest.raises(qrs.StateDictError, match="a dict without 'last_epoch' and 'base_lrs' came"):
        schedule.load_state_dict({})
