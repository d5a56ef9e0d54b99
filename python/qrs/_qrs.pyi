"""The compiled module. Private: `qrs._kernels` is its only user, and has the documentation."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__version__: str

__all__ = [
    "PackedConv",
    "PackedConvTranspose",
    "PackedEmbedding",
    "PackedLinear",
    "PackedRnn",
    "__version__",
    "activation",
    "adaptive_pool",
    "available_levels",
    "avg_pool",
    "batch_norm",
    "bilinear",
    "binary",
    "cat",
    "choose_qparams",
    "clamp",
    "dequantize",
    "dequantize_float_qparams",
    "dequantize_per_channel",
    "divergences",
    "get_num_threads",
    "group_norm",
    "histogram",
    "histogram_on_grid",
    "layer_norm",
    "least_error_range",
    "level",
    "lookup",
    "matmul",
    "max_pool",
    "mean",
    "min_max",
    "nearest",
    "permute",
    "quantize",
    "quantize_float_qparams",
    "quantize_per_channel",
    "quantized_layer_norm",
    "select",
    "set_num_threads",
    "softmax",
    "squared_errors",
]

@final
class PackedConv:
    def __new__(
        cls,
        weight: NDArray[np.int8],
        scales: NDArray[np.float32],
        zero_points: NDArray[np.int32] | None,
        bias: NDArray[np.float32] | None,
        stride: tuple[int, int, int],
        padding: tuple[int, int, int],
        dilation: tuple[int, int, int],
        groups: int,
        /,
    ) -> PackedConv: ...
    def quantized(
        self,
        x: NDArray[Any],
        input: tuple[float, int],
        output: tuple[float, int],
        span: tuple[int, int],
        engine: str,
        /,
    ) -> NDArray[Any]: ...

@final
class PackedConvTranspose:
    def __new__(
        cls,
        weight: NDArray[np.int8],
        scales: NDArray[np.float32],
        zero_points: NDArray[np.int32] | None,
        bias: NDArray[np.float32] | None,
        stride: tuple[int, int, int],
        padding: tuple[int, int, int],
        dilation: tuple[int, int, int],
        groups: int,
        /,
    ) -> PackedConvTranspose: ...
    def quantized(
        self,
        x: NDArray[Any],
        output_padding: tuple[int, int, int],
        input: tuple[float, int],
        output: tuple[float, int],
        span: tuple[int, int],
        engine: str,
        /,
    ) -> NDArray[Any]: ...

@final
class PackedEmbedding:
    """Rows of bytes; with `dim`, of two values each. Index types are int32 and int64."""

    def __new__(
        cls,
        rows: NDArray[np.uint8],
        scales: NDArray[np.float32],
        zero_points: NDArray[np.float32],
        dim: int | None,
        /,
    ) -> PackedEmbedding: ...
    def lookup(self, indices: NDArray[Any], /) -> NDArray[np.float32]: ...
    def bags(
        self,
        indices: NDArray[Any],
        starts: NDArray[Any],
        end: int,
        weights: NDArray[np.float32] | None,
        mode: str,
        padding: int | None,
        /,
    ) -> NDArray[np.float32]: ...

@final
class PackedLinear:
    def __new__(
        cls,
        weight: NDArray[np.int8],
        scales: NDArray[np.float32],
        zero_points: NDArray[np.int32] | None = None,
        bias: NDArray[np.float32] | None = None,
        /,
    ) -> PackedLinear: ...
    @property
    def n(self) -> int: ...
    @property
    def k(self) -> int: ...
    def dynamic(
        self,
        x: NDArray[np.float32],
        engine: str,
        reduce_range: bool = True,
        relu: bool = False,
        /,
    ) -> NDArray[np.float32]: ...
    def quantized(
        self,
        x: NDArray[Any],
        input: tuple[float, int],
        output: tuple[float, int],
        span: tuple[int, int],
        engine: str,
        /,
    ) -> NDArray[Any]: ...

@final
class PackedRnn:
    def __new__(cls, mode: str, layers: int, directions: list[dict[str, Any]], /) -> PackedRnn: ...
    def run(
        self,
        x: NDArray[np.float32],
        sizes: list[int] | None,
        batch_first: bool,
        states: list[NDArray[np.float32]] | None,
        engine: str,
        /,
    ) -> tuple[NDArray[np.float32], ...]: ...

_Pair = tuple[float, int]

def activation(x: NDArray[np.float32], name: str, /) -> NDArray[np.float32]: ...
def available_levels() -> list[str]: ...
def choose_qparams(x: NDArray[np.float32], reduce_range: bool, /) -> tuple[float, int]: ...
def dequantize(q: NDArray[Any], scale: float, zero_point: int, /) -> NDArray[np.float32]: ...
def dequantize_float_qparams(
    q: NDArray[Any], scales: NDArray[np.float32], zero_points: NDArray[np.float32], axis: int, /
) -> NDArray[np.float32]: ...
def dequantize_per_channel(
    q: NDArray[Any], scales: NDArray[np.float32], zero_points: NDArray[np.int32], axis: int, /
) -> NDArray[np.float32]: ...
def divergences(
    counts: NDArray[np.int64],
    centres: NDArray[np.float64],
    candidates: NDArray[np.float64],
    qmin: int,
    qmax: int,
    /,
) -> NDArray[np.float64]: ...
def get_num_threads() -> int: ...
def histogram(x: NDArray[np.float32], lo: float, hi: float, bins: int, /) -> NDArray[np.int64]: ...
def histogram_on_grid(
    x: NDArray[np.float32], first: int, exponent: int, bins: int, /
) -> NDArray[np.int64]: ...
def layer_norm(
    x: NDArray[np.float32],
    n: int,
    weight: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    eps: float,
    /,
) -> NDArray[np.float32]: ...
def least_error_range(
    counts: NDArray[np.float32], width: float, levels: int, /
) -> tuple[int, int]: ...
def level() -> str: ...
def quantize(
    x: NDArray[np.float32], scale: float, zero_point: int, kind: str, /
) -> NDArray[Any]: ...
def quantize_float_qparams(
    x: NDArray[np.float32],
    scales: NDArray[np.float32],
    zero_points: NDArray[np.float32],
    axis: int,
    kind: str,
    /,
) -> NDArray[Any]: ...
def quantize_per_channel(
    x: NDArray[np.float32],
    scales: NDArray[np.float32],
    zero_points: NDArray[np.int32],
    axis: int,
    kind: str,
    /,
) -> NDArray[Any]: ...
def set_num_threads(n: int) -> None: ...
def softmax(x: NDArray[np.float32], logarithm: bool, /) -> NDArray[np.float32]: ...

# Stored bytes, uint8 or int8, of images [batch, channels, sizes...]. Means come with a zero point.
def adaptive_pool(
    x: NDArray[Any], sizes: tuple[int, ...], zero_point: int | None, /
) -> NDArray[Any]: ...
def avg_pool(
    x: NDArray[Any],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    ceil: bool,
    include: bool,
    divisor: int | None,
    zero_point: int,
    /,
) -> NDArray[Any]: ...
def max_pool(
    x: NDArray[Any],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    ceil: bool,
    /,
) -> NDArray[Any]: ...
def mean(x: NDArray[Any], zero_point: int, /) -> NDArray[Any]: ...

# [batch, channels, positions], or with channels_last [batch, positions, channels].
def batch_norm(
    x: NDArray[Any],
    mean: NDArray[np.float32],
    variance: NDArray[np.float32],
    weight: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    eps: float,
    input: _Pair,
    output: _Pair,
    relu: bool,
    channels_last: bool,
    /,
) -> NDArray[Any]: ...
def group_norm(
    x: NDArray[Any],
    count: int,
    weight: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    eps: float,
    input: _Pair,
    output: _Pair,
    channels_last: bool,
    /,
) -> NDArray[Any]: ...
def quantized_layer_norm(
    x: NDArray[Any],
    n: int,
    weight: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    eps: float,
    input: _Pair,
    output: _Pair,
    /,
) -> NDArray[Any]: ...
def bilinear(
    x: NDArray[Any],
    sizes: tuple[int, int],
    scales: tuple[float | None, float | None],
    corners: bool,
    zero_point: int,
    /,
) -> NDArray[Any]: ...
def min_max(x: NDArray[np.float32], /) -> tuple[float, float, bool]: ...
def nearest(size: int, count: int, scale: float | None, /) -> list[int]: ...
def binary(
    operation: str,
    a: NDArray[Any],
    b: NDArray[Any],
    inputs: tuple[_Pair, _Pair],
    output: _Pair,
    relu: bool,
    /,
) -> NDArray[Any]: ...
def cat(
    arrays: list[NDArray[np.uint8]], tables: list[NDArray[np.uint8] | None], axis: int, /
) -> NDArray[np.uint8]: ...
def clamp(x: NDArray[Any], low: int, high: int, /) -> NDArray[Any]: ...
def lookup(x: NDArray[np.uint8], table: NDArray[np.uint8], /) -> NDArray[np.uint8]: ...
def matmul(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    inputs: tuple[_Pair, _Pair],
    output: _Pair,
    /,
) -> NDArray[np.uint8]: ...
def permute(x: NDArray[np.uint8], order: list[int], /) -> NDArray[np.uint8]: ...
def select(
    x: NDArray[np.uint8], tables: list[NDArray[np.int64] | None], fill: int, /
) -> NDArray[np.uint8]: ...
def squared_errors(
    counts: NDArray[np.int64],
    centres: NDArray[np.float64],
    candidates: NDArray[np.float64],
    qmin: int,
    qmax: int,
    /,
) -> NDArray[np.float64]: ...
