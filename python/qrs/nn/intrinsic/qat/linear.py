"""Fused linear layers in quantization-aware training."""

from __future__ import annotations

from typing import Any

from qrs.nn.functional import affine
from qrs.nn.functional.activation import relu
from qrs.nn.intrinsic import fused
from qrs.nn.intrinsic.qat.batchnorm import WithBatchNorm
from qrs.nn.layers import linear as floats
from qrs.nn.layers.batchnorm import BatchNorm1d
from qrs.nn.qat import linear as qat
from qrs.tensor import Tensor

__all__ = ["LinearBn1d", "LinearReLU"]


class LinearReLU(qat.Linear):
    """`nn.qat.Linear` and a ReLU; parameters as it.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_qconfig()
    >>> layer = qrs.nn.intrinsic.qat.LinearReLU(3, 2, qconfig=qconfig)
    >>> bool((layer(qrs.randn(4, 3)) >= 0).all())
    True
    """

    float_class = fused.LinearReLU

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, shape (*, K); returns shape (*, N)."""
        output: Tensor = relu(super().forward(input))
        return output


class LinearBn1d(WithBatchNorm, floats.Linear):
    """A linear layer and a `BatchNorm1d`, with the weight fake-quantized as it will be folded.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Whether the linear layer has a bias of its own.
    eps, momentum : float
        Of the normalisation.
    freeze_bn : bool
        Start with frozen statistics.
    qconfig : QConfig

    Raises
    ------
    QrsError
        If no qconfig came.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_qconfig()
    >>> layer = qrs.nn.intrinsic.qat.LinearBn1d(3, 2, qconfig=qconfig)
    >>> tuple(layer(qrs.randn(4, 3)).shape)
    (4, 2)
    """

    float_class = fused.LinearBn1d
    norm_class = BatchNorm1d

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        eps: float = 1e-5,
        momentum: float = 0.1,
        freeze_bn: bool = False,
        qconfig: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self._init_bn(out_features, eps, momentum, freeze_bn)
        self._init_qat(qconfig)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, shape (B, K); returns shape (B, N)."""
        output: Tensor = self.bn(affine.linear(input, self._rounded_weight(), self.bias))
        return output
