"""Statically quantized batch and instance normalisation."""

from __future__ import annotations

from typing import Any, Self

from qrs.errors import UnsupportedLayerError
from qrs.nn.layers import batchnorm
from qrs.nn.quantized import functional as F
from qrs.nn.quantized.norm import NormBase
from qrs.qtensor import QTensor
from qrs.tensor import Tensor, ones, tensor, zeros

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
]


class _BatchNorm(NormBase):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self._hold(
            weight=ones(num_features),
            bias=zeros(num_features),
            running_mean=zeros(num_features),
            running_var=ones(num_features),
            num_batches_tracked=tensor(0),
        )

    @classmethod
    def _like(cls, mod: Any) -> Self:
        if mod.running_mean is None:
            raise UnsupportedLayerError(
                f"Quantized{cls.__name__}.from_float: a {type(mod).__name__} without running "
                "statistics came, expected track_running_stats=True; set its qconfig to None and "
                "put it between a DeQuantStub and a QuantStub"
            )
        new = cls(mod.num_features, mod.eps, mod.momentum)
        names = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        found = {name: getattr(mod, name) for name in names if getattr(mod, name) is not None}
        new._hold(**found)
        return new

    def forward(self, input: Any) -> QTensor:
        """Normalise ``input`` by the running statistics."""
        return F.batch_norm(
            self._normalised(input),
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.eps,
            *self._output,
            relu=self.relu,
        )

    def extra_repr(self) -> str:
        """Sizes and quantization."""
        return f"{self.num_features}, eps={self.eps}, {super().extra_repr()}"


class BatchNorm1d(_BatchNorm):
    """Normalises every channel of (N, C) or (N, C, L); see `BatchNorm2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(2, 3), 0.5, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.BatchNorm1d(3)(x).shape)
    (2, 3)
    """

    float_class = batchnorm.BatchNorm1d
    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalises every channel of (N, C, H, W) by the statistics that training left.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        Has no effect: nothing is trained.

    Attributes
    ----------
    scale, zero_point : float, int
        Of the output; see `QuantizedOutput`.

    Notes
    -----
    ``q = clamp(z_y + rne(alpha (q_x - z_x) + beta))`` with
    ``alpha = weight s_x / (sqrt(var + eps) s_y)`` and the rest of the affine map in ``beta``.
    Source: PyTorch 1.8.1.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(2, 3, 4, 4), 0.5, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.BatchNorm2d(3)(x).shape)
    (2, 3, 4, 4)
    """

    float_class = batchnorm.BatchNorm2d
    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalises every channel of (N, C, D, H, W); see `BatchNorm2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 3, 2, 2, 2), 0.5, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.BatchNorm3d(3)(x).shape)
    (1, 3, 2, 2, 2)
    """

    float_class = batchnorm.BatchNorm3d
    ranks = (5,)


class _InstanceNorm(NormBase):
    def __init__(
        self,
        num_features: int,
        weight: Tensor | None,
        bias: Tensor | None,
        scale: Any,
        zero_point: Any,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(scale, zero_point)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._hold(weight=weight, bias=bias, running_mean=None, running_var=None)
        if track_running_stats:
            self._hold(running_mean=zeros(num_features), running_var=ones(num_features))

    @classmethod
    def _like(cls, mod: Any) -> Self:
        new = cls(
            mod.num_features,
            mod.weight,
            mod.bias,
            1.0,
            0,
            mod.eps,
            mod.momentum,
            mod.affine,
            mod.track_running_stats,
        )
        new._hold(running_mean=mod.running_mean, running_var=mod.running_var)
        return new

    def forward(self, input: Any) -> QTensor:
        """Normalise ``input``, shape (N, C, *S) or (C, *S)."""
        x = self._normalised(input)
        single = x.dim() == self.ranks[0]
        if single:
            x = x.unsqueeze(0)
        if self.running_mean is None:
            y = F.instance_norm(x, self.weight, self.bias, self.eps, *self._output)
        else:
            mean, var = self.running_mean, self.running_var
            y = F.batch_norm(x, self.weight, self.bias, mean, var, self.eps, *self._output)
        return y.squeeze(0) if single else y

    def extra_repr(self) -> str:
        """Sizes and quantization."""
        return f"{self.num_features}, eps={self.eps}, {super().extra_repr()}"


class InstanceNorm1d(_InstanceNorm):
    """Normalises every channel of every sample of (N, C, L); see `InstanceNorm2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[[1.0, 3.0]]]), 0.5, 0, qrs.quint8)
    >>> qrs.nn.quantized.InstanceNorm1d(1, None, None, 0.5, 10)(x).dequantize()
    tensor([[[-1.,  1.]]])
    """

    float_class = batchnorm.InstanceNorm1d
    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalises every channel of every sample of (N, C, H, W).

    Parameters
    ----------
    num_features : int
        C.
    weight, bias : Tensor, float32, shape (C,), or None
    scale, zero_point : float, int
        Of the output.
    eps : float
        Added to the variance.
    momentum : float or None
        Has no effect: nothing is trained.
    affine : bool
        Has no effect: weight and bias are given, or None.
    track_running_stats : bool
        Normalise by running statistics, as the float module does in evaluation mode.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(2, 3, 4, 4), 0.5, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.InstanceNorm2d(3, None, None, 0.5, 10)(x).shape)
    (2, 3, 4, 4)
    """

    float_class = batchnorm.InstanceNorm2d
    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalises every channel of every sample of (N, C, D, H, W); see `InstanceNorm2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 3, 2, 2, 2), 0.5, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.InstanceNorm3d(3, None, None, 0.5, 10)(x).shape)
    (1, 3, 2, 2, 2)
    """

    float_class = batchnorm.InstanceNorm3d
    ranks = (4, 5)
