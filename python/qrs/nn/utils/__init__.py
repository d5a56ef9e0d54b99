"""Helpers around layers: packed sequences, limits for gradients, folding normalisations."""

from qrs.nn.utils import rnn
from qrs.nn.utils.clip import clip_grad_norm_, clip_grad_value_
from qrs.nn.utils.fusion import fuse_conv_bn_weights

__all__ = ["clip_grad_norm_", "clip_grad_value_", "fuse_conv_bn_weights", "rnn"]
