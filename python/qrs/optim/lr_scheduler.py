"""Learning rates that change over a training run.

Each schedule is a formula: the rate of step t (usually an epoch) is the group's first rate times a
factor of t. `step` is called once after each epoch.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from typing import Any

from qrs.nn.state import check_state_dict
from qrs.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "StepLR"]


class LRScheduler:
    """Base of schedules. A subclass says in `_rate` what the rate is at a step.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates at this moment are those of step 0, times the schedule's factor.
    last_epoch : int
        The step to start from; -1 for a new run. Groups keep their first rate under
        ``initial_lr``.

    Attributes
    ----------
    last_epoch : int
        The present step.
    base_lrs : list of float
        The first rate of each group.

    Raises
    ------
    TypeError
        If ``optimizer`` is none.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{type(self).__name__}: a {type(optimizer).__name__} came as optimizer, expected "
                "one of qrs.optim"
            )
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            if last_epoch < 0:
                group["initial_lr"] = group["lr"]
        self.base_lrs: list[float] = [
            group.get("initial_lr", group["lr"]) for group in optimizer.param_groups
        ]
        self.last_epoch = last_epoch
        self.step()

    def _rate(self, base: float, step: int) -> float:
        """The rate at a step of a group whose first rate is ``base``."""
        raise NotImplementedError(
            f"{type(self).__name__}: no _rate method, expected the class to define one"
        )

    def step(self) -> None:
        """Go to the next step."""
        self.last_epoch += 1
        self._apply()

    def _apply(self) -> None:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self._rate(base, self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """The present rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The present step and the first rates; the formula is the constructor's."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken.

        Raises
        ------
        StateDictError
            If it is not the state of a scheduler.
        """
        where = f"{type(self).__name__}.load_state_dict"
        check_state_dict(where, state_dict, ("last_epoch", "base_lrs"))
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = list(state_dict["base_lrs"])
        self._apply()


class StepLR(LRScheduler):
    """Multiplies the rate by ``gamma`` every ``step_size`` steps.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
    gamma : float
    last_epoch : int

    Examples
    --------
    >>> import qrs
    >>> optimizer = qrs.optim.SGD([qrs.zeros(1)], lr=1.0)
    >>> scheduler = qrs.optim.lr_scheduler.StepLR(optimizer, step_size=2)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.1, 0.1]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size={step_size} came, expected at least 1")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, step: int) -> float:
        return base * self.gamma ** (step // self.step_size)


class MultiStepLR(LRScheduler):
    """Multiplies the rate by ``gamma`` at each of the given steps.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : sequence of int
    gamma : float
    last_epoch : int

    Examples
    --------
    >>> import qrs
    >>> optimizer = qrs.optim.SGD([qrs.zeros(1)], lr=1.0)
    >>> scheduler = qrs.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3])
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Sequence[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, step: int) -> float:
        return base * self.gamma ** bisect.bisect_right(self.milestones, step)


class CosineAnnealingLR(LRScheduler):
    """Lowers the rate to ``eta_min`` along half a cosine of ``T_max`` steps.

    The rate is eta_min + (lr - eta_min) (1 + cos(pi t / T_max)) / 2. Source: Loshchilov and Hutter
    2016, arXiv:1608.03983.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
    eta_min : float
    last_epoch : int

    Examples
    --------
    >>> import qrs
    >>> optimizer = qrs.optim.SGD([qrs.zeros(1)], lr=1.0)
    >>> scheduler = qrs.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> scheduler.step()
    >>> round(scheduler.get_last_lr()[0], 6)
    0.5
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max={T_max} came, expected at least 1")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, step: int) -> float:
        cosine = math.cos(math.pi * step / self.T_max)
        return self.eta_min + (base - self.eta_min) * (1 + cosine) / 2


class LinearLR(LRScheduler):
    """Moves the rate evenly from ``start_factor`` to ``end_factor`` times its value.

    Parameters
    ----------
    optimizer : Optimizer
    start_factor, end_factor : float
    total_iters : int
        Number of steps; afterwards the rate stays.
    last_epoch : int

    Examples
    --------
    >>> import qrs
    >>> optimizer = qrs.optim.SGD([qrs.zeros(1)], lr=1.0)
    >>> scheduler = qrs.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if total_iters < 1 or not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(
                f"LinearLR: start_factor={start_factor}, end_factor={end_factor}, "
                f"total_iters={total_iters} came, expected factors between 0 and 1 and at least "
                "one step"
            )
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, step: int) -> float:
        part = min(step, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * part)


class LambdaLR(LRScheduler):
    """Multiplies the first rate by a function of the step.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable or list of callable
        From the step to a factor; a list has one for each group.
    last_epoch : int

    Examples
    --------
    >>> import qrs
    >>> optimizer = qrs.optim.SGD([qrs.zeros(1)], lr=1.0)
    >>> scheduler = qrs.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer.param_groups)
        functions = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(functions) != count:
            raise ValueError(
                f"LambdaLR: {len(functions)} functions came, expected one for each of the {count} "
                "groups"
            )
        self.lr_lambdas = functions
        super().__init__(optimizer, last_epoch)

    def _apply(self) -> None:
        groups = zip(self.optimizer.param_groups, self.base_lrs, self.lr_lambdas, strict=True)
        for group, base, function in groups:
            group["lr"] = base * function(self.last_epoch)
