"""Fake quantizers: modules that observe a tensor and round it to what its range can represent."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrs.backends import quantized
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import per_tensor_affine, qscheme, quint8
from qrs.nn.module import Module
from qrs.quantization.fake_quantize_ops import FAKE_QUANTIZE, check_float
from qrs.quantization.observer import (
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    ObserverBase,
    ObserverFactory,
    UniformQuantizationObserverBase,
)
from qrs.quantization.observer.base import wrap
from qrs.quantization.qparams import integer_range
from qrs.tensor import Tensor, apply

__all__ = [
    "FakeQuantize",
    "FakeQuantizeBase",
    "FixedQParamsFakeQuantize",
    "FusedMovingAvgObsFakeQuantize",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
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
        Range of the stored integers. Under the profile "qrs" the observer computes scales for this
        range, ``reduce_range`` or not, unless it was given ``quant_min`` and ``quant_max`` of its
        own: then those are the range. Under "fbgemm" and "qnnpack" the observer is left as it is
        and this range is clamped to, as in PyTorch 1.8.1.
    **observer_kwargs
        Passed to ``observer``.

    Attributes
    ----------
    quant_min, quant_max : int
        The range in use.
    scale : Tensor, float32, shape (1,) or (C,)
    zero_point : Tensor, shape (1,) or (C,)
        int64; float32 if the scheme has float zero points.

    Raises
    ------
    ValueError
        If the range does not fit the observer's type.

    Examples
    --------
    >>> import qrs
    >>> fq = qrs.quantization.FakeQuantize(observer=qrs.quantization.MinMaxObserver)
    >>> fq(qrs.tensor([-1.0, 0.3, 2.0]))
    tensor([-1.0000,  0.3059,  2.0000])
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
        if quantized.engine == "qrs" and isinstance(inner, UniformQuantizationObserverBase):
            inner.offer_range(quant_min, quant_max)
            quant_min, quant_max = inner.quant_min, inner.quant_max
        self.quant_min, self.quant_max = quant_min, quant_max
        self.ch_axis: int = getattr(inner, "ch_axis", -1)
        self.is_per_channel: bool = self.qscheme.is_per_channel
        self.register_buffer("scale", wrap([1.0]))
        kind = np.float32 if self.qscheme.has_float_qparams else np.int64
        self.register_buffer("zero_point", wrap([0], kind))

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the observer."""
        return self.activation_post_process.calculate_qparams()

    def forward(self, x: Tensor) -> Tensor:
        """Observe ``x`` and return it rounded, as far as each is switched on."""
        check_float(self._get_name(), x)
        if self.observer_enabled._array[0]:
            self.activation_post_process(x.detach())
            if x._array.size:
                self.scale, self.zero_point = self.calculate_qparams()
        if not self.fake_quant_enabled._array[0]:
            return x
        return apply(
            FAKE_QUANTIZE,
            x,
            self.scale._array,
            self.zero_point._array,
            qmin=self.quant_min,
            qmax=self.quant_max,
            axis=self.ch_axis if self.is_per_channel else None,
            real=self.qscheme.has_float_qparams,
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
        for name in ("scale", "zero_point"):
            value = state_dict.get(prefix + name)
            if value is not None:
                kind = getattr(self, name)._array.dtype
                self.register_buffer(name, wrap(np.zeros(tuple(value.shape)), kind))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class FusedMovingAvgObsFakeQuantize(FakeQuantize):
    """`FakeQuantize` over a moving average that clamps to the observer's range in every profile.

    Parameters
    ----------
    observer : class or factory
        Builds a `MovingAverageMinMaxObserver` or a `MovingAveragePerChannelMinMaxObserver`.
    quant_min, quant_max : int
        See `FakeQuantize`.
    **observer_kwargs
        Passed to ``observer``.

    Raises
    ------
    TypeError
        If the observer is of another kind.

    Examples
    --------
    >>> import qrs
    >>> fq = qrs.quantization.FusedMovingAvgObsFakeQuantize(quant_max=15)
    >>> fq(qrs.tensor([0.0, 0.4, 15.0]))
    tensor([ 0.,  0., 15.])
    """

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int = 0,
        quant_max: int = 255,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__(observer, quant_min, quant_max, **observer_kwargs)
        inner = self.activation_post_process
        kinds = MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver
        if not isinstance(inner, kinds):
            raise TypeError(
                f"FusedMovingAvgObsFakeQuantize: a {type(inner).__name__} came as observer, "
                f"expected {kinds[0].__name__} or {kinds[1].__name__}; use FakeQuantize for others"
            )
        self.quant_min, self.quant_max = inner.quant_min, inner.quant_max


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
    >>> fq = qrs.quantization.FixedQParamsFakeQuantize(scale=1 / 256, zero_point=0)
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
        check_float(self._get_name(), x)
        if not self.fake_quant_enabled._array[0]:
            return x
        return apply(
            FAKE_QUANTIZE,
            x,
            self.scale._array,
            self.zero_point._array,
            qmin=self.quant_min,
            qmax=self.quant_max,
            axis=None,
        )

    def extra_repr(self) -> str:
        """Switch, scale, type and range."""
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, scale={self.scale}, "
            f"zero_point={self.zero_point}, dtype={self.dtype}, quant_min={self.quant_min}, "
            f"quant_max={self.quant_max}"
        )


def enable_observer(mod: Module) -> None:
    """Switch observation on, for use with ``model.apply``; other modules are left alone."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_observer()


def disable_observer(mod: Module) -> None:
    """Switch observation off, for use with ``model.apply``; other modules are left alone."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_observer()


def enable_fake_quant(mod: Module) -> None:
    """Switch rounding on, for use with ``model.apply``; other modules are left alone."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_fake_quant()


def disable_fake_quant(mod: Module) -> None:
    """Switch rounding off, for use with ``model.apply``; other modules are left alone."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_fake_quant()
