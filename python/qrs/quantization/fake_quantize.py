"""Fake quantizers: modules that observe a tensor and round it to what its range can represent."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import (
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
    qint8,
    qscheme,
    quint8,
)
from qrs.nn.module import Module
from qrs.quantization.fake_quantize_ops import (
    fake_quantize_per_channel_affine,
    fake_quantize_per_tensor_affine,
)
from qrs.quantization.observer import (
    HistogramObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    ObserverBase,
    ObserverFactory,
)
from qrs.quantization.observer.base import wrap
from qrs.quantization.qparams import integer_range
from qrs.tensor import Tensor

__all__ = [
    "FakeQuantize",
    "FakeQuantizeBase",
    "FixedQParamsFakeQuantize",
    "default_affine_fixed_qparams_fake_quant",
    "default_fake_quant",
    "default_histogram_fake_quant",
    "default_per_channel_weight_fake_quant",
    "default_symmetric_fixed_qparams_fake_quant",
    "default_weight_fake_quant",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
    "per_channel_weight_fake_quant_range_neg_127_to_127",
]


class FakeQuantizeBase(Module):
    """Base of fake quantizers: two switches, kept in the state.

    Attributes
    ----------
    fake_quant_enabled, observer_enabled : Tensor, uint8, shape (1,)
        ``train`` and ``eval`` leave them alone.
    """

    fake_quant_enabled: Tensor
    observer_enabled: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fake_quant_enabled", wrap([1], np.uint8))
        self.register_buffer("observer_enabled", wrap([1], np.uint8))

    @classmethod
    def with_args(cls, **kwargs: Any) -> ObserverFactory:
        """A factory of this class with keywords stored, as a `QConfig` wants it."""
        return ObserverFactory(cls, **kwargs)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point."""
        raise NotImplementedError(
            f"{type(self).__name__}: no calculate_qparams method, expected the class to define one"
        )

    def enable_fake_quant(self, enabled: bool = True) -> None:
        """Switch rounding on or off."""
        self.fake_quant_enabled = wrap([int(enabled)], np.uint8)

    def disable_fake_quant(self) -> None:
        """Pass values on unrounded."""
        self.enable_fake_quant(False)

    def enable_observer(self, enabled: bool = True) -> None:
        """Switch observation on or off."""
        self.observer_enabled = wrap([int(enabled)], np.uint8)

    def disable_observer(self) -> None:
        """Keep the scale and zero point as they are."""
        self.enable_observer(False)


class FakeQuantize(FakeQuantizeBase):
    """Observes a tensor and rounds it to what the observed range can represent.

    Parameters
    ----------
    observer : class or factory
        Builds the observer.
    quant_min, quant_max : int
        Range of the stored integers.
    **observer_kwargs
        Passed to ``observer``.

    Attributes
    ----------
    scale : Tensor, float32, shape (1,) or (C,)
    zero_point : Tensor, int64, shape (1,) or (C,)

    Raises
    ------
    ValueError
        If the range does not fit the observer's type, or its scheme has float zero points.

    Examples
    --------
    >>> import qrs
    >>> fq = qrs.quantization.default_fake_quant()
    >>> fq(qrs.tensor([-1.0, 0.3, 2.0]))
    tensor([-0.9921,  0.3071,  2.0079])
    """

    activation_post_process: ObserverBase
    scale: Tensor
    zero_point: Tensor
    dtype: Dtype
    qscheme: qscheme

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int = 0,
        quant_max: int = 255,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__()
        inner = observer(**observer_kwargs)
        self.activation_post_process = inner
        self.dtype, self.qscheme = inner.dtype, inner.qscheme
        integer_range(self.dtype, False, quant_min, quant_max)
        if self.qscheme.has_float_qparams:
            raise ValueError(
                f"FakeQuantize: {self.qscheme} came, expected a scheme with integer zero points"
            )
        self.quant_min, self.quant_max = quant_min, quant_max
        self.ch_axis: int = getattr(inner, "ch_axis", -1)
        self.is_per_channel: bool = self.qscheme.is_per_channel
        self.register_buffer("scale", wrap([1.0]))
        self.register_buffer("zero_point", wrap([0], np.int64))

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the observer."""
        return self.activation_post_process.calculate_qparams()

    def forward(self, x: Tensor) -> Tensor:
        """Observe ``x`` and return it rounded, as far as each is switched on."""
        if self.observer_enabled._array[0]:
            self.activation_post_process(x.detach())
            if x._array.size:
                self.scale, self.zero_point = self.calculate_qparams()
        if not self.fake_quant_enabled._array[0]:
            return x
        if self.is_per_channel:
            return fake_quantize_per_channel_affine(
                x, self.scale, self.zero_point, self.ch_axis, self.quant_min, self.quant_max
            )
        return fake_quantize_per_tensor_affine(
            x,
            self.scale._array[0],
            self.zero_point._array[0],
            self.quant_min,
            self.quant_max,
        )

    def extra_repr(self) -> str:
        """Switches, range, type and the present scale."""
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, "
            f"observer_enabled={self.observer_enabled}, quant_min={self.quant_min}, "
            f"quant_max={self.quant_max}, dtype={self.dtype}, qscheme={self.qscheme}, "
            f"ch_axis={self.ch_axis}, scale={self.scale}, zero_point={self.zero_point}"
        )

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # The number of channels is part of the state.
        for name, kind in (("scale", np.float32), ("zero_point", np.int64)):
            value = state_dict.get(prefix + name)
            if value is not None:
                self.register_buffer(name, wrap(np.zeros(tuple(value.shape)), kind))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class FixedQParamsFakeQuantize(FakeQuantizeBase):
    """Rounds to a scale and zero point that are known beforehand, such as those of a sigmoid.

    Parameters
    ----------
    scale : float
    zero_point : int
    dtype : dtype
    qscheme : qscheme
        Kept for the reader.
    quant_min, quant_max : int

    Examples
    --------
    >>> import qrs
    >>> fq = qrs.quantization.default_affine_fixed_qparams_fake_quant()
    >>> fq.calculate_qparams()
    (tensor([0.0039]), tensor([0]))
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(
        self,
        scale: float,
        zero_point: int,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_tensor_affine,
        quant_min: int = 0,
        quant_max: int = 255,
    ) -> None:
        super().__init__()
        integer_range(dtype, False, quant_min, quant_max)
        self.dtype, self.qscheme = dtype, qscheme
        self.quant_min, self.quant_max = quant_min, quant_max
        self.register_buffer("scale", wrap([scale]))
        self.register_buffer("zero_point", wrap([zero_point], np.int64))

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """The constants."""
        return self.scale, self.zero_point

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` rounded, if that is switched on."""
        if not self.fake_quant_enabled._array[0]:
            return x
        return fake_quantize_per_tensor_affine(
            x,
            self.scale._array[0],
            self.zero_point._array[0],
            self.quant_min,
            self.quant_max,
        )

    def extra_repr(self) -> str:
        """Switch, scale, type and range."""
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, scale={self.scale}, "
            f"zero_point={self.zero_point}, dtype={self.dtype}, quant_min={self.quant_min}, "
            f"quant_max={self.quant_max}"
        )


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
# Weights of profile "qrs": the observer's range is the clamping range.
per_channel_weight_fake_quant_range_neg_127_to_127 = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver.with_args(quant_min=-127, quant_max=127),
    quant_min=-127,
    quant_max=127,
    dtype=qint8,
    qscheme=per_channel_symmetric,
    ch_axis=0,
)
# Outputs in (-1, 1) and in (0, 1).
default_symmetric_fixed_qparams_fake_quant = FixedQParamsFakeQuantize.with_args(
    scale=2.0 / 256.0, zero_point=128, dtype=quint8, quant_min=0, quant_max=255
)
default_affine_fixed_qparams_fake_quant = FixedQParamsFakeQuantize.with_args(
    scale=1.0 / 256.0, zero_point=0, dtype=quint8, quant_min=0, quant_max=255
)


def enable_observer(module: Module) -> None:
    """Switch observation on, for use with ``model.apply``; other modules are left alone."""
    if isinstance(module, FakeQuantizeBase):
        module.enable_observer()


def disable_observer(module: Module) -> None:
    """Switch observation off, for use with ``model.apply``; other modules are left alone."""
    if isinstance(module, FakeQuantizeBase):
        module.disable_observer()


def enable_fake_quant(module: Module) -> None:
    """Switch rounding on, for use with ``model.apply``; other modules are left alone."""
    if isinstance(module, FakeQuantizeBase):
        module.enable_fake_quant()


def disable_fake_quant(module: Module) -> None:
    """Switch rounding off, for use with ``model.apply``; other modules are left alone."""
    if isinstance(module, FakeQuantizeBase):
        module.disable_fake_quant()
