"""Dynamically quantized `Linear`."""

from __future__ import annotations

from typing import Any, Self

from qrs._kernels import dynamic_linear
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import float16, qint8
from qrs.errors import ShapeError
from qrs.nn.functional.affine import check_features
from qrs.nn.layers.linear import Linear as FloatLinear
from qrs.nn.qat.dynamic.linear import Linear as QatLinear
from qrs.nn.quantized.dynamic.base import DynamicWeights, HalfLinear, observed_weight
from qrs.nn.quantized.packed import WeightAndBias
from qrs.nn.quantized.weights import pack_linear, weight_observer
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Linear"]


class Linear(WeightAndBias, DynamicWeights):
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
        """Quantize a float layer that has a ``qconfig``, or one of `nn.qat.dynamic`.

        Raises
        ------
        TypeError
            If it is not exactly a `Linear` of one of the two.
        QrsError
            If it has no qconfig.
        DtypeError
            If the qconfig's weights are neither qint8 nor float16.
        """
        where = "DynamicQuantizedLinear.from_float"
        if type(mod) not in (FloatLinear, QatLinear):
            raise TypeError(f"{where}: a {type(mod).__name__} came, expected a Linear")
        observer = getattr(mod, "weight_fake_quant", None) or weight_observer(mod, where)
        weight = observed_weight(mod.weight, observer, where)
        has_bias = mod.bias is not None
        new = cls(mod.in_features, mod.out_features, has_bias, weight.dtype)
        new.set_weight_bias(weight, mod.bias)
        return new

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
        try:
            return Tensor._wrap(dynamic_linear(self._packed, x._array, self.engine))
        except ShapeError:
            check_features(self._get_name(), x.shape, self.in_features)
            raise

    def _translate(self, state_dict: dict[str, Any], prefix: str) -> None:
        if any(name.startswith(f"{prefix}_packed_params.") for name in state_dict):
            # PyTorch keeps a scale and zero point that have no meaning here.
            for unused in ("scale", "zero_point"):
                state_dict.pop(prefix + unused, None)
        super()._translate(state_dict, prefix)
        weight = state_dict.get(prefix + "weight")
        if self.dtype is float16 and isinstance(weight, Tensor):
            # It stores half-precision weights as float32.
            state_dict[prefix + "weight"] = weight.half()

    def extra_repr(self) -> str:
        """Sizes and type of the weights."""
        text = (
            f"in_features={self.in_features}, out_features={self.out_features}, dtype={self.dtype}"
        )
        weight = self.weight()
        return f"{text}, qscheme={weight.qscheme()}" if isinstance(weight, QTensor) else text
