"""Observers: modules that watch tensors and answer with a scale and a zero point."""

from qrs.quantization.observer.base import (
    Batch,
    ObserverBase,
    ObserverFactory,
    UniformQuantizationObserverBase,
)
from qrs.quantization.observer.defaults import (
    default_debug_observer,
    default_dynamic_quant_observer,
    default_float_qparams_observer,
    default_histogram_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_placeholder_observer,
    default_weight_observer,
    per_channel_weight_observer_range_neg_127_to_127,
)
from qrs.quantization.observer.exact import ExactHistogramObserver
from qrs.quantization.observer.histogram import HistogramObserver
from qrs.quantization.observer.minmax import (
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
)
from qrs.quantization.observer.recording import (
    NoopObserver,
    PlaceholderObserver,
    RecordingObserver,
)
from qrs.quantization.observer.search import (
    EntropyObserver,
    MSEObserver,
    PercentileObserver,
)

__all__ = [
    "Batch",
    "EntropyObserver",
    "ExactHistogramObserver",
    "HistogramObserver",
    "MSEObserver",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "NoopObserver",
    "ObserverBase",
    "ObserverFactory",
    "PerChannelMinMaxObserver",
    "PercentileObserver",
    "PlaceholderObserver",
    "RecordingObserver",
    "UniformQuantizationObserverBase",
    "default_debug_observer",
    "default_dynamic_quant_observer",
    "default_float_qparams_observer",
    "default_histogram_observer",
    "default_observer",
    "default_per_channel_weight_observer",
    "default_placeholder_observer",
    "default_weight_observer",
    "per_channel_weight_observer_range_neg_127_to_127",
]
