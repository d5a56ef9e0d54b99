"""The mistakes of `test_misuse`, and the models that they are made with."""

from collections.abc import Callable
from typing import Any

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import (
    DtypeError,
    GradientError,
    NonFiniteError,
    NotCalibratedError,
    QrsError,
    ShapeError,
    StateDictError,
    UnsupportedLayerError,
)
from qrs.nn import quantized as nnq

Forward = Callable[[Any, qrs.Tensor], Any]


class Block(nn.Module):
    """The parts that the mistakes are made with."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.quant = Q.QuantStub()
        self.conv = nn.Conv2d(2, 2, 1)
        self.plain = nn.Conv2d(2, 2, 1)
        self.plain.qconfig = None
        self.dequant = Q.DeQuantStub()
        self.steps = forward

    def forward(self, x: qrs.Tensor) -> Any:
        return self.steps(self, x)


class Net(nn.Module):
    """A block one level down, so that it has a name."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.block = Block(forward)

    def forward(self, x: qrs.Tensor) -> Any:
        return self.block(x)


def image() -> qrs.Tensor:
    return qrs.randn(2, 2, 4, 4)


def qimage(dtype: qrs.dtype = qrs.quint8) -> qrs.QTensor:
    zero_point = 128 if dtype is qrs.quint8 else 0
    return qrs.quantize_per_tensor(image(), 0.05, zero_point, dtype)


def sound(block: Any, x: qrs.Tensor) -> qrs.Tensor:
    return block.dequant(block.conv(block.quant(x)))


def prepared(forward: Forward = sound, qconfig: Any = None) -> Net:
    model = Net(forward).eval()
    model.qconfig = qconfig or Q.get_default_qconfig()
    return Q.prepare(model)


def converted(forward: Forward = sound, qconfig: Any = None) -> Net:
    """Calibrated part by part, since the forward may be the mistake."""
    model = prepared(forward, qconfig)
    model.block.conv(model.block.quant(image()))
    return Q.convert(model)


def forward_of(forward: Forward) -> Callable[[], Any]:
    return lambda: converted(forward)(image())


class Sub(nn.Linear):
    """A derived type."""


def sequential(*layers: nn.Module, qconfig: Any = Q.default_qconfig) -> nn.Module:
    model = nn.Sequential(*layers).eval()
    model.qconfig = qconfig
    return model


def with_embedding() -> nn.Module:
    model = Q.prepare(sequential(nn.Embedding(4, 4)))
    model(qrs.tensor([0, 1]))
    return Q.convert(model)


def quantized_twice() -> Any:
    model = prepared(lambda block, x: block.quant(block.quant(x)))
    model(image())
    model.block.conv(image())
    return Q.convert(model)(image())


def half_calibrated() -> nn.Module:
    model = prepared()
    model.block.quant(image())
    return model


def converted_under_a_qconfig() -> nn.Module:
    model = Q.prepare(sequential(Q.QuantStub(), nn.Linear(2, 2)))
    model(qrs.ones(1, 2))
    return Q.convert(model, remove_qconfig=False)


class SchemeLess(nn.Module):
    """Says for which type it observes, and nothing else."""

    dtype = qrs.qint8


FORWARD: dict[str, tuple[Forward, str]] = {
    "QuantStub forgotten": (
        lambda block, x: block.conv(x),
        r"at block\.conv \(Conv2d\): .*a float tensor .*insert a QuantStub before this module",
    ),
    "DeQuantStub forgotten before a float layer": (
        lambda block, x: block.plain(block.conv(block.quant(x))),
        r"at block\.plain \(Conv2d\): .*quantized tensor.*insert a DeQuantStub before this module",
    ),
    "DeQuantStub on a float tensor": (
        lambda block, x: block.dequant(block.plain(x)),
        r"at block\.dequant \(DeQuantize\): .*a float tensor .*remove this DeQuantStub",
    ),
    "addition with +": (
        lambda block, x: block.quant(x) + block.quant(x),
        r"at block \(Block\): \+: .*use add or add_scalar of a qrs.* that __init__ makes",
    ),
    "multiplication with *": (
        lambda block, x: 2.0 * block.quant(x),
        r"at block \(Block\): \*: .*use mul or mul_scalar of a qrs.* that __init__ makes",
    ),
    "addition as a function": (
        lambda block, x: qrs.add(block.quant(x), 1.0),
        r"at block \(Block\): add: .*use add or add_scalar of a qrs.* that __init__ makes",
    ),
    "a function for floats only": (
        lambda block, x: nn.functional.softmax(block.quant(x), 1),
        r"at block \(Block\): softmax: a quantized tensor .*insert a DeQuantStub before",
    ),
    "half precision": (
        lambda block, x: block.quant(x.half()),
        r"at block\.quant \(Quantize\): .*float16 came, expected qrs\.float32",
    ),
}


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    # A float tensor, or the wrong quantized one, into quantized layers and functions.
    "QuantStub twice": (
        quantized_twice,
        DtypeError,
        r"at block\.quant \(Quantize\): .*a quantized tensor came.*remove this QuantStub",
    ),
    "nnq layer on float": (
        lambda: nnq.Linear(4, 4)(image()),
        DtypeError,
        r"QuantizedLinear: a float tensor",
    ),
    "nnq function on float": (
        lambda: nnq.functional.conv2d(image(), image(), None),
        DtypeError,
        r"quantized\.conv2d: a float tensor",
    ),
    "FloatFunctional called": (
        lambda: nnq.FloatFunctional()(image(), image()),
        RuntimeError,
        r"call \.add\(x, y\)",
    ),
    "qint8 activations into a quint8 layer": (
        lambda: nnq.Conv2d(2, 2, 1)(qimage(qrs.qint8)),
        DtypeError,
        r"qrs\.qint8 came, expected qrs\.quint8",
    ),
    "activations with a scale per channel": (
        lambda: nnq.Conv2d(2, 2, 1)(
            qrs.quantize_per_channel(
                image(), qrs.ones(2), qrs.zeros(2, dtype=qrs.int64), 1, qrs.quint8
            )
        ),
        DtypeError,
        r"a scale for each channel came, expected one scale",
    ),
    "wrong number of channels": (
        lambda: nnq.Conv2d(3, 2, 1)(qimage()),
        ShapeError,
        r"QuantizedConv2d: input of shape \(2, 2, 4, 4\) came, expected \(N, 3, H, W\)",
    ),
    "assignment to a part": (
        lambda: qimage().__setitem__(0, qimage()[1]),
        DtypeError,
        r"immutable; assign to dequantize\(\)",
    ),
    "quantizing a quantized tensor": (
        lambda: qrs.quantize_per_tensor(qimage(), 0.1, 0, qrs.quint8),
        DtypeError,
        r"a quantized tensor came, expected float32; dequantize it first",
    ),
    "an int8 type for a quantized one": (
        lambda: qrs.quantize_per_tensor(image(), 0.1, 0, qrs.int8),
        DtypeError,
        r"qrs\.int8 came",
    ),
    # Configuration.
    "observer instance in a qconfig": (
        lambda: Q.QConfig(Q.MinMaxObserver(), Q.MinMaxObserver),
        ValueError,
        r"an instance of MinMaxObserver came.*pass MinMaxObserver or",
    ),
    "something else as qconfig": (
        lambda: Q.prepare(sequential(nn.Linear(2, 2), qconfig="fbgemm")),
        TypeError,
        r"a str without activation and weight came, expected a QConfig",
    ),
    "an observer without qparams": (
        lambda: prepared(qconfig=Q.QConfig(SchemeLess, Q.default_weight_observer)),
        TypeError,
        r"the qconfig of block\.quant has made a SchemeLess.*derive it from .*ObserverBase",
    ),
    "a weight observer without a scheme": (
        lambda: converted(qconfig=Q.QConfig(Q.MinMaxObserver, SchemeLess)),
        DtypeError,
        r"at block\.conv \(Conv2d\): .*SchemeLess has qscheme None.*expected qrs\.qint8",
    ),
    "a type in place of a set of types": (
        lambda: Q.quantize_dynamic(nn.Sequential(nn.Linear(2, 2)), nn.Linear),
        TypeError,
        r"quantize_dynamic: Linear came as qconfig_spec.*pass \{Linear\}",
    ),
    "a name in place of a set of names": (
        lambda: Q.quantize_dynamic(nn.Sequential(nn.Linear(2, 2)), "0"),
        TypeError,
        r"quantize_dynamic: '0' came as qconfig_spec.*pass \{'0'\}",
    ),
    "from_float without a qconfig": (
        lambda: nnq.dynamic.Linear.from_float(nn.Linear(2, 2)),
        QrsError,
        r"DynamicQuantizedLinear\.from_float: a Linear without qconfig came.*quantize_dynamic",
    ),
    "from_float of an LSTM without a qconfig": (
        lambda: nnq.dynamic.LSTM.from_float(nn.LSTM(2, 2)),
        QrsError,
        r"DynamicQuantizedLSTM\.from_float.*: a LSTM without qconfig came",
    ),
    "quint8 weights": (
        lambda: converted(qconfig=Q.QConfig(Q.MinMaxObserver, Q.MinMaxObserver)),
        DtypeError,
        r"at block\.conv \(Conv2d\): .*observer .*quint8, expected qrs\.qint8.*use default_weight_",
    ),
    "embedding under the default qconfig": (
        with_embedding,
        DtypeError,
        r"at 0 \(Embedding\): .*give embeddings float_qparams_weight_only_qconfig",
    ),
    "symmetric, unsigned, reduced range": (
        lambda: Q.MinMaxObserver(qscheme=qrs.per_tensor_symmetric, reduce_range=True),
        ValueError,
        r"use qint8, or drop reduce_range",
    ),
    "unknown engine": (
        lambda: setattr(qrs.backends.quantized, "engine", "onednn"),
        ValueError,
        r"'onednn' came, expected one of 'qrs', 'fbgemm', 'qnnpack'",
    ),
    "unknown backend": (
        lambda: Q.get_default_qconfig("x86"),
        ValueError,
        r"'x86' came, expected one of 'qrs'",
    ),
    # The order of steps.
    "no qconfig anywhere": (
        lambda: Q.prepare(Net(sound)),
        QrsError,
        r"no module has a qconfig.*set model\.qconfig",
    ),
    "prepare twice": (
        lambda: Q.prepare(prepared()),
        QrsError,
        r"prepare: block\.quant has an observer, so the model is prepared.*from the float model",
    ),
    "prepare a converted model": (
        lambda: Q.prepare(converted()),
        QrsError,
        r"prepare: block\.quant is a Quantize, so the model is converted already",
    ),
    "prepare a converted model with a qconfig": (
        lambda: Q.prepare(converted_under_a_qconfig()),
        QrsError,
        r"prepare: 0 is a Quantize, so the model is converted already",
    ),
    "convert twice": (
        lambda: Q.convert(converted()),
        QrsError,
        r"convert: block\.quant is a Quantize, so the model is converted already.*as it is",
    ),
    "calibrate a converted model": (
        lambda: Q.calibrate(converted(), [image()]),
        QrsError,
        r"calibrate: block\.quant is a Quantize, so the model is converted already",
    ),
    "convert without prepare": (
        lambda: Q.convert(sequential(nn.Linear(2, 2))),
        QrsError,
        r"no observer.*call prepare",
    ),
    "convert without calibration": (
        lambda: Q.convert(prepared()),
        NotCalibratedError,
        r"at block\.quant \(QuantStub\): .*no data was observed.*calibration data before convert",
    ),
    "a layer that calibration did not reach": (
        lambda: Q.convert(half_calibrated()),
        NotCalibratedError,
        r"^at block\.conv \(Conv2d\): .*not called during calibration.*call it in forward",
    ),
    "NaN in calibration data": (
        lambda: prepared()(image() * float("nan")),
        NonFiniteError,
        r"at block\.quant.*64 of 64 values are NaN or infinite",
    ),
    "prepare_qat in evaluation mode": (
        lambda: Q.prepare_qat(sequential(nn.Linear(2, 2))),
        ValueError,
        r"evaluation mode came.*model\.train\(\)",
    ),
    "training a converted model": (
        lambda: converted()(image()).sum().backward(),
        GradientError,
        r"does not require a gradient",
    ),
    # Fusion.
    "fuse types that do not fuse": (
        lambda: Q.fuse_modules(sequential(nn.Conv2d(2, 2, 1), nn.ReLU6()), ["0", "1"]),
        UnsupportedLayerError,
        r"\(Conv2d, ReLU6\) came, expected one of",
    ),
    "fuse modules with another between": (
        lambda: Q.fuse_modules(
            sequential(nn.Conv2d(2, 2, 1), nn.MaxPool2d(2), nn.ReLU()), ["0", "2"]
        ),
        ValueError,
        r"'0' and '2' do not follow each other \(1 is called between\)",
    ),
    "fuse in the wrong order": (
        lambda: Q.fuse_modules(sequential(nn.ReLU(), nn.Conv2d(2, 2, 1)), ["1", "0"]),
        ValueError,
        r"'1' and '0' do not follow each other",
    ),
    "fuse twice": (
        lambda: Q.fuse_modules(
            Q.fuse_modules(sequential(nn.Linear(2, 2), nn.ReLU()), ["0", "1"]), ["0", "1"]
        ),
        UnsupportedLayerError,
        r"\(LinearReLU, Identity\) came, so the group is fused already",
    ),
    "fuse with a normalization twice": (
        lambda: Q.fuse_modules(
            Q.fuse_modules(sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)), ["0", "1"]),
            ["0", "1"],
        ),
        UnsupportedLayerError,
        r"\(Conv2d, Identity\) came, so the group is fused already",
    ),
    "fuse a prepared model": (
        lambda: Q.fuse_modules(Q.prepare(sequential(nn.Linear(2, 2), nn.ReLU())), ["0", "1"]),
        QrsError,
        r"fuse_modules: 0 has an observer, so the model is prepared.*from the float model",
    ),
    "fuse a converted model": (
        lambda: Q.fuse_modules(converted(), ["block.conv", "block.plain"]),
        QrsError,
        r"fuse_modules: block\.conv is a QuantizedConv2d, so the model is converted already",
    ),
    # Loading and devices.
    "quantized values into a float model": (
        lambda: Net(sound).load_state_dict(converted().state_dict()),
        StateDictError,
        r"block\.conv\.weight: a QTensor came.*prepare and convert this one, or call quantize_dyn",
    ),
    "float values into a quantized model": (
        lambda: converted().load_state_dict(Net(sound).state_dict()),
        StateDictError,
        r"block\.conv\.weight: a float Tensor came.*load float values into the float model",
    ),
    "a model on a GPU": (lambda: converted().cuda(), ValueError, r"only 'cpu' exists"),
    "a device": (lambda: converted().to("cuda:0"), ValueError, r"only 'cpu' exists"),
    "a tensor on a GPU": (lambda: image().cuda(), ValueError, r"only 'cpu' exists"),
    "a quantized tensor on a GPU": (lambda: qimage().cuda(), ValueError, r"only 'cpu' exists"),
}
