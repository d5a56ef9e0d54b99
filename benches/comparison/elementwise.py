"""What stands between the layers of a quantized model: sums, tables, pooling, conversions, lookups.

Every contender is called through its modules. ONNX Runtime and OpenVINO get one model a row: the
float operator between the conversions that its quantization tool writes, bytes in and bytes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

import qrs
from comparison.byte_models import Between
from comparison.model import Array, Contender, Row, Stage

Pair = tuple[float, int]

# Scale and zero point of the first input, the second one and the output.
FIRST, SECOND, OUTPUT = (0.05, 120), (0.03, 131), (0.06, 117)
POSITIVE, UNIT = (0.03, 0), (1 / 256, 0)


@dataclass(frozen=True)
class Operator:
    """One operator on images.

    Attributes
    ----------
    shape : tuple of int
        Of each input, (N, C, H, W).
    exact : callable
        In double precision, of the real inputs.
    module : callable
        ``module(library)`` with qrs or torch gives what its users call, on the inputs.
    onnx : tuple
        Operator and attributes.
    inputs : tuple of pair
        Scale and zero point of each.
    output : pair
    size : int
        Bytes of the output, if they are not as many as those of an input.
    """

    shape: tuple[int, ...]
    exact: Callable[..., Array]
    module: Callable[[Any], Callable[..., Any]]
    onnx: tuple[str, dict[str, Any]]
    inputs: tuple[Pair, ...] = (FIRST,)
    output: Pair = OUTPUT
    size: int = 0

    @property
    def bytes(self) -> int:
        """What is read and written."""
        return math.prod(self.shape) * len(self.inputs) + (self.size or math.prod(self.shape))


def modules(library: Any) -> Any:
    """Where a library has its quantized modules."""
    return library.nn.quantized if library is qrs else library.ao.nn.quantized


def _functional(method: str, output: Pair = OUTPUT) -> Callable[[Any], Callable[..., Any]]:
    def make(library: Any) -> Callable[..., Any]:
        functional = modules(library).QFunctional()
        functional.scale, functional.zero_point = output
        call = getattr(functional, method)
        return (lambda *items: call(items, 1)) if method == "cat" else call

    return make


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _hardswish(x: Array) -> Array:
    return x * np.clip(x + 3, 0, 6) / 6


def _largest(x: Array) -> Array:
    """Windows of 3, a step of 2 and a padding of 1, along the two last axes."""
    for _ in range(2):
        wide = np.pad(x, [(0, 0)] * 3 + [(1, 1)], constant_values=-np.inf)
        n = x.shape[-1] // 2
        x = np.maximum.reduce([wide[..., i : i + 2 * n : 2] for i in range(3)]).swapaxes(-1, -2)
    return x


IMAGE = (1, 64, 56, 56)
POOL = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
OPERATORS = {
    "add": Operator(IMAGE, np.add, _functional("add"), ("Add", {}), (FIRST, SECOND)),
    # A ReLU before an output whose zero is the smallest byte is left out by the peers' tools.
    "add_relu": Operator(
        IMAGE,
        lambda a, b: _relu(a + b),
        _functional("add_relu", POSITIVE),
        ("Add", {}),
        (FIRST, SECOND),
        POSITIVE,
    ),
    "mul": Operator(IMAGE, np.multiply, _functional("mul"), ("Mul", {}), (FIRST, SECOND)),
    "cat": Operator(
        (1, 32, 56, 56),
        lambda a, b: np.concatenate([a, b], 1),
        _functional("cat"),
        ("Concat", {"axis": 1}),
        (FIRST, SECOND),
        size=math.prod(IMAGE),
    ),
    "sigmoid": Operator(
        IMAGE,
        lambda x: 1 / (1 + np.exp(-x)),
        lambda library: library.nn.Sigmoid(),
        ("Sigmoid", {}),
        output=UNIT,
    ),
    "hardswish": Operator(
        IMAGE,
        _hardswish,
        lambda library: modules(library).Hardswish(*OUTPUT),
        ("HardSwish", {}),
    ),
    "relu": Operator(IMAGE, _relu, lambda library: library.nn.ReLU(), ("Relu", {}), output=FIRST),
    "max pool 3/2": Operator(
        (1, 64, 112, 112),
        _largest,
        lambda library: library.nn.MaxPool2d(3, 2, 1),
        ("MaxPool", POOL),
        output=FIRST,
        size=math.prod(IMAGE),
    ),
    "global average pool": Operator(
        (1, 2048, 7, 7),
        lambda x: x.mean((2, 3), keepdims=True),
        lambda library: library.nn.AdaptiveAvgPool2d(1),
        ("GlobalAveragePool", {}),
        output=FIRST,
        size=2048,
    ),
}


def build(name: str, threads: int) -> tuple[Array, list[Contender]]:
    """The output in double precision, and those who compute it."""
    operator = OPERATORS[name]
    random = np.random.default_rng(len(name))
    n, c, h, w = operator.shape
    # Channels are last in memory, as the layers before leave them.
    ints = [
        random.integers(0, 256, (n, h, w, c), np.uint8).transpose(0, 3, 1, 2)
        for _ in operator.inputs
    ]
    real = [
        scale * (x.astype(np.float64) - zero)
        for x, (scale, zero) in zip(ints, operator.inputs, strict=True)
    ]
    made = [_qrs(operator, ints), _torch(operator, ints)]
    made += Between(ints, operator.inputs, operator.output, operator.onnx).contenders(threads)
    low, high = (operator.output[0] * (end - operator.output[1]) for end in (0, 255))
    return np.clip(operator.exact(*real), low, high), made


def _qrs(operator: Operator, ints: list[Array]) -> Contender:
    x = [
        qrs.QTensor._wrap(array, qrs.qtensor.PerTensor(*pair), qrs.quint8)
        for array, pair in zip(ints, operator.inputs, strict=True)
    ]
    call = partial(operator.module(qrs), *x)
    return Contender("qrs", call, lambda y: y.dequantize().numpy(), "qrs")


def _torch(operator: Operator, ints: list[Array]) -> Contender:
    x = [
        torch._make_per_tensor_quantized_tensor(torch.from_numpy(array), *pair)
        for array, pair in zip(ints, operator.inputs, strict=True)
    ]
    call = partial(operator.module(torch), *x)
    return Contender("PyTorch fbgemm", call, lambda y: y.dequantize().numpy())


def build_conversion(name: str, threads: int) -> tuple[Array, list[Contender]]:
    """From floats to bytes or back."""
    random = np.random.default_rng(7)
    x = random.standard_normal(IMAGE, np.float32) * 3
    ints = np.clip(np.rint(x / np.float32(FIRST[0])) + FIRST[1], 0, 255).astype(np.uint8)
    wanted = FIRST[0] * (ints.astype(np.float64) - FIRST[1])
    made = []
    if name == "quantize":
        for library, title, role in ((qrs, "qrs", "qrs"), (torch, "PyTorch fbgemm", "peer")):
            module = modules(library).Quantize(*FIRST, library.quint8)
            call = partial(module, library.from_numpy(x))
            made.append(Contender(title, call, lambda y: y.dequantize().numpy(), role))
        made += Between([x], (), FIRST, None).contenders(threads)
        return wanted, made
    own = qrs.QTensor.from_ints(ints, *FIRST, qrs.quint8)
    other = torch._make_per_tensor_quantized_tensor(torch.from_numpy(ints), *FIRST)
    for library, title, role, q in (
        (qrs, "qrs", "qrs", own),
        (torch, "PyTorch fbgemm", "peer", other),
    ):
        call = partial(modules(library).DeQuantize(), q)
        made.append(Contender(title, call, lambda y: np.asarray(y.numpy()), role))
    made += Between([ints], (FIRST,), None, None).contenders(threads)
    return wanted, made


# Rows, width, bags and rows in a bag: a table that no cache holds.
TABLE, WIDTH, BAGS, BAG = 200_000, 64, 64, 20


def build_bags(bits: int, _threads: int) -> tuple[Array, list[Contender]]:
    """Sums of rows of a table of 8 or 4 bits."""
    random = np.random.default_rng(bits)
    weight = random.standard_normal((TABLE, WIDTH), np.float32)
    indices = random.integers(0, TABLE, BAGS * BAG)
    offsets = np.arange(0, BAGS * BAG, BAG)
    made = []
    for library, title, role in ((qrs, "qrs", "qrs"), (torch, "PyTorch fbgemm", "peer")):
        kind = library.quint8 if bits == 8 else library.quint4x2
        scale, zero = _ranges(weight, 2**bits - 1)
        table = library.quantize_per_channel(
            *(library.from_numpy(v) for v in (weight, scale, zero)), 0, kind
        )
        bag = modules(library).EmbeddingBag(TABLE, WIDTH, mode="sum", _weight=table, dtype=kind)
        call = partial(bag, library.from_numpy(indices), library.from_numpy(offsets))
        made.append(Contender(title, call, lambda y: np.asarray(y.numpy()), role))
    wanted = weight[indices].reshape(BAGS, BAG, WIDTH).sum(1, dtype=np.float64)
    return wanted, made


def _ranges(weight: Array, top: int) -> tuple[Array, Array]:
    """A scale and a float zero point for each row."""
    low, high = weight.min(1), weight.max(1)
    scale = (high - low) / np.float32(top)
    return scale, -low / scale


ROWS = (
    *(
        Row(
            f"{name} {'x'.join(map(str, op.shape[1:]))}",
            (Stage(0, op.bytes),),
            partial(build, name),
        )
        for name, op in OPERATORS.items()
    ),
    *(
        Row(
            f"{name} 64x56x56",
            (Stage(0, 5 * math.prod(IMAGE)),),
            partial(build_conversion, name),
        )
        for name in ("quantize", "dequantize")
    ),
    *(
        Row(
            f"embedding_bag {bits} bits, {BAGS} of {BAG} rows of {WIDTH}",
            (Stage(0, BAGS * BAG * WIDTH * bits // 8),),
            partial(build_bags, bits),
        )
        for bits in (8, 4)
    ),
)
