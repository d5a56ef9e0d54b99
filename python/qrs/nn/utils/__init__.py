"""Helpers around layers: packed sequences, limits for gradients."""

from qrs.nn.utils import rnn
from qrs.nn.utils.clip import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_", "rnn"]
