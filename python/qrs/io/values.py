"""The one place that takes tensors apart to be saved and puts them together when loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrs import dtypes
from qrs.dtypes import dtype, qscheme
from qrs.qtensor import QTensor
from qrs.tensor import Size, Tensor

__all__ = [
    "DTYPES",
    "QSCHEMES",
    "QuantizedParts",
    "Size",
    "array_of",
    "is_quantized",
    "is_tensor",
    "make_quantized",
    "make_tensor",
    "quantized_parts",
]

#: Every dtype and every qscheme by name.
DTYPES: Mapping[str, dtype] = MappingProxyType(
    {item.name: item for item in vars(dtypes).values() if isinstance(item, dtype)}
)
QSCHEMES: Mapping[str, qscheme] = MappingProxyType(
    {item.name: item for item in vars(dtypes).values() if isinstance(item, qscheme)}
)


@dataclass(frozen=True, eq=False)
class QuantizedParts:
    """What a QTensor is made of.

    Parameters
    ----------
    integers : ndarray
        As they are stored: for ``quint4x2`` a byte holds two of them.
    dtype : dtype
    qscheme : qscheme
    scale : ndarray, float64, shape () or (channels,)
        Real units per step.
    zero_point : ndarray, int64 or float64, of the shape of `scale`
    axis : int or None
        The axis of the channels; None with one scale for the tensor.
    shape : tuple of int
        The shape of the tensor, in elements.
    """

    integers: NDArray[Any]
    dtype: dtype
    qscheme: qscheme
    scale: NDArray[Any]
    zero_point: NDArray[Any]
    axis: int | None
    shape: tuple[int, ...]


def is_tensor(value: object) -> bool:
    """Tell whether `value` is a Tensor."""
    return isinstance(value, Tensor)


def is_quantized(value: object) -> bool:
    """Tell whether `value` is a QTensor."""
    return isinstance(value, QTensor)


def array_of(tensor: Any) -> tuple[NDArray[Any], bool]:
    """Return the memory of a Tensor and whether it requires a gradient."""
    return tensor._array, tensor.requires_grad


def make_tensor(array: NDArray[Any], *, requires_grad: bool = False) -> Tensor:
    """Return a Tensor over `array`."""
    tensor = Tensor._wrap(array)
    return tensor.requires_grad_() if requires_grad else tensor


def quantized_parts(tensor: Any) -> QuantizedParts:
    """Take a QTensor apart."""
    scheme: qscheme = tensor.qscheme()
    axis = None
    if scheme.is_per_channel:
        scale, zero_point = tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()
        scale, zero_point, axis = scale._array, zero_point._array, tensor.q_per_channel_axis()
    else:
        scale, zero_point = np.array(tensor.q_scale(), np.float64), np.array(tensor.q_zero_point())
    integers, shape = tensor.int_repr()._array, tuple(tensor.shape)
    return QuantizedParts(integers, tensor.dtype, scheme, scale, zero_point, axis, shape)


def make_quantized(parts: QuantizedParts, where: str) -> QTensor:
    """Put a QTensor together out of parts that a file gave.

    Raises
    ------
    ValueError
        Beginning with `where`, if the parts do not fit each other.
    """
    try:
        tensor = QTensor.from_ints(
            parts.integers,
            parts.scale if parts.axis is not None else parts.scale.item(),
            parts.zero_point if parts.axis is not None else parts.zero_point.item(),
            parts.dtype,
            axis=parts.axis,
            shape=parts.shape,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None
    if tensor.qscheme() is not parts.qscheme:
        raise ValueError(f"{where}: its parts make {tensor.qscheme()}, not {parts.qscheme}")
    return tensor
