"""Optimizers and learning-rate schedules, with the names and defaults of PyTorch."""

from typing import TYPE_CHECKING

from qrs.absent import refuse
from qrs.optim import lr_scheduler
from qrs.optim.adam import Adam, AdamW
from qrs.optim.optimizer import Optimizer
from qrs.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]


if not TYPE_CHECKING:
    # Type checkers know which names there are.
    def __getattr__(name):
        refuse(__name__, name)
