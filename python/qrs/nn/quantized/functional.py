"""Functions of quantized tensors, under PyTorch's names.

Those that keep the parameters of their input, or have fixed ones, are also called by the functions
of `nn.functional` and the modules of `nn`, when a quantized tensor comes.
"""

from qrs.nn.functional.dispatch import QUANTIZED
from qrs.nn.quantized import functional_activation as activation
from qrs.nn.quantized import functional_adaptive_pooling as adaptive_pooling
from qrs.nn.quantized import functional_moving as moving
from qrs.nn.quantized import functional_pooling as pooling
from qrs.nn.quantized.functional_activation import (
    celu,
    clamp,
    elu,
    gelu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    relu6,
    sigmoid,
    silu,
    tanh,
    threshold,
    unary,
)
from qrs.nn.quantized.functional_adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from qrs.nn.quantized.functional_arithmetic import (
    add,
    add_relu,
    add_scalar,
    add_scalar_relu,
    cat,
    matmul,
    mul,
    mul_relu,
    mul_scalar,
    mul_scalar_relu,
)
from qrs.nn.quantized.functional_layers import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    linear,
)
from qrs.nn.quantized.functional_moving import (
    channel_shuffle,
    interpolate,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from qrs.nn.quantized.functional_norm import batch_norm, group_norm, instance_norm, layer_norm
from qrs.nn.quantized.functional_pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "add",
    "add_relu",
    "add_scalar",
    "add_scalar_relu",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "cat",
    "celu",
    "channel_shuffle",
    "clamp",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "elu",
    "gelu",
    "group_norm",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "instance_norm",
    "interpolate",
    "layer_norm",
    "leaky_relu",
    "linear",
    "matmul",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "mul",
    "mul_relu",
    "mul_scalar",
    "mul_scalar_relu",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "relu6",
    "sigmoid",
    "silu",
    "tanh",
    "threshold",
    "unary",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

for poolings in (pooling, adaptive_pooling):
    QUANTIZED.update({name: getattr(poolings, name) for name in poolings.__all__})
QUANTIZED.update(
    {
        function.__name__: function
        for function in (
            activation.dropout,
            activation.hardsigmoid,
            activation.hardtanh,
            activation.leaky_relu,
            activation.relu6,
            activation.threshold,
            moving.channel_shuffle,
            moving.interpolate,
            moving.pad,
            moving.pixel_shuffle,
            moving.pixel_unshuffle,
        )
    }
)
