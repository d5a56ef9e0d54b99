"""Statically quantized `Linear`."""

from __future__ import annotations

from typing import Any, Self

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8
from qrs.errors import DtypeError, ShapeError
from qrs.nn.functional.affine import check_features
from qrs.nn.layers.linear import Linear as FloatLinear
from qrs.nn.quantized.static import StaticLayer
from qrs.nn.quantized.weights import pack_linear
from qrs.qtensor import QTensor

__all__ = ["Linear"]


class Linear(StaticLayer):
    """A linear layer from quantized inputs to quantized outputs.

    Parameters
    ----------
    in_features, out_features : int
        K and N.
    bias_ : bool
        Whether to add a bias, which stays float.
    dtype : dtype
        Type of the weights: ``qint8``.

    Attributes
    ----------
    scale, zero_point : float, int
        Of the output; see `QuantizedOutput`.
    engine : str
        The numeric profile, that of `qrs.backends.quantized.engine` when the layer was made.

    Notes
    -----
    ``q = clamp(z_y + rne((acc + b / (s_x s_w)) * s_x s_w / s_y))`` with the exact integer sum
    ``acc = sum (q_x - z_x)(q_w - z_w)``; the profiles differ in the rounding of the float steps.
    Source: PyTorch 1.8.1 for "fbgemm" and "qnnpack", reproduced bit for bit.

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.nn.quantized.Linear(4, 2)
    >>> layer
    QuantizedLinear(in_features=4, out_features=2, scale=1.0, zero_point=0,
    qscheme=qrs.per_tensor_affine)
    >>> x = qrs.quantize_per_tensor(qrs.ones(3, 4), 0.1, 0, qrs.quint8)
    >>> tuple(layer(x).shape)
    (3, 2)
    """

    # PyTorch's last version is 3, whose entries are read.
    _version = 4
    float_class = FloatLinear

    def __init__(
        self, in_features: int, out_features: int, bias_: bool = True, dtype: Dtype = qint8
    ) -> None:
        super().__init__()
        if dtype is not qint8:
            raise DtypeError(f"{self._get_name()}: dtype {dtype!r} came, expected qrs.qint8")
        self.in_features = in_features
        self.out_features = out_features
        self._init_weights((out_features, in_features), out_features, bias_)

    @classmethod
    def _like(cls, mod: Any) -> Self:
        return cls(mod.in_features, mod.out_features, mod.bias is not None)

    def _pack(self) -> None:
        self._packed = pack_linear(self.weight(), self.bias())

    def forward(self, input: Any) -> QTensor:
        """Compute the layer.

        Parameters
        ----------
        input : QTensor, quint8 (or qint8, if calibrated so), shape (..., in_features)

        Returns
        -------
        QTensor, of the same type, shape (..., out_features)

        Raises
        ------
        DtypeError, ShapeError
            If the input does not fit.
        """
        x = self._checked(input)
        own: Any = x._qparams
        try:
            ints = self._packed.quantized(x._ints, own, self._output, self._span, self.engine)
        except ShapeError:
            check_features(self._get_name(), x.shape, self.in_features)
            raise
        return QTensor._wrap(ints, self._output, self.output_dtype)

    def extra_repr(self) -> str:
        """Sizes and quantization."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"{super().extra_repr()}, qscheme={self.weight().qscheme()}"
        )
