"""What the dynamically quantized layers share: named weights, their state, and packing once."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from qrs.backends import quantized
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import float16, qint8
from qrs.errors import DtypeError
from qrs.nn.functional.affine import check_features
from qrs.nn.quantized.packed import PackedModule
from qrs.nn.quantized.weights import kernel_params, quantize_weight
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["DynamicWeights", "HalfLinear", "channel_params", "has_parts", "observed_weight"]

# The largest finite number in half precision.
_HALF_MAX = np.float32(65504.0)


def _check_weight_dtype(where: str, dtype: Dtype) -> Dtype:
    """Return a type of dynamic weights, or raise if it is none."""
    if dtype not in (qint8, float16):
        raise DtypeError(f"{where}: dtype {dtype} came, expected qrs.qint8 or qrs.float16")
    return dtype


def observed_weight(weight: Tensor, observer: Any, where: str) -> QTensor | Tensor:
    """A weight in the type of its observer: qint8, or half precision."""
    if getattr(observer, "dtype", None) is not float16:
        return quantize_weight(weight, observer, where)
    values = weight._array
    if (np.abs(values) > _HALF_MAX).any():
        warnings.warn(
            f"{where}: weights beyond 65504 came, the range of float16; they were clamped to it",
            stacklevel=2,
        )
    return Tensor._wrap(np.clip(values, -_HALF_MAX, _HALF_MAX).astype(np.float16))


def channel_params(weight: QTensor) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """As `kernel_params`, with a scale for each output channel also if all are one."""
    scales, zero_points = kernel_params(weight)
    return np.broadcast_to(scales, weight.shape[:1]), zero_points


class HalfLinear:
    """Half-precision weights behind the same call as `PackedLinear`; computed in float32."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = weight._array.astype(np.float32).T
        self._bias = None if bias is None else bias._array

    def dynamic(self, x: np.ndarray[Any, Any], _engine: str) -> np.ndarray[Any, Any]:
        """X W^T + b."""
        if x.dtype != np.float32:
            raise DtypeError(f"dynamic linear: {x.dtype} came, expected float32; use float() first")
        check_features("dynamic linear", x.shape, len(self._weight))
        y: np.ndarray[Any, Any] = x @ self._weight
        if self._bias is not None:
            y += self._bias
        return y


class DynamicWeights(PackedModule):
    """Weights and biases under the float layer's names, for float inputs and outputs."""

    # PyTorch's last version is 4; its layout is read by the layers that can.
    _version = 5

    weight_dtypes = (qint8, float16)

    dtype: Dtype

    def _init_weights(self, dtype: Dtype, shapes: dict[str, tuple[int, ...]]) -> None:
        """Start with zeros, under the profile in force."""
        self.dtype = _check_weight_dtype(type(self).__name__, dtype)
        self.engine = quantized.engine
        self._values = {}
        for name, shape in shapes.items():
            if len(shape) == 1:
                self._values[name] = Tensor._wrap(np.zeros(shape, np.float32))
            elif dtype is qint8:
                self._values[name] = QTensor.zeros(shape, 1.0, 0, qint8)
            else:
                self._values[name] = Tensor._wrap(np.zeros(shape, np.float16))
        self._pack()

    def get_weight(self) -> dict[str, QTensor | Tensor]:
        """The weights by name: qint8, or float16 tensors."""
        return {name: value for name, value in self._values.items() if value.dim() > 1}

    def get_bias(self) -> dict[str, Tensor]:
        """The biases by name: float32."""
        return {
            name: value
            for name, value in self._values.items()
            if isinstance(value, Tensor) and value.dim() == 1
        }

    def _translate_packed(
        self, state_dict: dict[str, Any], prefix: str, suffix: str, kind: str, packed: Any
    ) -> None:
        """Put what an object of PyTorch's packs, as `qrs.load` reads it, under the names here."""
        weight, bias = packed.state
        if self.dtype is float16 and isinstance(weight, Tensor):
            # It stores half-precision weights as float32.
            weight = weight.half()
        state_dict[f"{prefix}weight_{kind}{suffix}"] = weight
        if isinstance(bias, Tensor):
            state_dict[f"{prefix}bias_{kind}{suffix}"] = bias.detach()

    def _get_name(self) -> str:
        return f"DynamicQuantized{type(self).__name__}"


def has_parts(value: Any, count: int) -> bool:
    """Whether a value is an object of PyTorch's whose state is a tuple of so many parts."""
    state = getattr(value, "state", None)
    return isinstance(state, tuple) and len(state) == count
