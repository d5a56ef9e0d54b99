"""`Linear` in training for dynamic quantization."""

from __future__ import annotations

from typing import Any

from qrs.backends import quantized
from qrs.nn.functional import affine
from qrs.nn.functional.dynamic_rounding import dynamic_fake_quantize
from qrs.nn.qat import linear as qat
from qrs.tensor import Tensor

__all__ = ["Linear"]


class Linear(qat.Linear):
    """A linear layer that rounds its weight and, at each call, its input.

    It computes what `nn.quantized.dynamic.Linear` will, up to float rounding.

    Parameters
    ----------
    in_features, out_features, bias
        As the float layer.
    qconfig : QConfig
        See `WeightFakeQuant`; `get_default_qat_dynamic_qconfig` gives one.

    Attributes
    ----------
    engine : str
        The numeric profile, that of `qrs.backends.quantized.engine` when the layer was made.

    Raises
    ------
    QrsError
        If no qconfig came.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_dynamic_qconfig()
    >>> layer = qrs.nn.qat.dynamic.Linear(3, 2, qconfig=qconfig)
    >>> tuple(layer(qrs.ones(4, 3)).shape)
    (4, 2)
    """

    def _init_qat(self, qconfig: Any) -> None:
        super()._init_qat(qconfig)
        self.engine = quantized.engine

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, shape (*, K); returns shape (*, N)."""
        seen = dynamic_fake_quantize(input, self.engine)
        return affine.linear(seen, self._rounded_weight(), self.bias)
