"""Dynamically quantized `Linear`."""

from __future__ import annotations

from typing import Any, Self

from qrs._kernels import dynamic_linear
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import float16, qint8
from qrs.errors import ShapeError
from qrs.nn.layers.linear import Linear as FloatLinear
from qrs.nn.quantized.dynamic.base import (
    DynamicWeights,
    HalfLinear,
    observed_weight,
    pack_linear,
)
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Linear"]


class Linear(DynamicWeights):
    """A linear layer with quantized weights; its input is quantized at each call.

    Parameters
    ----------
    in_features, out_features : int
    bias_ : bool
        Whether to add a bias, which stays float.
    dtype : dtype
        Type of the weights: ``qint8``, or ``float16`` (computed in float32).

    Attributes
    ----------
    engine : str
        The numeric profile, that of `qrs.backends.quantized.engine` when the layer was made. Under
        "qrs" every row of the input has a scale of its own, so that a sample's result does not
        depend on its batch; under "fbgemm" and "qnnpack" the whole input has one.

    Notes
    -----
    y = f32(sum (q_x - z_x)(q_w - z_w)) * f32(s_x * s_w) + b, the sum in exact integers.
    Source: PyTorch 1.8.1 for the profiles "fbgemm" and "qnnpack", reproduced bit for bit.

    Examples
    --------
    >>> import qrs
    >>> float_layer = qrs.nn.Linear(4, 2)
    >>> layer = qrs.quantization.quantize_dynamic(float_layer)
    >>> layer
    DynamicQuantizedLinear(in_features=4, out_features=2, dtype=qrs.qint8,
    qscheme=qrs.per_channel_affine)
    >>> tuple(layer(qrs.zeros(3, 4)).shape)
    (3, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias_: bool = True, dtype: Dtype = qint8
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"DynamicQuantizedLinear: in_features={in_features}, out_features={out_features} "
                "came, expected positive numbers"
            )
        self.in_features = in_features
        self.out_features = out_features
        shapes: dict[str, tuple[int, ...]] = {"weight": (out_features, in_features)}
        if bias_:
            shapes["bias"] = (out_features,)
        self._init_weights(dtype, shapes)

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Quantize a float layer that has a ``qconfig``.

        Raises
        ------
        TypeError
            If it is not exactly a `Linear`.
        DtypeError
            If the qconfig's weights are neither qint8 nor float16.
        """
        where = "DynamicQuantizedLinear.from_float"
        if type(mod) is not FloatLinear:
            raise TypeError(f"{where}: a {type(mod).__name__} came, expected a Linear")
        weight = observed_weight(mod.weight, mod.qconfig.weight, where)
        has_bias = mod.bias is not None
        new = cls(mod.in_features, mod.out_features, has_bias, weight.dtype)
        new.set_weight_bias(weight, mod.bias)
        return new

    def weight(self) -> QTensor | Tensor:
        """The weight, shape (out_features, in_features): qint8, or float16."""
        return self._values["weight"]

    def bias(self) -> Tensor | None:
        """The bias, float32, shape (out_features,), or None."""
        value = self._values.get("bias")
        return value if isinstance(value, Tensor) else None

    def set_weight_bias(self, w: QTensor | Tensor, b: Tensor | None) -> None:
        """Replace both.

        Parameters
        ----------
        w : QTensor or Tensor
            Of the layer's shape and type.
        b : Tensor or None
            As the layer was made, with or without bias.

        Raises
        ------
        ShapeError, DtypeError
            If one does not fit.
        """
        if (b is None) != ("bias" not in self._values):
            expected = "a Tensor" if "bias" in self._values else "None"
            raise ShapeError(
                f"DynamicQuantizedLinear.set_weight_bias: bias {'None' if b is None else 'Tensor'} "
                f"came, expected {expected} as the layer was made"
            )
        values: dict[str, QTensor | Tensor] = {"weight": w}
        if b is not None:
            values["bias"] = Tensor._wrap(b._array.copy())
        self._set(values)

    def _pack(self) -> None:
        weight, bias = self.weight(), self.bias()
        if isinstance(weight, QTensor):
            self._packed: Any = pack_linear(weight, bias)
        else:
            self._packed = HalfLinear(weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer.

        Parameters
        ----------
        x : Tensor, float32, shape (..., in_features)

        Returns
        -------
        Tensor, float32, shape (..., out_features)

        Raises
        ------
        ShapeError, DtypeError
            If the input does not fit.
        NonFiniteError
            If it holds NaN or infinity (qint8 weights only).
        """
        return Tensor._wrap(dynamic_linear(self._packed, x._array, self.engine))

    def _translate(self, state_dict: dict[str, Any], prefix: str) -> None:
        # PyTorch packs weight and bias in one entry, and keeps a scale that has no meaning here.
        packed = state_dict.pop(f"{prefix}_packed_params._packed_params", None)
        if packed is None:
            return
        for unused in ("scale", "zero_point", "_packed_params.dtype"):
            state_dict.pop(prefix + unused, None)
        weight, bias = packed
        if isinstance(weight, Tensor) and self.dtype is float16:
            # Half-precision weights are stored as float32.
            weight = weight.half()
        state_dict[prefix + "weight"] = weight
        if bias is not None:
            state_dict[prefix + "bias"] = bias.detach()

    def extra_repr(self) -> str:
        """Sizes and type of the weights."""
        text = (
            f"in_features={self.in_features}, out_features={self.out_features}, dtype={self.dtype}"
        )
        weight = self.weight()
        return f"{text}, qscheme={weight.qscheme()}" if isinstance(weight, QTensor) else text
