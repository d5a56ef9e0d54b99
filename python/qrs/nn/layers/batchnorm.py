"""Batch and instance normalisation."""

from __future__ import annotations

from typing import Any

from qrs.errors import ShapeError
from qrs.nn import init
from qrs.nn.functional import norm as functions
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor, empty, ones, tensor, zeros

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
]


class _RunningNorm(Module):
    """What batch and instance normalisation share: parameters and running statistics."""

    _version = 2
    ranks: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name in ("weight", "bias"):
            self.register_parameter(name, Parameter(empty(num_features)) if affine else None)
        track = track_running_stats
        self.register_buffer("running_mean", zeros(num_features) if track else None)
        self.register_buffer("running_var", ones(num_features) if track else None)
        self.register_buffer("num_batches_tracked", tensor(0) if track else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the running statistics; weight 1, bias 0."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def _check_rank(self, input: Any) -> None:
        if input.dim() not in self.ranks:
            ranks = " or ".join(str(rank) for rank in self.ranks)
            raise ShapeError(
                f"{self._get_name()}: input of shape {tuple(input.shape)} came, expected {ranks} "
                "dimensions"
            )

    def extra_repr(self) -> str:
        """List sizes and settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        *args: Any,
    ) -> None:
        # Files of version 1 have no counter of batches.
        key = prefix + "num_batches_tracked"
        if local_metadata.get("version", 1) < 2 and self.track_running_stats:
            state_dict.setdefault(key, tensor(0))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class _BatchNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input``, shape (N, C, *S); the running statistics follow in training."""
        self._check_rank(input)
        update = self.training and self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        if update:
            self.num_batches_tracked += 1
            if self.momentum is None:
                # The plain average over all batches so far.
                momentum = 1.0 / float(self.num_batches_tracked)
        use_batch = self.training or self.running_mean is None
        keep = update or not self.training
        return functions.batch_norm(
            input,
            self.running_mean if keep else None,
            self.running_var if keep else None,
            self.weight,
            self.bias,
            use_batch,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Normalise every channel of (N, C) or (N, C, L) over batch and length.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of a new batch in the running statistics; None for the plain average.
    affine : bool
        Scale and shift by learned ``weight`` and ``bias``.
    track_running_stats : bool
        Keep the running statistics that evaluation uses.

    Attributes
    ----------
    weight, bias : Parameter, float32, shape (C,), or None
    running_mean, running_var : Tensor, float32, shape (C,), or None
    num_batches_tracked : Tensor, int64, shape (), or None

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.BatchNorm1d(1)(qrs.tensor([[1.0], [3.0]])).detach()
    tensor([[-1.0000],
            [ 1.0000]])
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise every channel of (N, C, H, W) over batch and image; see `BatchNorm1d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.BatchNorm2d(3)(qrs.zeros(2, 3, 4, 4)).shape)
    (2, 3, 4, 4)
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalise every channel of (N, C, D, H, W) over batch and volume; see `BatchNorm1d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.BatchNorm3d(3)(qrs.zeros(2, 3, 2, 2, 2)).shape)
    (2, 3, 2, 2, 2)
    """

    ranks = (5,)


class _InstanceNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input``, shape (N, C, *S) or (C, *S)."""
        self._check_rank(input)
        single = input.dim() == self.ranks[0]
        x = input.unsqueeze(0) if single else input
        if x.shape[1] != self.num_features:
            raise ShapeError(
                f"{self._get_name()}: input of shape {tuple(input.shape)} came, expected "
                f"{self.num_features} channels"
            )
        out = functions.instance_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.1 if self.momentum is None else self.momentum,
            self.eps,
        )
        return out.squeeze(0) if single else out


class InstanceNorm1d(_InstanceNorm):
    """Normalise every channel of every sample of (N, C, L) over its length.

    Parameters
    ----------
    num_features : int
        C.
    eps, momentum, affine, track_running_stats
        As `BatchNorm1d`; by default there are neither parameters nor running statistics.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.InstanceNorm1d(1)(qrs.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalise every channel of every sample of (N, C, H, W); see `InstanceNorm1d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.InstanceNorm2d(3)(qrs.zeros(2, 3, 4, 4)).shape)
    (2, 3, 4, 4)
    """

    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalise every channel of every sample of (N, C, D, H, W); see `InstanceNorm1d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.InstanceNorm3d(3)(qrs.zeros(2, 3, 2, 2, 2)).shape)
    (2, 3, 2, 2, 2)
    """

    ranks = (4, 5)
