"""The compiled module. Private: `qrs._kernels` is its only user, and has the documentation."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PackedConv",
    "PackedLinear",
    "PackedRnn",
    "activation",
    "available_levels",
    "choose_qparams",
    "dequantize",
    "dequantize_float_qparams",
    "dequantize_per_channel",
    "get_num_threads",
    "layer_norm",
    "level",
    "quantize",
    "quantize_float_qparams",
    "quantize_per_channel",
    "set_num_threads",
    "softmax",
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
    def __new__(
        cls, mode: str, layers: int, directions: list[dict[str, Any]], /
    ) -> PackedRnn: ...
    def run(
        self,
        x: NDArray[np.float32],
        sizes: list[int] | None,
        batch_first: bool,
        states: list[NDArray[np.float32]] | None,
        engine: str,
        /,
    ) -> tuple[NDArray[np.float32], ...]: ...

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
def get_num_threads() -> int: ...
def layer_norm(
    x: NDArray[np.float32],
    n: int,
    weight: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    eps: float,
    /,
) -> NDArray[np.float32]: ...
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
