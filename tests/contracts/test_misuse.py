"""What users do by mistake: each gets a sentence that names the module, what came and what to do.

The rows are the usual questions of PyTorch's users. Where PyTorch's message is cryptic, or there is
none and the result is wrong, this is what happens here instead.
"""

import copy
import warnings
from collections.abc import Callable

import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, UnquantizedLayerWarning
from qrs.nn import quantized as nnq
from tests.contracts.mistakes import (
    ERRORS,
    FORWARD,
    Sub,
    converted,
    forward_of,
    image,
    prepared,
    qimage,
    sequential,
)


@pytest.mark.parametrize("mistake", FORWARD)
def test_forward_of_a_converted_model(mistake: str) -> None:
    forward, message = FORWARD[mistake]
    with pytest.raises(DtypeError, match=message):
        forward_of(forward)()


def test_a_forgotten_stub_at_the_end_shows_in_the_output() -> None:
    y = forward_of(lambda block, x: block.conv(block.quant(x)))()
    assert y.dtype is qrs.quint8


@pytest.mark.parametrize("mistake", ERRORS)
def test_error(mistake: str) -> None:
    action, kind, message = ERRORS[mistake]
    with pytest.raises(kind, match=f"(?s){message}"):
        action()


def test_an_error_names_the_same_module_in_any_other_profile() -> None:
    before = qrs.backends.quantized.engine
    for engine in qrs.backends.quantized.supported_engines:
        try:
            qrs.backends.quantized.engine = engine
            model = converted(lambda block, x: block.conv(x))
        finally:
            qrs.backends.quantized.engine = before
        with pytest.raises(DtypeError, match=r"at block\.conv"):
            model(image())


def test_a_changed_engine_is_reported() -> None:
    model = prepared()
    model(image())
    before = qrs.backends.quantized.engine
    try:
        qrs.backends.quantized.engine = "qnnpack"
        with pytest.warns(UserWarning, match="prepared under engine 'qrs' .* under 'qnnpack'"):
            Q.convert(model)
    finally:
        qrs.backends.quantized.engine = before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Q.convert(model)


@pytest.mark.parametrize(
    "layer", [lambda: Sub(4, 4), lambda: nn.GRU(4, 4)], ids=["derived type", "no static form"]
)
def test_what_stays_float_is_reported(layer: Callable[[], nn.Module]) -> None:
    model = Q.prepare(sequential(Q.QuantStub(), layer()))
    model(qrs.randn(3, 2, 4))
    with pytest.warns(UnquantizedLayerWarning, match=r"left in float: 1 \((Sub|GRU)\)"):
        small = Q.convert(model)
    with pytest.raises(DtypeError, match=r"at 1 \(.*DeQuantStub"):
        small(qrs.randn(3, 2, 4))


def test_what_pytorch_breaks_works() -> None:
    x = image()
    layer = nn.ConvTranspose2d(2, 2, 2)
    shared = nn.Conv2d(2, 2, 1)
    fused = Q.fuse_modules(nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)), ["0", "1"])
    model = sequential(
        Q.QuantStub(), layer, shared, fused, shared, Q.DeQuantStub(), qconfig=None
    ).eval()
    model.qconfig = Q.get_default_qconfig("fbgemm")
    ready = Q.prepare(model)
    ready(x)
    small = Q.convert(ready)
    # A transposed convolution with scales per channel, a layer at two places, and a normalisation
    # that was fused in training mode.
    assert small[1].weight().qscheme().is_per_channel
    assert small[2] is small[4]
    assert type(small[3][0]) is nnq.Conv2d
    assert (small(x) - model(x)).norm().item() < 0.1 * model(x).norm().item()
    assert copy.deepcopy(small)(x).tolist() == small(x).tolist()
    # One that is left in float needs no qconfig.
    model[1].qconfig = None
    assert not hasattr(Q.prepare(model)[1], "activation_post_process")


class Sequential:
    """A model of another library, which has classes of the same names."""


@pytest.mark.parametrize(
    "step",
    [
        Q.prepare,
        Q.prepare_qat,
        Q.convert,
        Q.quantize_dynamic,
        Q.propagate_qconfig_,
        lambda model: Q.fuse_modules(model, ["0", "1"]),
        lambda model: Q.find_modules_to_fuse(model, image()),
        lambda model: Q.calibrate(model, [image()]),
    ],
)
def test_a_model_of_another_library_is_refused(step: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match=r"a tests\.Sequential came, expected a Module of qrs\.nn"):
        step(Sequential())
    with pytest.raises(TypeError, match=r"class Linear \(not an instance: add parentheses\)"):
        step(nn.Linear)


class ForeignTensor:
    """A tensor of another library, with methods of the same names."""

    is_quantized = False
    dtype, shape = "float32", (2, 4)

    def dim(self) -> int:
        return 2


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.Linear(4, 4),
        lambda: nn.Conv2d(2, 2, 1),
        lambda: nn.LSTM(4, 4),
        lambda: nn.Embedding(4, 4),
        lambda: Q.quantize_dynamic(nn.Linear(4, 4)),
        lambda: Q.quantize_dynamic(nn.LSTM(4, 4)),
        lambda: nnq.Quantize(0.1, 0, qrs.quint8),
        lambda: nnq.Linear(4, 4),
        Q.MinMaxObserver,
    ],
)
def test_a_tensor_of_another_library_is_named_as_such(layer: Callable[[], nn.Module]) -> None:
    with pytest.raises(DtypeError, match=r"a tests\.ForeignTensor(,| came,) expected "):
        layer()(ForeignTensor())


def test_addition_broadcasts() -> None:
    y = nnq.QFunctional().add(qimage(), qimage()[:, :1])
    assert tuple(y.shape) == (2, 2, 4, 4)


def test_scripts_that_ask_for_a_gpu_run() -> None:
    device = qrs.device("cuda" if qrs.cuda.is_available() else "cpu")
    assert qrs.cuda.device_count() == 0
    assert nn.Linear(2, 2).to(device)(qrs.ones(1, 2).to(device)).device == device


def test_float_conversions_leave_integer_layers_exact() -> None:
    x = image()
    layers = (Q.QuantStub(), nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.GroupNorm(1, 2))
    model = sequential(*layers, nn.ELU(), Q.DeQuantStub())
    ready = Q.prepare(model)
    ready(x)
    small = Q.convert(ready)
    before = small(x).tolist()
    for convert in (small.half, small.double, small.float):
        convert()
        assert small(x).tolist() == before


def with_normalization(*more: nn.Module) -> nn.Module:
    return sequential(Q.QuantStub(), nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), *more, Q.DeQuantStub())


def test_calibration_in_training_mode_is_reported() -> None:
    model = with_normalization(nn.Dropout(), nn.Hardsigmoid()).train()
    with pytest.warns(UserWarning, match=r"prepare: 2 \(BatchNorm2d\), 3 \(Dropout\) .*eval\(\)"):
        Q.prepare(model)
    many = nn.Sequential(*(nn.BatchNorm2d(2) for _ in range(5)))
    many.qconfig = Q.default_qconfig
    with pytest.warns(UserWarning, match=r"2 \(BatchNorm2d\) and 2 more came"):
        Q.prepare(many)


@pytest.mark.parametrize("qconfig", [Q.default_qconfig, Q.default_qat_qconfig])
def test_training_mode_is_not_reported_where_it_changes_nothing(qconfig: Q.QConfig) -> None:
    """Not without normalization, nor in a model of fake quantizers, which is to be trained."""
    is_trained = qconfig is Q.default_qat_qconfig
    model = with_normalization() if is_trained else sequential(nn.Conv2d(2, 2, 1))
    model.train().qconfig = qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Q.prepare(model)
