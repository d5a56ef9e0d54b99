"""`QConfig`: which observers watch the activations and the weight of a module, and the defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

from qrs.backends import check_engine, quantized
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import float16, float32, qint8, quint8
from qrs.nn.layers.container import Identity
from qrs.nn.module import Module
from qrs.quantization.fake_quantize import FakeQuantize
from qrs.quantization.fake_quantize_defaults import (
    default_embedding_fake_quant,
    default_fake_quant,
    default_per_channel_weight_fake_quant,
    default_weight_fake_quant,
    per_channel_weight_fake_quant_range_neg_127_to_127,
)
from qrs.quantization.observer import (
    HistogramObserver,
    MovingAverageMinMaxObserver,
    MSEObserver,
    NoopObserver,
    PlaceholderObserver,
    default_debug_observer,
    default_dynamic_quant_observer,
    default_float_qparams_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_placeholder_observer,
    default_weight_observer,
    per_channel_weight_observer_range_neg_127_to_127,
)

__all__ = [
    "QConfig",
    "QConfigDynamic",
    "assert_valid_qconfig",
    "default_activation_only_qconfig",
    "default_debug_qconfig",
    "default_dynamic_qconfig",
    "default_embedding_qat_qconfig",
    "default_per_channel_qconfig",
    "default_qat_qconfig",
    "default_qconfig",
    "default_weight_only_qconfig",
    "float16_dynamic_qconfig",
    "float_qparams_weight_only_qconfig",
    "get_default_dynamic_qconfig",
    "get_default_qat_dynamic_qconfig",
    "get_default_qat_qconfig",
    "get_default_qconfig",
    "per_channel_dynamic_qconfig",
]

Factory = Callable[[], Any]


def _check_factory(where: str, value: object) -> None:
    if isinstance(value, Module):
        name = type(value).__name__
        raise ValueError(
            f"{where}: an instance of {name} came, expected a class or factory, as every module "
            f"gets an observer of its own; pass {name} or {name}.with_args(...)"
        )
    if not callable(value):
        raise TypeError(
            f"{where}: {value!r} came, expected a class or factory such as MinMaxObserver or "
            "MinMaxObserver.with_args(...)"
        )


class _Factories(NamedTuple):
    activation: Factory
    weight: Factory


class QConfig(_Factories):
    """Two factories of observers (or fake quantizers), a named tuple.

    Parameters
    ----------
    activation : callable
        Called without arguments, builds what watches the output of a module.
    weight : callable
        The same for its weight.

    Raises
    ------
    ValueError
        If an instance comes in place of a factory.
    TypeError
        If something that cannot be called comes.

    Examples
    --------
    >>> from qrs.quantization import MinMaxObserver, QConfig, default_weight_observer
    >>> qconfig = QConfig(activation=MinMaxObserver, weight=default_weight_observer)
    >>> qconfig.activation()
    MinMaxObserver(min_val=inf, max_val=-inf)
    """

    __slots__ = ()

    def __new__(cls, activation: Factory, weight: Factory) -> Self:
        """Check both and make the pair."""
        _check_factory(f"{cls.__name__}.activation", activation)
        _check_factory(f"{cls.__name__}.weight", weight)
        return super().__new__(cls, activation, weight)


class QConfigDynamic(QConfig):
    """A `QConfig` of layers that quantize their input at each call.

    Parameters
    ----------
    activation, weight : callable
        As in `QConfig`; both have a default that does nothing.

    Examples
    --------
    >>> from qrs.quantization import QConfigDynamic, default_weight_observer
    >>> QConfigDynamic(weight=default_weight_observer).weight().dtype
    qrs.qint8
    """

    __slots__ = ()

    def __new__(cls, activation: Factory = Identity, weight: Factory = Identity) -> Self:
        """Check both and make the pair."""
        return super().__new__(cls, activation, weight)


def assert_valid_qconfig(qconfig: Any, mod: Module, name: str = "") -> None:
    """Raise if something that is no qconfig was set as one.

    Parameters
    ----------
    qconfig : object
        None is valid: it leaves a module in float.
    mod : Module
        What it was set on.
    name : str
        The dotted name of the module.

    Raises
    ------
    TypeError
        If it lacks ``activation`` or ``weight``.

    Examples
    --------
    >>> import qrs
    >>> Q = qrs.quantization
    >>> Q.assert_valid_qconfig(Q.default_qconfig, qrs.nn.Linear(2, 2))
    """
    if qconfig is None:
        return
    missing = [part for part in ("activation", "weight") if not hasattr(qconfig, part)]
    if missing:
        raise TypeError(
            f"qconfig of {name or f'the {type(mod).__name__}'}: a {type(qconfig).__name__} without "
            f"{' and '.join(missing)} came, expected a QConfig, such as get_default_qconfig()"
        )


default_qconfig = QConfig(activation=default_observer, weight=default_weight_observer)
default_debug_qconfig = QConfig(activation=default_debug_observer, weight=default_weight_observer)
default_per_channel_qconfig = QConfig(
    activation=default_observer, weight=default_per_channel_weight_observer
)
default_qat_qconfig = QConfig(activation=default_fake_quant, weight=default_weight_fake_quant)
default_weight_only_qconfig = QConfig(activation=Identity, weight=default_weight_fake_quant)
default_activation_only_qconfig = QConfig(activation=default_fake_quant, weight=Identity)

default_dynamic_qconfig = QConfigDynamic(
    activation=default_dynamic_quant_observer, weight=default_weight_observer
)
per_channel_dynamic_qconfig = QConfigDynamic(
    activation=default_dynamic_quant_observer, weight=default_per_channel_weight_observer
)
float16_dynamic_qconfig = QConfigDynamic(
    activation=PlaceholderObserver.with_args(dtype=float16),
    weight=PlaceholderObserver.with_args(dtype=float16),
)
float_qparams_weight_only_qconfig = QConfigDynamic(
    activation=default_placeholder_observer, weight=default_float_qparams_observer
)
default_embedding_qat_qconfig = QConfig(
    activation=NoopObserver.with_args(dtype=float32), weight=default_embedding_fake_quant
)


def _fake_quant(reduce_range: bool) -> Factory:
    return FakeQuantize.with_args(
        observer=MovingAverageMinMaxObserver,
        quant_min=0,
        quant_max=255,
        reduce_range=reduce_range,
    )


_default_qat_dynamic = QConfigDynamic(
    activation=default_dynamic_quant_observer, weight=default_weight_fake_quant
)


class Defaults(NamedTuple):
    """The qconfigs of a profile."""

    static: QConfig
    qat: QConfig
    dynamic: QConfigDynamic
    qat_dynamic: QConfigDynamic


_DEFAULTS = {
    "qrs": Defaults(
        static=QConfig(
            activation=MSEObserver,
            weight=per_channel_weight_observer_range_neg_127_to_127,
        ),
        qat=QConfig(
            activation=_fake_quant(reduce_range=False),
            weight=per_channel_weight_fake_quant_range_neg_127_to_127,
        ),
        dynamic=QConfigDynamic(
            activation=default_dynamic_quant_observer,
            weight=per_channel_weight_observer_range_neg_127_to_127,
        ),
        qat_dynamic=QConfigDynamic(
            activation=default_dynamic_quant_observer,
            weight=per_channel_weight_fake_quant_range_neg_127_to_127,
        ),
    ),
    "fbgemm": Defaults(
        static=QConfig(
            activation=HistogramObserver.with_args(reduce_range=True),
            weight=default_per_channel_weight_observer,
        ),
        qat=QConfig(
            activation=_fake_quant(reduce_range=True),
            weight=default_per_channel_weight_fake_quant,
        ),
        dynamic=default_dynamic_qconfig,
        qat_dynamic=_default_qat_dynamic,
    ),
    "qnnpack": Defaults(
        static=QConfig(
            activation=HistogramObserver.with_args(reduce_range=False),
            weight=default_weight_observer,
        ),
        qat=QConfig(activation=_fake_quant(reduce_range=False), weight=default_weight_fake_quant),
        dynamic=default_dynamic_qconfig,
        qat_dynamic=_default_qat_dynamic,
    ),
}


def _row(backend: str | None, where: str) -> Defaults:
    return _DEFAULTS[quantized.engine if backend is None else check_engine(backend, where)]


def get_default_qconfig(backend: str | None = None) -> QConfig:
    """The qconfig for static quantization under a profile.

    That of "qrs" takes `MSEObserver` for activations: its ranges do not depend on the order of the
    data or on how it is cut into batches. The others take `HistogramObserver`, as PyTorch does.

    Parameters
    ----------
    backend : {"qrs", "fbgemm", "qnnpack"}, optional
        Default: `qrs.backends.quantized.engine`.

    Raises
    ------
    ValueError
        For any other name.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.get_default_qconfig("fbgemm").activation().reduce_range
    True
    """
    return _row(backend, "get_default_qconfig").static


def get_default_qat_qconfig(backend: str | None = None) -> QConfig:
    """The qconfig for quantization-aware training under a profile.

    Parameters
    ----------
    backend : {"qrs", "fbgemm", "qnnpack"}, optional
        Default: `qrs.backends.quantized.engine`.

    Raises
    ------
    ValueError
        For any other name.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.get_default_qat_qconfig("qnnpack").weight().qscheme
    qrs.per_tensor_symmetric
    """
    return _row(backend, "get_default_qat_qconfig").qat


def get_default_qat_dynamic_qconfig(backend: str | None = None) -> QConfigDynamic:
    """The qconfig for training for dynamic quantization under a profile.

    Parameters
    ----------
    backend : {"qrs", "fbgemm", "qnnpack"}, optional
        Default: `qrs.backends.quantized.engine`.

    Raises
    ------
    ValueError
        For any other name.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.get_default_qat_dynamic_qconfig("qrs").weight().quant_max
    127
    """
    return _row(backend, "get_default_qat_dynamic_qconfig").qat_dynamic


def get_default_dynamic_qconfig(backend: str | None = None, dtype: Dtype = qint8) -> QConfigDynamic:
    """The qconfig for dynamic quantization under a profile.

    Parameters
    ----------
    backend : {"qrs", "fbgemm", "qnnpack"}, optional
        Default: `qrs.backends.quantized.engine`.
    dtype : dtype
        Type of the weights: ``qint8``, ``float16``, or ``quint8`` for embedding bags.

    Raises
    ------
    ValueError
        For any other name or type.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.get_default_dynamic_qconfig("qrs").weight().qscheme
    qrs.per_channel_symmetric
    """
    row = _row(backend, "get_default_dynamic_qconfig")
    by_dtype = {
        qint8: row.dynamic,
        float16: float16_dynamic_qconfig,
        quint8: float_qparams_weight_only_qconfig,
    }
    if dtype not in by_dtype:
        names = ", ".join(map(repr, by_dtype))
        raise ValueError(
            f"get_default_dynamic_qconfig: dtype {dtype!r} came, expected one of {names}"
        )
    return by_dtype[dtype]
