"""Quantized tensors: integers that stand for real numbers.

`QTensor` is the class, `quantize_per_tensor` and `quantize_per_channel` make one. Its parts:
`qparams` (scales and zero points, checked), `core` (facts and conversions), `shaping` (moving
elements), `joining`, `reducing` (selecting and combining them), `qtensor` (the class itself),
`functions` (PyTorch's names).
"""

from qrs.qtensor.functions import (
    _choose_qparams_per_tensor,
    _empty_affine_quantized,
    _empty_per_channel_affine_quantized,
    _make_per_channel_quantized_tensor,
    _make_per_tensor_quantized_tensor,
    dequantize,
    int_repr,
    q_per_channel_axis,
    q_per_channel_scales,
    q_per_channel_zero_points,
    q_scale,
    q_zero_point,
    quantize_per_channel,
    quantize_per_tensor,
)
from qrs.qtensor.qparams import PerChannel, PerTensor
from qrs.qtensor.qtensor import QTensor

__all__ = [
    "PerChannel",
    "PerTensor",
    "QTensor",
    "_choose_qparams_per_tensor",
    "_empty_affine_quantized",
    "_empty_per_channel_affine_quantized",
    "_make_per_channel_quantized_tensor",
    "_make_per_tensor_quantized_tensor",
    "dequantize",
    "int_repr",
    "q_per_channel_axis",
    "q_per_channel_scales",
    "q_per_channel_zero_points",
    "q_scale",
    "q_zero_point",
    "quantize_per_channel",
    "quantize_per_tensor",
]
