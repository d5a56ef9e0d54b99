"""The fake quantizers that the default qconfigs name."""

from __future__ import annotations

from qrs.dtypes import (
    per_channel_affine_float_qparams,
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
    qint8,
    quint8,
)
from qrs.quantization.fake_quantize import FakeQuantize, FixedQParamsFakeQuantize
from qrs.quantization.observer import (
    HistogramObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    ObserverFactory,
)

__all__ = [
    "default_affine_fixed_qparams_fake_quant",
    "default_embedding_fake_quant",
    "default_fake_quant",
    "default_histogram_fake_quant",
    "default_per_channel_weight_fake_quant",
    "default_symmetric_fixed_qparams_fake_quant",
    "default_weight_fake_quant",
    "per_channel_weight_fake_quant",
    "per_channel_weight_fake_quant_range_neg_127_to_127",
]


def per_channel_weight_fake_quant(bits: int = 8) -> ObserverFactory:
    """A factory for weights of few bits: symmetric, one scale for each output channel.

    The range is that of the present weight at every step, so that nothing is ever clamped.

    Parameters
    ----------
    bits : int
        2 to 8: the integers are -(2^(bits - 1) - 1) to 2^(bits - 1) - 1, stored in qint8.

    Returns
    -------
    ObserverFactory
        For `QConfig`'s ``weight``.

    Raises
    ------
    ValueError
        For another number of bits.

    Examples
    --------
    >>> import qrs
    >>> fq = qrs.quantization.per_channel_weight_fake_quant(bits=4)()
    >>> fq(qrs.tensor([[0.3, -0.7], [7.0, 2.4]]))
    tensor([[ 0.3000, -0.7000],
            [ 7.0000,  2.0000]])
    """
    if bits not in range(2, 9):
        raise ValueError(f"per_channel_weight_fake_quant: bits={bits} came, expected 2 to 8")
    most = 2 ** (bits - 1) - 1
    return FakeQuantize.with_args(
        observer=MovingAveragePerChannelMinMaxObserver.with_args(
            averaging_constant=1.0, quant_min=-most, quant_max=most
        ),
        quant_min=-most,
        quant_max=most,
        dtype=qint8,
        qscheme=per_channel_symmetric,
        ch_axis=0,
    )


# Weights of profile "qrs".
per_channel_weight_fake_quant_range_neg_127_to_127 = per_channel_weight_fake_quant(8)
default_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver,
    quant_min=0,
    quant_max=255,
    dtype=quint8,
    qscheme=per_tensor_affine,
    reduce_range=True,
)
default_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver,
    quant_min=-128,
    quant_max=127,
    dtype=qint8,
    qscheme=per_tensor_symmetric,
    reduce_range=False,
)
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver,
    quant_min=-128,
    quant_max=127,
    dtype=qint8,
    qscheme=per_channel_symmetric,
    reduce_range=False,
    ch_axis=0,
)
default_histogram_fake_quant = FakeQuantize.with_args(
    observer=HistogramObserver,
    quant_min=0,
    quant_max=255,
    dtype=quint8,
    qscheme=per_tensor_affine,
    reduce_range=True,
)
# Outputs in (-1, 1) and in (0, 1).
default_symmetric_fixed_qparams_fake_quant = FixedQParamsFakeQuantize.with_args(
    scale=2.0 / 256.0, zero_point=128, dtype=quint8, quant_min=0, quant_max=255
)
default_affine_fixed_qparams_fake_quant = FixedQParamsFakeQuantize.with_args(
    scale=1.0 / 256.0, zero_point=0, dtype=quint8, quant_min=0, quant_max=255
)
# Rows of embeddings, with the float zero points that their quantized form has.
default_embedding_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver.with_args(averaging_constant=1.0),
    quant_min=0,
    quant_max=255,
    dtype=quint8,
    qscheme=per_channel_affine_float_qparams,
    ch_axis=0,
)
