"""Optimizers and learning-rate schedules, with the names and defaults of PyTorch."""

from qrs.optim import lr_scheduler
from qrs.optim.adam import Adam, AdamW
from qrs.optim.optimizer import Optimizer
from qrs.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
