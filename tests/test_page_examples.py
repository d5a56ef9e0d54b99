"""The examples of PyTorch's quantization page run with one line changed: `import qrs as torch`."""

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

# The model of the two common errors at the end of the page, conv2 left in float.
ERRORS = """
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
        if WITH_STUB:
            x = self.quant(x)
        x = self.conv1(x)
        x = self.conv2(x)
        return x
m = M().eval()
m.qconfig = torch.quantization.default_qconfig
# turn off quantization for conv2
m.conv2.qconfig = None
prepared = torch.quantization.prepare(m)
x = torch.randn(4, 1, 4, 4)
prepared.conv1(prepared.quant(x))
converted = torch.quantization.convert(prepared)
converted(x)
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


def test_a_float_tensor_in_a_quantized_layer_is_explained() -> None:
    with pytest.raises(DtypeError, match=r"at conv1 \(Conv2d\): .*insert a QuantStub before"):
        run(ERRORS, WITH_STUB=False)


def test_a_quantized_tensor_in_a_float_layer_is_explained() -> None:
    with pytest.raises(DtypeError, match=r"at conv2 \(Conv2d\): .*insert a DeQuantStub before"):
        run(ERRORS, WITH_STUB=True)
