"""Statically quantized convolutions with ReLU: those of known networks, and of other ranks."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

import qrs
from comparison import conv_peers
from comparison.conv_layer import Layer, Shape, exact, make
from comparison.model import Array, Contender, Row, Stage

SHAPES = [
    Shape("7x7/2 3->64 @224", (224, 224), 3, 64, 7, 2),
    Shape("1x1 64->64 @56", (56, 56), 64, 64, 1),
    Shape("3x3 64->64 @56", (56, 56), 64, 64),
    Shape("1x1 64->256 @56", (56, 56), 64, 256, 1),
    Shape("1x1 256->64 @56", (56, 56), 256, 64, 1),
    Shape("3x3/2 128->128 @56", (56, 56), 128, 128, stride=2),
    Shape("3x3 128->128 @28", (28, 28), 128, 128),
    Shape("3x3 256->256 @14", (14, 14), 256, 256),
    Shape("1x1 1024->256 @14", (14, 14), 1024, 256, 1),
    Shape("1x1/2 256->512 @56", (56, 56), 256, 512, 1, 2),
    Shape("3x3 512->512 @7", (7, 7), 512, 512),
    Shape("1x1 512->2048 @7", (7, 7), 512, 2048, 1),
    Shape("3x3/2 3->32 @224", (224, 224), 3, 32, 3, 2),
    Shape("depthwise 3x3 32 @112", (112, 112), 32, 32, groups=32),
    Shape("depthwise 3x3/2 96 @112", (112, 112), 96, 96, stride=2, groups=96),
    Shape("depthwise 3x3 144 @56", (56, 56), 144, 144, groups=144),
    Shape("depthwise 3x3 384 @14", (14, 14), 384, 384, groups=384),
    Shape("depthwise 3x3 960 @7", (7, 7), 960, 960, groups=960),
    Shape("depthwise 5x5 240 @14", (14, 14), 240, 240, 5, groups=240),
    Shape("depthwise 5x5/2 72 @56", (56, 56), 72, 72, 5, 2, groups=72),
    Shape("pointwise 16->96 @112", (112, 112), 16, 96, 1),
    Shape("pointwise 144->24 @56", (56, 56), 144, 24, 1),
    Shape("pointwise 384->64 @14", (14, 14), 384, 64, 1),
    Shape("pointwise 320->1280 @7", (7, 7), 320, 1280, 1),
    Shape("grouped 3x3 g=32 128 @56", (56, 56), 128, 128, groups=32),
    Shape("grouped 3x3/2 g=32 256 @56", (56, 56), 256, 256, stride=2, groups=32),
    Shape("grouped 3x3 g=32 1024 @7", (7, 7), 1024, 1024, groups=32),
    Shape("conv1d 5 256->256 @400", (400,), 256, 256, 5),
    Shape("conv3d 3x3x3 64->64 @8x28x28", (8, 28, 28), 64, 64),
    Shape("transposed 4x4/2 256->256 @14", (14, 14), 256, 256, 4, 2, transposed=True),
    Shape("transposed 4x4/2 128->64 @28", (28, 28), 128, 64, 4, 2, transposed=True),
    Shape("transposed 4x4/2 64->64 @56", (56, 56), 64, 64, 4, 2, transposed=True),
    Shape("transposed 2x2/2 256->128 @28", (28, 28), 256, 128, 2, 2, transposed=True),
    Shape("transposed 2x2/2 128->64 @56", (56, 56), 128, 64, 2, 2, transposed=True),
    Shape("transposed 2x2/2 64->32 @112", (112, 112), 64, 32, 2, 2, transposed=True),
    Shape("transposed 1d 4/2 128->64 @1600", (1600,), 128, 64, 4, 2, transposed=True),
]


def build(shape: Shape, threads: int) -> tuple[Array, list[Contender]]:
    """The output in double precision, and those who compute it."""
    layer = make(shape)
    wanted = np.clip(exact(layer) / layer.step, 0, 255)
    made = [_qrs(layer), *conv_peers.torch_layers(layer), *conv_peers.onnx_runtime(layer, threads)]
    made += conv_peers.openvino(layer, threads)
    return wanted, [conv_peers.checked(contender, np.rint(wanted)) for contender in made]


def _qrs(layer: Layer) -> Contender:
    shape = layer.shape
    name = f"ConvTranspose{shape.rank}d" if shape.transposed else f"ConvReLU{shape.rank}d"
    home = qrs.nn.quantized if shape.transposed else qrs.nn.intrinsic.quantized
    small = getattr(home, name)(
        shape.inputs, shape.outputs, shape.kernel, shape.stride, shape.padding, groups=shape.groups
    )
    axis = None if shape.transposed else 0
    scales = float(layer.scales[0]) if shape.transposed else layer.scales
    points = 0 if shape.transposed else np.zeros(shape.outputs, np.int64)
    weight = qrs.QTensor.from_ints(layer.weight, scales, points, qrs.qint8, axis=axis)
    small.set_weight_bias(weight, qrs.from_numpy(layer.bias))
    small.scale, small.zero_point = layer.step, 0
    # The axes are moved, not the bytes: channels last, as every quantized layer leaves its output.
    first = (0, shape.rank + 1, *range(1, shape.rank + 1))
    x = qrs.QTensor.from_ints(layer.x, *shape.input, qrs.quint8).permute(*first)
    return Contender("qrs", partial(small, x), lambda y: y.int_repr().numpy(), "qrs")


ROWS = tuple(
    Row(
        f"conv {shape.name}",
        (Stage(shape.products, math.prod(shape.weight)),),
        partial(build, shape),
    )
    for shape in SHAPES
)
