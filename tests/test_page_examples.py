"""All code of PyTorch's quantization page runs, with one line changed: `import qrs as torch`."""

from types import SimpleNamespace

import pytest

import qrs
from qrs.errors import DtypeError

DYNAMIC = """
import qrs as torch
# define a floating point model
class M(torch.nn.Module):
    def __init__(self):
        super(M, self).__init__()
        self.fc = torch.nn.Linear(4, 4)
    def forward(self, x):
        x = self.fc(x)
        return x
# create a model instance
model_fp32 = M()
# create a quantized model instance
model_int8 = torch.quantization.quantize_dynamic(
    model_fp32,  # the original model
    {torch.nn.Linear},  # a set of layers to dynamically quantize
    dtype=torch.qint8)  # the target dtype for quantized weights
# run the model
input_fp32 = torch.randn(4, 4, 4, 4)
res = model_int8(input_fp32)
"""

STATIC = """
import qrs as torch
# define a floating point model where some layers could be statically quantized
class M(torch.nn.Module):
    def __init__(self):
        super(M, self).__init__()
        # QuantStub converts tensors from floating point to quantized
        self.quant = torch.quantization.QuantStub()
        self.conv = torch.nn.Conv2d(1, 1, 1)
        self.relu = torch.nn.ReLU()
        # DeQuantStub converts tensors from quantized to floating point
        self.dequant = torch.quantization.DeQuantStub()
    def forward(self, x):
        # manually specify where tensors will be converted from floating
        # point to quantized in the quantized model
        x = self.quant(x)
        x = self.conv(x)
        x = self.relu(x)
        # manually specify where tensors will be converted from quantized
        # to floating point in the quantized model
        x = self.dequant(x)
        return x
# create a model instance
model_fp32 = M()
# model must be set to eval mode for static quantization logic to work
model_fp32.eval()
# attach a global qconfig, which contains information about what kind
# of observers to attach. Use 'fbgemm' for server inference and
# 'qnnpack' for mobile inference. Other quantization configurations such
# as selecting symmetric or assymetric quantization and MinMax or L2Norm
# calibration techniques can be specified here.
model_fp32.qconfig = torch.quantization.get_default_qconfig('fbgemm')
# Fuse the activations to preceding layers, where applicable.
# This needs to be done manually depending on the model architecture.
# Common fusions include `conv + relu` and `conv + batchnorm + relu`
model_fp32_fused = torch.quantization.fuse_modules(model_fp32, [['conv', 'relu']])
# Prepare the model for static quantization. This inserts observers in
# the model that will observe activation tensors during calibration.
model_fp32_prepared = torch.quantization.prepare(model_fp32_fused)
# calibrate the prepared model to determine quantization parameters for activations
# in a real world setting, the calibration would be done with a representative dataset
input_fp32 = torch.randn(4, 1, 4, 4)
model_fp32_prepared(input_fp32)
# Convert the observed model to a quantized model. This does several things:
# quantizes the weights, computes and stores the scale and bias value to be
# used with each activation tensor, and replaces key operators with quantized
# implementations.
model_int8 = torch.quantization.convert(model_fp32_prepared)
# run the model, relevant calculations will happen in int8
res = model_int8(input_fp32)
"""

# The two common errors at the end of the page. What comes before the class is ours.
FLOAT_INTO_QUANTIZED = """
import qrs as torch
class M(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = torch.quantization.QuantStub()
        self.conv = torch.nn.Conv2d(1, 1, 1)
    def forward(self, x):
        # during the convert step, this will be replaced with a
        # `quantize_per_tensor` call
        x = self.quant(x)
        x = self.conv(x)
        return x
"""

QUANTIZED_INTO_FLOAT = """
import qrs as torch
class M(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = torch.quantization.QuantStub()
        self.conv1 = torch.nn.Conv2d(1, 1, 1)
        # this module will not be quantized (see `qconfig = None` logic below)
        self.conv2 = torch.nn.Conv2d(1, 1, 1)
        self.dequant = torch.quantization.DeQuantStub()
    def forward(self, x):
        # during the convert step, this will be replaced with a
        # `quantize_per_tensor` call
        x = self.quant(x)
        x = self.conv1(x)
        # during the convert step, this will be replaced with a
        # `dequantize` call
        x = self.dequant(x)
        x = self.conv2(x)
        return x
m = M()
m.qconfig = some_qconfig
# turn off quantization for conv2
m.conv2.qconfig = None
"""

# Single lines in the text of the page.
BACKEND = """
import qrs as torch
qconfig = torch.quantization.get_default_qconfig('qnnpack')
torch.backends.quantized.engine = 'qnnpack'
"""
BACKEND_QAT = """
import qrs as torch
qconfig = torch.quantization.get_default_qat_qconfig('qnnpack')
"""
SELECTIVE = """
model.conv1.qconfig = None
model.linear1.qconfig = custom_qconfig
"""

# The page leaves `training_loop` and, here, `input_fp32` to the reader.
QAT = """
import qrs as torch
# define a floating point model where some layers could benefit from QAT
class M(torch.nn.Module):
    def __init__(self):
        super(M, self).__init__()
        # QuantStub converts tensors from floating point to quantized
        self.quant = torch.quantization.QuantStub()
        self.conv = torch.nn.Conv2d(1, 1, 1)
        self.bn = torch.nn.BatchNorm2d(1)
        self.relu = torch.nn.ReLU()
        # DeQuantStub converts tensors from quantized to floating point
        self.dequant = torch.quantization.DeQuantStub()
    def forward(self, x):
        x = self.quant(x)
        x = self.conv(x)
        x = self.bn(x)
        x = self.relu(x)
        x = self.dequant(x)
        return x
# create a model instance
model_fp32 = M()
# model must be set to train mode for QAT logic to work
model_fp32.train()
# attach a global qconfig, which contains information about what kind
# of observers to attach. Use 'fbgemm' for server inference and
# 'qnnpack' for mobile inference. Other quantization configurations such
# as selecting symmetric or assymetric quantization and MinMax or L2Norm
# calibration techniques can be specified here.
model_fp32.qconfig = torch.quantization.get_default_qat_qconfig('fbgemm')
# fuse the activations to preceding layers, where applicable
# this needs to be done manually depending on the model architecture
model_fp32_fused = torch.quantization.fuse_modules(model_fp32,
    [['conv', 'bn', 'relu']])
# Prepare the model for QAT. This inserts observers and fake_quants in
# the model that will observe weight and activation tensors during calibration.
model_fp32_prepared = torch.quantization.prepare_qat(model_fp32_fused)
# run the training loop (not shown)
training_loop(model_fp32_prepared)
# Convert the observed model to a quantized model. This does several things:
# quantizes the weights, computes and stores the scale and bias value to be
# used with each activation tensor, fuses modules where appropriate,
# and replaces key operators with quantized implementations.
model_fp32_prepared.eval()
model_int8 = torch.quantization.convert(model_fp32_prepared)
# run the model, relevant calculations will happen in int8
res = model_int8(input_fp32)
"""


def run(text: str, **given: object) -> SimpleNamespace:
    names: dict[str, object] = {"__name__": "page", **given}
    exec(compile(text, "page", "exec"), names)
    return SimpleNamespace(**names)


def test_dynamic_quantization() -> None:
    names = run(DYNAMIC)
    assert repr(names.model_int8.fc).startswith("DynamicQuantizedLinear(")
    difference = (names.res - names.model_fp32(names.input_fp32)).abs().max().item()
    assert names.res.shape == (4, 4, 4, 4)
    assert difference < 0.05


def test_quantization_aware_training() -> None:
    qrs.manual_seed(0)
    images = qrs.randn(64, 1, 4, 4)
    losses = []

    def training_loop(model: qrs.nn.Module) -> None:
        """Learn the positive part of 3 x - 1."""
        wanted = (3 * images - 1).relu()
        with qrs.no_grad():
            model.conv.weight.fill_(1.0)
        optimizer = qrs.optim.SGD(model.parameters(), lr=0.2)
        for _ in range(80):
            optimizer.zero_grad()
            loss = qrs.nn.functional.mse_loss(model(images), wanted)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.apply(qrs.quantization.disable_observer)

    names = run(QAT, training_loop=training_loop, input_fp32=images)
    assert repr(names.model_int8.conv).startswith("QuantizedConvReLU2d(")
    assert losses[-1] < 0.1 * losses[0]
    step = names.model_int8.conv.scale
    simulated = names.model_fp32_prepared(images)
    assert (names.res - simulated).abs().max().item() <= 1.01 * step
    assert names.res.min().item() == 0.0


def test_static_quantization() -> None:
    names = run(STATIC)
    assert repr(names.model_int8.conv).startswith("QuantizedConvReLU2d(1, 1, kernel_size=(1, 1)")
    difference = (names.res - names.model_fp32(names.input_fp32)).abs().max().item()
    assert names.res.shape == (4, 1, 4, 4)
    assert difference < 0.05


def quantized(model: qrs.nn.Module, x: qrs.Tensor) -> qrs.nn.Module:
    prepared = qrs.quantization.prepare(model.eval())
    with qrs.no_grad():
        prepared(x)
    return qrs.quantization.convert(prepared)


def test_a_float_tensor_into_a_quantized_kernel() -> None:
    x = qrs.randn(4, 1, 4, 4)
    model = run(FLOAT_INTO_QUANTIZED).M()
    model.qconfig = qrs.quantization.default_qconfig
    converted = quantized(model, x)
    y = converted(x)
    assert y.dtype is qrs.quint8
    assert (y.dequantize() - model(x)).abs().max().item() < 0.05
    # The mistake that the page describes: no stub is called.
    with pytest.raises(
        DtypeError, match=r"^at conv \(Conv2d\): .*a float tensor .*insert a QuantStub before"
    ):
        without(FLOAT_INTO_QUANTIZED, "quant", converted)(x)


def test_a_quantized_tensor_into_a_float_kernel() -> None:
    x = qrs.randn(4, 1, 4, 4)
    model = run(QUANTIZED_INTO_FLOAT, some_qconfig=qrs.quantization.default_qconfig).m
    converted = quantized(model, x)
    assert type(converted.conv2) is qrs.nn.Conv2d
    assert (converted(x) - model(x)).abs().max().item() < 0.05
    with pytest.raises(
        DtypeError,
        match=r"^at conv2 \(Conv2d\): .*a quantized tensor, .*insert a DeQuantStub before",
    ):
        without(QUANTIZED_INTO_FLOAT, "dequant", converted)(x)


def without(text: str, stub: str, model: qrs.nn.Module) -> qrs.nn.Module:
    """The same modules in the page's class with the call of a stub left out."""
    line = f"x = self.{stub}(x)"
    assert line in text
    names = run(text.replace(line, "pass"), some_qconfig=None)
    forgetful = names.M()
    for name, child in model.named_children():
        forgetful._modules[name] = child
    return forgetful


def test_the_backend_is_chosen_as_the_page_says() -> None:
    before = qrs.backends.quantized.engine
    try:
        names = run(BACKEND)
        model = run(FLOAT_INTO_QUANTIZED).M()
        model.qconfig = names.qconfig
        converted = quantized(model, qrs.randn(4, 1, 4, 4))
    finally:
        qrs.backends.quantized.engine = before
    assert converted.conv.engine == "qnnpack"
    assert not converted.conv.weight().qscheme().is_per_channel
    assert converted(qrs.randn(2, 1, 3, 3)).dtype is qrs.quint8
    assert type(run(BACKEND_QAT).qconfig.activation()) is qrs.quantization.FakeQuantize


def test_parts_of_a_model_are_configured_as_the_page_says() -> None:
    class Net(qrs.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant = qrs.quantization.QuantStub()
            self.dequant = qrs.quantization.DeQuantStub()
            self.conv1 = qrs.nn.Conv2d(1, 2, 1)
            self.linear1 = qrs.nn.Linear(2, 2)

        def forward(self, x: qrs.Tensor) -> qrs.Tensor:
            return self.dequant(self.linear1(self.quant(self.conv1(x).mean((2, 3)))))

    model = Net()
    model.qconfig = qrs.quantization.default_qconfig
    run(SELECTIVE, model=model, custom_qconfig=qrs.quantization.default_per_channel_qconfig)
    converted = quantized(model, qrs.randn(4, 1, 4, 4))
    assert type(converted.conv1) is qrs.nn.Conv2d
    assert converted.linear1.weight().qscheme().is_per_channel


def test_add_and_cat_are_modules() -> None:
    class Net(qrs.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant = qrs.quantization.QuantStub()
            self.dequant = qrs.quantization.DeQuantStub()
            self.add = qrs.nn.quantized.FloatFunctional()
            self.cat = qrs.nn.quantized.FloatFunctional()

        def forward(self, x: qrs.Tensor) -> qrs.Tensor:
            x = self.quant(x)
            return self.dequant(self.cat.cat([x, self.add.add(x, x)], dim=1))

    model = Net()
    model.qconfig = qrs.quantization.default_qconfig
    x = qrs.randn(4, 3)
    converted = quantized(model, x)
    assert type(converted.add) is qrs.nn.quantized.QFunctional
    assert (converted(x) - model(x)).abs().max().item() < 0.1
