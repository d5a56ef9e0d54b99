"""QConfig takes factories; the defaults are those of each profile."""

import copy

import pytest

import qrs
from qrs import quantization
from qrs.quantization import (
    HistogramObserver,
    MinMaxObserver,
    MSEObserver,
    PerChannelMinMaxObserver,
    QConfig,
    QConfigDynamic,
    default_weight_observer,
)


def test_an_instance_raises_and_names_the_class() -> None:
    with pytest.raises(ValueError, match=r"QConfig\.activation.*MinMaxObserver\.with_args"):
        QConfig(activation=MinMaxObserver(), weight=default_weight_observer)
    with pytest.raises(ValueError, match=r"QConfigDynamic\.weight"):
        QConfigDynamic(weight=MinMaxObserver())


def test_what_cannot_be_called_raises() -> None:
    with pytest.raises(TypeError, match="QConfig"):
        QConfig(activation=1, weight=2)


def test_is_frozen_and_true() -> None:
    qconfig = QConfig(activation=MinMaxObserver, weight=default_weight_observer)
    with pytest.raises(AttributeError):
        qconfig.weight = MinMaxObserver
    assert qconfig


def test_factories_build_new_observers() -> None:
    qconfig = quantization.default_qconfig
    assert qconfig.activation() is not qconfig.activation()


def test_with_args_repr_names_the_class() -> None:
    assert "MinMaxObserver" in repr(MinMaxObserver.with_args(reduce_range=True))


OBSERVERS = {
    "default_observer": (MinMaxObserver, qrs.quint8, qrs.per_tensor_affine, 0, 127),
    "default_histogram_observer": (HistogramObserver, qrs.quint8, qrs.per_tensor_affine, 0, 127),
    "default_weight_observer": (MinMaxObserver, qrs.qint8, qrs.per_tensor_symmetric, -128, 127),
    "default_per_channel_weight_observer": (
        PerChannelMinMaxObserver,
        qrs.qint8,
        qrs.per_channel_symmetric,
        -128,
        127,
    ),
    "default_float_qparams_observer": (
        PerChannelMinMaxObserver,
        qrs.quint8,
        qrs.per_channel_affine_float_qparams,
        0,
        255,
    ),
}


@pytest.mark.parametrize("name", OBSERVERS)
def test_default_observers(name: str) -> None:
    observer = getattr(quantization, name)()
    got = (type(observer), observer.dtype, observer.qscheme, observer.quant_min, observer.quant_max)
    assert got == OBSERVERS[name]


Q = quantization
# Activation and weight of each, as PyTorch 1.8.1 has them.
QCONFIGS = {
    "default_qconfig": (Q.default_observer, Q.default_weight_observer),
    "default_debug_qconfig": (Q.default_debug_observer, Q.default_weight_observer),
    "default_per_channel_qconfig": (Q.default_observer, Q.default_per_channel_weight_observer),
    "default_qat_qconfig": (Q.default_fake_quant, Q.default_weight_fake_quant),
    "default_weight_only_qconfig": (qrs.nn.Identity, Q.default_weight_fake_quant),
    "default_activation_only_qconfig": (Q.default_fake_quant, qrs.nn.Identity),
    "default_dynamic_qconfig": (Q.default_dynamic_quant_observer, Q.default_weight_observer),
    "per_channel_dynamic_qconfig": (
        Q.default_dynamic_quant_observer,
        Q.default_per_channel_weight_observer,
    ),
    "float_qparams_weight_only_qconfig": (
        Q.default_placeholder_observer,
        Q.default_float_qparams_observer,
    ),
}


@pytest.mark.parametrize("name", QCONFIGS)
def test_default_qconfigs(name: str) -> None:
    qconfig = getattr(quantization, name)
    assert (qconfig.activation, qconfig.weight) == QCONFIGS[name]
    is_dynamic = "dynamic" in name or name.startswith("float")
    assert isinstance(qconfig, QConfigDynamic) is is_dynamic


def test_placeholders_carry_their_types() -> None:
    assert quantization.default_placeholder_observer().dtype is qrs.float32
    dynamic = quantization.default_dynamic_quant_observer()
    assert (dynamic.dtype, dynamic.compute_dtype) == (qrs.float32, qrs.quint8)
    half = quantization.float16_dynamic_qconfig
    assert half.activation().dtype is half.weight().dtype is qrs.float16
    assert quantization.default_debug_observer is quantization.RecordingObserver
    assert quantization.default_float_qparams_observer().ch_axis == 0
    assert quantization.default_per_channel_weight_observer().ch_axis == 0


@pytest.mark.parametrize(
    ("backend", "activation", "weight"),
    [
        ("qrs", (0, 255), (-127, 127, qrs.per_channel_symmetric)),
        ("fbgemm", (0, 127), (-128, 127, qrs.per_channel_symmetric)),
        ("qnnpack", (0, 255), (-128, 127, qrs.per_tensor_symmetric)),
    ],
)
def test_defaults_of_each_profile(
    backend: str,
    activation: tuple[int, int],
    weight: tuple[int, int, qrs.qscheme],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", backend)
    qconfig = quantization.get_default_qconfig(backend)
    observer = qconfig.activation()
    assert type(observer) is (MSEObserver if backend == "qrs" else HistogramObserver)
    assert (observer.quant_min, observer.quant_max) == activation
    observer = qconfig.weight()
    assert (observer.quant_min, observer.quant_max, observer.qscheme) == weight

    qat = quantization.get_default_qat_qconfig(backend)
    inner = qat.activation().activation_post_process
    assert (inner.quant_min, inner.quant_max) == activation
    fake = qat.weight()
    assert (fake.quant_min, fake.quant_max, fake.qscheme) == weight
    inner = fake.activation_post_process
    assert (inner.quant_min, inner.quant_max) == weight[:2]


@pytest.mark.parametrize("engine", ["qrs", "fbgemm", "qnnpack"])
def test_default_backend_is_the_engine(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", engine)
    for get in (
        quantization.get_default_qconfig,
        quantization.get_default_qat_qconfig,
        quantization.get_default_dynamic_qconfig,
    ):
        assert get() is get(engine)


@pytest.mark.parametrize(
    "get",
    [
        quantization.get_default_qconfig,
        quantization.get_default_qat_qconfig,
        quantization.get_default_dynamic_qconfig,
    ],
)
def test_unknown_backend_raises_and_lists_the_names(get: object) -> None:
    with pytest.raises(ValueError, match=r"'x86' came.*'qrs', 'fbgemm', 'qnnpack'"):
        get("x86")


def test_dynamic_defaults_by_type_of_weight() -> None:
    get = quantization.get_default_dynamic_qconfig
    assert get("fbgemm") is quantization.default_dynamic_qconfig
    assert get("qrs").weight().qscheme is qrs.per_channel_symmetric
    assert get("qrs", qrs.float16) is quantization.float16_dynamic_qconfig
    assert get("qrs", qrs.quint8) is quantization.float_qparams_weight_only_qconfig
    with pytest.raises(ValueError, match="qint32"):
        get("qrs", qrs.qint32)


def test_a_qconfig_is_a_named_tuple() -> None:
    activation, weight = quantization.default_qconfig
    assert quantization.default_qconfig == (activation, weight)
    changed = quantization.default_qconfig._replace(
        weight=quantization.default_per_channel_weight_observer
    )
    assert type(changed) is quantization.QConfig
    assert changed.activation is activation
    assert type(copy.deepcopy(changed).weight()) is type(changed.weight())
    assert repr(changed).startswith("QConfig(activation=")
    assert (
        type(quantization.default_dynamic_qconfig._replace(weight=weight))
        is quantization.QConfigDynamic
    )
