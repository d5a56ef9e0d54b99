"""What the dynamically quantized layers share: named weights, their state, and packing once."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from qrs._kernels import PackedLinear
from qrs.backends import check_engine, quantized
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import float16, qint8
from qrs.errors import DtypeError, ShapeError
from qrs.nn.module import Module
from qrs.nn.quantized.weights import quantize_weight
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["DynamicWeights", "HalfLinear", "observed_weight", "pack_linear"]

# The largest finite number in half precision.
_HALF_MAX = np.float32(65504.0)


def _check_weight_dtype(where: str, dtype: Dtype) -> Dtype:
    """Return a type of dynamic weights, or raise if it is none."""
    if dtype not in (qint8, float16):
        raise DtypeError(f"{where}: dtype {dtype} came, expected qrs.qint8 or qrs.float16")
    return dtype


def observed_weight(weight: Tensor, factory: Callable[[], Any], where: str) -> QTensor | Tensor:
    """A weight in the type of its observer: qint8, or half precision."""
    observer = factory()
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
    """Scales (float32) and zero points (int32; None if all are zero) of each output channel."""
    rows = weight.shape[0]
    if weight.qscheme().is_per_channel:
        scales = weight.q_per_channel_scales()._array
        zero_points = weight.q_per_channel_zero_points()._array
    else:
        scales, zero_points = np.full(rows, weight.q_scale()), np.full(rows, weight.q_zero_point())
    scales = scales.astype(np.float32)
    return scales, zero_points.astype(np.int32) if zero_points.any() else None


def pack_linear(weight: QTensor, bias: Tensor | None) -> PackedLinear:
    """The weight of one matrix product as the kernels read it."""
    scales, zero_points = channel_params(weight)
    return PackedLinear(
        weight.int_repr()._array, scales, zero_points, None if bias is None else bias._array
    )


class HalfLinear:
    """Half-precision weights behind the same call as `PackedLinear`; computed in float32."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = weight._array.astype(np.float32).T
        self._bias = None if bias is None else bias._array

    def dynamic(self, x: np.ndarray[Any, Any], _engine: str) -> np.ndarray[Any, Any]:
        """X W^T + b."""
        features = len(self._weight)
        if x.dtype != np.float32:
            raise DtypeError(f"dynamic linear: {x.dtype} came, expected float32; use float() first")
        if x.ndim == 0 or x.shape[-1] != features:
            raise ShapeError(
                f"dynamic linear: input of shape {x.shape} came, expected {features} features in "
                "its last dimension"
            )
        y: np.ndarray[Any, Any] = x @ self._weight
        if self._bias is not None:
            y += self._bias
        return y


class DynamicWeights(Module):
    """Holds quantized weights and float biases under the names they have in the state dict.

    The state dict is plain: every weight is a `QTensor` (or a float16 tensor) and every bias a
    tensor under the float layer's name, and ``engine`` is the numeric profile. What the kernels
    need is packed from these in `_pack`, once after each change, and never leaves the process.
    """

    # PyTorch's last version is 4; its layout is read by the layers that can.
    _version = 5

    weight_dtypes = (qint8, float16)

    dtype: Dtype
    engine: str

    def _init_weights(self, dtype: Dtype, shapes: dict[str, tuple[int, ...]]) -> None:
        """Start with zeros, under the profile in force."""
        self.dtype = _check_weight_dtype(type(self).__name__, dtype)
        self.engine = quantized.engine
        self._values: dict[str, QTensor | Tensor] = {}
        for name, shape in shapes.items():
            if len(shape) == 1:
                self._values[name] = Tensor._wrap(np.zeros(shape, np.float32))
            elif dtype is qint8:
                self._values[name] = QTensor.zeros(shape, 1.0, 0, qint8)
            else:
                self._values[name] = Tensor._wrap(np.zeros(shape, np.float16))
        self._pack()

    def _pack(self) -> None:
        """Build what the kernels need from `_values` and `engine`."""
        raise NotImplementedError(
            f"{type(self).__name__}: no _pack method, expected the class to define one"
        )

    def _set(self, values: dict[str, QTensor | Tensor]) -> None:
        """Replace weights and biases, after checking that each fits."""
        for name, value in values.items():
            problem = self._mismatch(name, value)
            if problem:
                kind = DtypeError if "dtype" in problem else ShapeError
                raise kind(f"{type(self).__name__}.{name}: {problem}")
        self._values.update(values)
        self._pack()

    def _mismatch(self, name: str, value: Any) -> str:
        """What is wrong with a value, or nothing."""
        old = self._values[name]
        if not isinstance(value, QTensor | Tensor) or type(value) is not type(old):
            return f"a {type(value).__name__} came, expected dtype {old.dtype}"
        if value.dtype is not old.dtype:
            return f"dtype {value.dtype} came, expected {old.dtype}"
        if tuple(value.shape) != tuple(old.shape):
            return f"shape {tuple(value.shape)} came, expected {tuple(old.shape)}"
        return ""

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

    # ---- state -----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        # Packed weights belong to the process: a copy packs its own.
        return {key: value for key, value in self.__dict__.items() if key != "_packed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._pack()

    def _save_to_state_dict(
        self, destination: OrderedDict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, value in self._values.items():
            destination[prefix + name] = value
        destination[prefix + "engine"] = self.engine

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        self._translate(state_dict, prefix)
        for name in list(self._values):
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            value = state_dict.pop(key)
            if isinstance(value, np.ndarray):
                value = Tensor._wrap(value)
            problem = self._mismatch(name, value)
            if problem:
                error_msgs.append(f"{key}: {problem}")
            else:
                self._values[name] = value
        engine = state_dict.pop(prefix + "engine", self.engine)
        try:
            self.engine = check_engine(engine, prefix + "engine")
        except ValueError as error:
            error_msgs.append(str(error))
        self._pack()
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )

    def _translate(self, state_dict: dict[str, Any], prefix: str) -> None:
        """Rename the entries of another layout in place, where a layer knows one."""

    def _get_name(self) -> str:
        return f"DynamicQuantized{type(self).__name__}"
