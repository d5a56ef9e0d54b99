"""One statically quantized convolution with ReLU: sizes, integers and the exact output."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from comparison.model import Array

# Scale of the input.
SCALE = 0.02
# The output's step, of the standard deviation of the sums.
STEP = 0.012


@dataclass(frozen=True)
class Shape:
    """Sizes of a layer: as many taps, steps and rows of padding along every axis."""

    name: str
    size: tuple[int, ...]
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    groups: int = 1
    transposed: bool = False

    @property
    def rank(self) -> int:
        """Spatial axes."""
        return len(self.size)

    @property
    def padding(self) -> int:
        """The size stays, or is divided or multiplied by the stride."""
        return (self.kernel - self.stride) // 2 if self.transposed else self.kernel // 2

    @property
    def input(self) -> tuple[float, int]:
        """Scale and zero point of the input.

        Transposed layers get what comes after a ReLU: OpenVINO runs them in float otherwise. All
        outputs come after one, so that their zero point is 0.
        """
        return SCALE, 0 if self.transposed else 117

    @property
    def weight(self) -> tuple[int, ...]:
        """Shape of the weight in PyTorch."""
        outer, inner = self.outputs, self.inputs
        if self.transposed:
            outer, inner = inner, outer
        return (outer, inner // self.groups, *(self.kernel,) * self.rank)

    @property
    def products(self) -> int:
        """Multiply-adds, without those on padding, which nobody has to make."""
        total = self.inputs // self.groups * self.outputs
        for n in self.size:
            end = n * self.stride if self.transposed else n
            places = np.arange(0, end, self.stride)[:, None] + np.arange(self.kernel) - self.padding
            total *= int(((places >= 0) & (places < end)).sum())
        return total

    @property
    def depth(self) -> int:
        """Inputs of an output channel under the kernel."""
        return self.kernel**self.rank * (self.inputs // self.groups)


@dataclass(frozen=True)
class Layer:
    """The integers and parameters that every contender gets.

    Attributes
    ----------
    shape : Shape
    x : array, uint8, shape (1, *S, C)
    weight : array, int8, of ``shape.weight``
    scales : array, float32
        Of the weight: one for each output channel, or one, as PyTorch's transposed layers have.
    bias : array, float32, shape (O,)
    step : float
        Scale of the output, whose zero point is 0.
    """

    shape: Shape
    x: Array
    weight: Array
    scales: Array
    bias: Array
    step: float


def make(shape: Shape) -> Layer:
    """Random integers over their whole ranges."""
    random = np.random.default_rng(shape.inputs + shape.outputs)
    spread = 1 if shape.transposed else shape.stride**shape.rank
    scales = random.uniform(0.5, 1, 1 if shape.transposed else shape.outputs) * 0.01
    return Layer(
        shape,
        random.integers(0, 256, (1, *shape.size, shape.inputs), np.uint8),
        random.integers(-127, 128, shape.weight, np.int8),
        scales.astype(np.float32),
        random.standard_normal(shape.outputs, np.float32),
        float(np.float32(STEP * SCALE * 0.01 * 75 * 75 * math.sqrt(max(shape.depth / spread, 1)))),
    )


def exact(layer: Layer) -> Array:
    """The output before it is rounded to steps, shape (1, O, *S'): summed without error."""
    shape = layer.shape
    name = f"conv{'_transpose' if shape.transposed else ''}{shape.rank}d"
    run = getattr(torch.nn.functional, name)
    x = torch.from_numpy(np.moveaxis(layer.x.astype(np.float64), -1, 1) - shape.input[1])
    weight = torch.from_numpy(layer.weight.astype(np.float64))
    sums = run(x, weight, None, shape.stride, shape.padding, groups=shape.groups).numpy()
    by_channel = (-1, *(1,) * shape.rank)
    scale = (np.float64(SCALE) * layer.scales).reshape(by_channel)
    return np.maximum(sums * scale + layer.bias.reshape(by_channel), 0)
