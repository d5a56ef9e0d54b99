"""What fused layers with a batch normalisation share in quantization-aware training.

The weight is rounded as it will be stored, after folding; then the folding is undone, so that the
normalisation sees what it would see without quantization:

    f = gamma / sqrt(running_var + eps)        always the running variance
    w = fake_quant(weight * f) / f
    y = batch_norm(layer(x, w) + bias)

Source: Krishnamoorthi 2018, arXiv:1806.08342, section 3.2.2, in PyTorch's form.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from qrs.nn.layers.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from qrs.nn.layers.container import Sequential
from qrs.nn.module import Module
from qrs.nn.qat.weights import WeightFakeQuant
from qrs.nn.utils import fuse_conv_bn_weights
from qrs.tensor import Tensor, where

__all__ = ["WithBatchNorm", "freeze_bn_stats", "update_bn_stats"]

# PyTorch's first layout had the normalisation's entries beside the weight.
_FIRST_NAMES = {
    "gamma": "bn.weight",
    "beta": "bn.bias",
    "running_mean": "bn.running_mean",
    "running_var": "bn.running_var",
    "num_batches_tracked": "bn.num_batches_tracked",
}


class WithBatchNorm(WeightFakeQuant):
    """A layer followed by a batch normalisation that `convert` folds into it.

    Attributes
    ----------
    bn : BatchNorm1d, BatchNorm2d or BatchNorm3d
    freeze_bn : bool
        Whether the normalisation uses and keeps its running statistics, even in training.
    """

    _version = 2
    norm_class: ClassVar[type[BatchNorm1d | BatchNorm2d | BatchNorm3d]]

    bias: Any
    bn: Any

    def _init_bn(self, features: int, eps: float, momentum: float, freeze_bn: bool) -> None:
        """Add a new normalisation; the constructors' way."""
        self.bn = self.norm_class(features, eps, momentum)
        self.freeze_bn = freeze_bn
        if freeze_bn:
            self.freeze_bn_stats()

    def _adopt(self, mod: Any) -> None:
        super()._adopt(mod)
        parts = mod if isinstance(mod, Sequential) else [mod, mod.bn]
        self.bn = parts[1]
        self.freeze_bn = False

    def _factor(self) -> Tensor:
        """Gamma / sqrt(running_var + eps), shape (O, 1, ...)."""
        bn = self.bn
        factor: Tensor = bn.weight / (bn.running_var + bn.eps).sqrt()
        return factor.reshape(-1, *[1] * (self.weight.dim() - 1))

    def _rounded_weight(self) -> Tensor:
        factor = self._factor()
        rounded: Tensor = self.weight_fake_quant(self.weight * factor)
        if np.count_nonzero(factor._array) == factor._array.size:
            unscaled: Tensor = rounded / factor
            return unscaled
        # A channel with gamma = 0 folds to zeros, from which nothing comes back. It goes on
        # unrounded: its output is beta whatever the weight, and gamma still gets its gradient.
        zero = factor == 0
        guarded: Tensor = where(zero, self.weight, rounded / where(zero, 1.0, factor))
        return guarded

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias with the normalisation folded in.

        Returns
        -------
        tuple of Tensor
            Of the shapes of ``weight`` and (O,); outside of any graph.
        """
        bn = self.bn
        _, bias = fuse_conv_bn_weights(
            self.weight, self.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
        )
        # The bits that training rounded: the last one decides where half a step goes.
        return (self.weight * self._factor()).detach(), bias

    def update_bn_stats(self) -> Self:
        """Let the normalisation use and learn the statistics of each batch."""
        self.freeze_bn = False
        self.bn.training = True
        return self

    def freeze_bn_stats(self) -> Self:
        """Let the normalisation use its running statistics from now on, through `train` too."""
        self.freeze_bn = True
        self.bn.training = False
        return self

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        self.bn.reset_running_stats()

    def reset_bn_parameters(self) -> None:
        """Forget the running statistics; gamma 1, beta 0."""
        self.bn.reset_parameters()

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; a frozen normalisation stays frozen."""
        super().train(mode)
        if self.freeze_bn:
            self.bn.training = False
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for old, new in _FIRST_NAMES.items():
            if prefix + old in state_dict:
                state_dict[prefix + new] = state_dict.pop(prefix + old)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def update_bn_stats(mod: Module) -> None:
    """`WithBatchNorm.update_bn_stats`, for ``model.apply``; other modules are left alone.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.nn.ReLU())
    >>> _ = model.apply(qrs.nn.intrinsic.qat.update_bn_stats)
    """
    if isinstance(mod, WithBatchNorm):
        mod.update_bn_stats()


def freeze_bn_stats(mod: Module) -> None:
    """`WithBatchNorm.freeze_bn_stats`, for ``model.apply``; other modules are left alone.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.nn.ReLU())
    >>> _ = model.apply(qrs.nn.intrinsic.qat.freeze_bn_stats)
    """
    if isinstance(mod, WithBatchNorm):
        mod.freeze_bn_stats()
