"""`Linear` in quantization-aware training."""

from __future__ import annotations

from typing import Any, ClassVar

from qrs.nn.functional import affine
from qrs.nn.layers import linear as floats
from qrs.nn.module import Module
from qrs.nn.qat.weights import WeightFakeQuant
from qrs.tensor import Tensor

__all__ = ["Linear"]


class Linear(WeightFakeQuant, floats.Linear):
    """A linear layer that computes with its weight fake-quantized.

    Parameters
    ----------
    in_features, out_features, bias
        As the float layer.
    qconfig : QConfig
        See `WeightFakeQuant`.

    Raises
    ------
    QrsError
        If no qconfig came.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_qconfig()
    >>> layer = qrs.nn.qat.Linear(3, 2, qconfig=qconfig)
    >>> tuple(layer(qrs.ones(4, 3)).shape)
    (4, 2)
    """

    float_class: ClassVar[type[Module]] = floats.Linear

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, qconfig: Any = None
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self._init_qat(qconfig)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, shape (*, K); returns shape (*, N)."""
        return affine.linear(input, self._rounded_weight(), self.bias)
