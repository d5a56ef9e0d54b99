"""The named default observers, each a factory (`observer()` builds a new one)."""

from __future__ import annotations

from qrs.dtypes import (
    float32,
    per_channel_affine_float_qparams,
    per_channel_symmetric,
    per_tensor_symmetric,
    qint8,
    quint8,
)
from qrs.quantization.observer.histogram import HistogramObserver
from qrs.quantization.observer.minmax import MinMaxObserver, PerChannelMinMaxObserver
from qrs.quantization.observer.recording import PlaceholderObserver, RecordingObserver

__all__ = [
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

# Activations, 0..127.
default_observer = MinMaxObserver.with_args(reduce_range=True)
default_histogram_observer = HistogramObserver.with_args(reduce_range=True)

# Weights, -128..127.
default_weight_observer = MinMaxObserver.with_args(dtype=qint8, qscheme=per_tensor_symmetric)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args(
    dtype=qint8, qscheme=per_channel_symmetric
)

# Weights of profile "qrs": -127..127, so that the range is symmetric and scale = max|w| / 127.
per_channel_weight_observer_range_neg_127_to_127 = PerChannelMinMaxObserver.with_args(
    dtype=qint8, qscheme=per_channel_symmetric, quant_min=-127, quant_max=127
)

default_placeholder_observer = PlaceholderObserver
default_debug_observer = RecordingObserver
default_dynamic_quant_observer = PlaceholderObserver.with_args(dtype=float32, compute_dtype=quint8)

# Rows of embedding tables.
default_float_qparams_observer = PerChannelMinMaxObserver.with_args(
    dtype=quint8, qscheme=per_channel_affine_float_qparams, ch_axis=0
)
