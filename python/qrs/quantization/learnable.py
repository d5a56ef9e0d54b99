"""A fake quantizer whose scale and zero point are trained with the model."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from qrs.autograd import no_grad
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8, qscheme
from qrs.nn.parameter import Parameter
from qrs.quantization.fake_quantize import FakeQuantizeBase
from qrs.quantization.fake_quantize_ops import FAKE_QUANTIZE, check_float
from qrs.quantization.observer import MovingAverageMinMaxObserver, ObserverBase
from qrs.quantization.observer.base import wrap
from qrs.quantization.qparams import EPS, integer_range
from qrs.tensor import Tensor, apply

__all__ = ["LearnableFakeQuantize"]


class LearnableFakeQuantize(FakeQuantizeBase):
    """Rounds to a scale and zero point that are parameters, first estimated, then trained.

    It starts by observing, as `FakeQuantize` does; `enable_param_learning` freezes the observer and
    lets gradients reach ``scale`` and ``zero_point``. The zero point of a symmetric scheme stays.

    Parameters
    ----------
    observer : class or factory
        Builds the observer of the first estimate.
    quant_min, quant_max : int
        Range of the stored integers; passed to the observer too.
    scale, zero_point : float
        First values.
    channel_len : int
        Number of channels of a per-channel scheme; -1 for one scale.
    use_grad_scaling : bool
        Multiply the gradients of scale and zero point by 1 / sqrt(elements * quant_max), which
        keeps their steps in proportion to those of the weights.
    **observer_kwargs
        Passed to ``observer``.

    Attributes
    ----------
    scale, zero_point : Parameter, float32, shape (1,) or (channel_len,)

    Raises
    ------
    ValueError
        If the range does not fit the type, or ``channel_len`` the scheme.

    Notes
    -----
    With v = z + rne(x / s): dy/dx = 1 inside the range; dy/ds = (y - x) / s inside, qmin - z or
    qmax - z outside; dy/dz = 0 inside, -s outside. Sources: Esser et al. 2020, arXiv:1902.08153;
    Jain et al. 2020, arXiv:1903.08066.

    Examples
    --------
    >>> import qrs
    >>> fq = qrs.quantization.LearnableFakeQuantize(quant_min=0, quant_max=255)
    >>> _ = fq(qrs.tensor([0.0, 2.55]))
    >>> _ = fq.enable_param_learning()
    >>> fq(qrs.tensor([0.5, 9.0])).sum().backward()
    >>> fq.scale.grad
    tensor([255.])
    """

    activation_post_process: ObserverBase
    scale: Parameter
    zero_point: Parameter
    learning_enabled: Tensor
    dtype: Dtype
    qscheme: qscheme

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int = 0,
        quant_max: int = 255,
        scale: float = 1.0,
        zero_point: float = 0.0,
        channel_len: int = -1,
        use_grad_scaling: bool = False,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__()
        inner = observer(quant_min=quant_min, quant_max=quant_max, **observer_kwargs)
        self.dtype, self.qscheme = inner.dtype, inner.qscheme
        integer_range(self.dtype, False, quant_min, quant_max)
        if self.qscheme.has_float_qparams or self.qscheme.is_per_channel != (channel_len > 0):
            raise ValueError(
                f"LearnableFakeQuantize: channel_len={channel_len} came with {self.qscheme}, "
                "expected the number of channels for a per-channel scheme with integer zero "
                "points, -1 for a per-tensor one"
            )
        self.quant_min, self.quant_max = quant_min, quant_max
        self.ch_axis: int = getattr(inner, "ch_axis", -1)
        self.use_grad_scaling = use_grad_scaling
        shape = max(channel_len, 1)
        self.scale = Parameter(wrap(np.full(shape, scale)), requires_grad=False)
        self.zero_point = Parameter(wrap(np.full(shape, zero_point)), requires_grad=False)
        self.register_buffer("learning_enabled", wrap([0], np.uint8))
        self.activation_post_process = inner

    # ---- switches --------------------------------------------------------------------------

    def enable_param_learning(self) -> Self:
        """Train scale and zero point: learning and rounding on, observation off."""
        return self.toggle_qparam_learning(True).toggle_observer_update(False).toggle_fake_quant()

    def enable_static_estimate(self) -> Self:
        """Estimate scale and zero point: observation and rounding on, learning off."""
        return self.toggle_qparam_learning(False).toggle_observer_update().toggle_fake_quant()

    def enable_static_observation(self) -> Self:
        """Only observe: rounding and learning off."""
        return self.toggle_qparam_learning(False).toggle_observer_update().toggle_fake_quant(False)

    def toggle_observer_update(self, enabled: bool = True) -> Self:
        """Switch observation on or off."""
        self.enable_observer(enabled)
        return self

    def toggle_fake_quant(self, enabled: bool = True) -> Self:
        """Switch rounding on or off."""
        self.enable_fake_quant(enabled)
        return self

    def toggle_qparam_learning(self, enabled: bool = True) -> Self:
        """Switch gradients of scale and zero point on or off."""
        self.learning_enabled = wrap([int(enabled)], np.uint8)
        self.scale.requires_grad = enabled
        self.zero_point.requires_grad = enabled and not self.qscheme.is_symmetric
        return self

    # ---- quantization ----------------------------------------------------------------------

    @no_grad()
    def _tidy(self) -> None:
        """Hold the scale above zero, and the zero point of a symmetric scheme in its place."""
        np.maximum(self.scale._array, EPS, out=self.scale._array)
        if self.qscheme.is_symmetric:
            middle = 0 if self.dtype is qint8 else (self.quant_min + self.quant_max) // 2
            self.zero_point._array[:] = middle

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and the zero point rounded into the range.

        Returns
        -------
        scale : Tensor, float32, shape (1,) or (C,)
        zero_point : Tensor, int64, of the same shape
        """
        self._tidy()
        points = np.clip(np.rint(self.zero_point._array), self.quant_min, self.quant_max)
        return wrap(self.scale._array), wrap(points, np.int64)

    def forward(self, x: Tensor) -> Tensor:
        """Observe ``x`` or learn from it, and return it rounded, as far as each is switched on."""
        check_float(self._get_name(), x)
        if self.observer_enabled._array[0] and x._array.size:
            observer = self.activation_post_process
            observer(x.detach())
            scale, zero_point = observer.calculate_qparams()
            self.scale._array[:] = scale._array
            self.zero_point._array[:] = zero_point._array
        self._tidy()
        if not self.fake_quant_enabled._array[0]:
            return x
        factor = 1.0
        if self.use_grad_scaling:
            factor = 1 / math.sqrt(max(x._array.size, 1) * self.quant_max)
        return apply(
            FAKE_QUANTIZE,
            x,
            self.scale,
            self.zero_point,
            qmin=self.quant_min,
            qmax=self.quant_max,
            axis=self.ch_axis if self.qscheme.is_per_channel else None,
            learn=bool(self.learning_enabled._array[0]),
            grad_factor=factor,
        )

    def extra_repr(self) -> str:
        """Switches, range, type and the present scale."""
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, "
            f"observer_enabled={self.observer_enabled}, learning_enabled={self.learning_enabled}, "
            f"quant_min={self.quant_min}, quant_max={self.quant_max}, dtype={self.dtype}, "
            f"qscheme={self.qscheme}, scale={self.scale.tolist()}, "
            f"zero_point={self.zero_point.tolist()}"
        )
