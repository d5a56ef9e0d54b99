"""What every observer shares: the contract, the factories, and the way from a range to qparams.

An observer watches tensors and answers with a scale and a zero point. To write one, derive from
`UniformQuantizationObserverBase`, record statistics in `_observe` and give them to
`_calculate_qparams`; `tests/contracts/observer.py` checks the whole contract on any class.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from qrs._kernels import min_max
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import per_tensor_affine, qscheme, quint8
from qrs.errors import DtypeError, NonFiniteError, NotCalibratedError, QrsError, type_name
from qrs.nn.module import Module
from qrs.quantization.qparams import EPS, FloatArray, integer_range, qparams
from qrs.tensor import Tensor

__all__ = [
    "Batch",
    "ObserverBase",
    "ObserverFactory",
    "UniformQuantizationObserverBase",
    "wrap",
]


def wrap(value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> Tensor:
    """A tensor that holds its own copy of a value."""
    return Tensor._wrap(np.array(value, dtype))


class ObserverFactory(functools.partial[Any]):
    """Arguments stored for later: calling it builds a new object each time.

    Call-time keywords win over stored ones, and `with_args` chains, the later winning.

    Examples
    --------
    >>> from qrs.quantization import MinMaxObserver
    >>> factory = MinMaxObserver.with_args(reduce_range=True)
    >>> factory().reduce_range, factory(reduce_range=False).reduce_range
    (True, False)
    """

    def with_args(self, **kwargs: Any) -> ObserverFactory:
        """A factory with further keywords stored."""
        return ObserverFactory(self, **kwargs)


class ObserverBase(Module):
    """Base of all observers.

    Parameters
    ----------
    dtype : dtype
        The type that the observed tensor will be quantized to.

    Attributes
    ----------
    owner : str
        Dotted name of the module that is observed; `prepare` sets it and errors show it.
    """

    dtype: Dtype
    owner: str

    def __init__(self, dtype: Dtype) -> None:
        super().__init__()
        if not isinstance(dtype, Dtype):
            raise DtypeError(
                f"{type(self).__name__}: dtype {dtype!r} came, expected a dtype such as qrs.quint8"
            )
        self.dtype = dtype
        self.owner = ""

    @classmethod
    def with_args(cls, **kwargs: Any) -> ObserverFactory:
        """A factory of this class with keywords stored, as a `QConfig` wants it.

        Examples
        --------
        >>> from qrs.quantization import MinMaxObserver
        >>> MinMaxObserver.with_args(reduce_range=True)().reduce_range
        True
        """
        return ObserverFactory(cls, **kwargs)

    @property
    def where(self) -> str:
        """How errors name this observer."""
        name = type(self).__name__
        return f"{self.owner}.{name}" if self.owner else name

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of what was observed."""
        raise QrsError(
            f"{self.where}: quantization parameters were asked of an observer that computes none; "
            "use one that does, such as MinMaxObserver"
        )

    def merge(self, other: ObserverBase) -> None:
        """Add what another observer of the same class saw, as if this one had seen it too."""
        raise QrsError(
            f"{self.where}: merge with {type(other).__name__} was asked, but what this class "
            "records depends on the order of the batches; observe all data with one observer, or "
            "use MinMaxObserver"
        )

    def _check_same_kind(self, other: ObserverBase) -> None:
        if type(other) is not type(self):
            raise TypeError(
                f"{self.where}: merge with a {type(other).__name__} was asked, expected a "
                f"{type(self).__name__}"
            )


class Batch(NamedTuple):
    """What one call brings, never empty: the values, the smallest and the largest of them."""

    values: FloatArray
    lo: np.float32
    hi: np.float32


class UniformQuantizationObserverBase(ObserverBase):
    """Base of observers that end in a uniform scale.

    Parameters
    ----------
    dtype : dtype
        ``quint8``, ``qint8`` or ``quint4x2``.
    qscheme : qscheme
        Per tensor or per channel, affine or symmetric.
    reduce_range : bool
        Use seven of eight bits.
    quant_min, quant_max : int, optional
        A range of one's own, taken literally.
    nonfinite : {"raise", "ignore"}
        What to do with NaN and infinities: stop, or leave them out and count them.

    Attributes
    ----------
    nonfinite_count : int
        How many were left out; part of the state dict where ``nonfinite="ignore"``.

    Raises
    ------
    ValueError
        If an argument is none of these, or the scheme does not belong to the class.
    """

    # Whether the class keeps one range per channel; its scheme must say the same.
    per_channel = False

    eps: Tensor

    def __init__(
        self,
        dtype: Dtype = quint8,
        qscheme: qscheme = per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        nonfinite: Literal["raise", "ignore"] = "raise",
    ) -> None:
        super().__init__(dtype)
        name = type(self).__name__
        if getattr(qscheme, "is_per_channel", None) is not self.per_channel:
            kind = "per-channel" if self.per_channel else "per-tensor"
            raise ValueError(f"{name}: qscheme {qscheme} came, expected a {kind} one")
        if nonfinite not in ("raise", "ignore"):
            raise ValueError(f"{name}: nonfinite={nonfinite!r} came, expected 'raise' or 'ignore'")
        if reduce_range and qscheme.is_symmetric and dtype is quint8:
            raise ValueError(
                f"{name}: a symmetric scheme came with quint8 and reduce_range, whose zero point "
                "would have no place; use qint8, or drop reduce_range"
            )
        self.qscheme = qscheme
        self.reduce_range = reduce_range
        self.quant_min, self.quant_max = integer_range(dtype, reduce_range, quant_min, quant_max)
        self._custom_range = quant_min is not None
        self.nonfinite = nonfinite
        self.nonfinite_count = 0
        self.register_buffer("eps", wrap([EPS]))

    def offer_range(self, quant_min: int, quant_max: int) -> None:
        """Compute scales for this range of integers, unless the observer was given one."""
        if not self._custom_range:
            full = integer_range(self.dtype)
            self.quant_min, self.quant_max = integer_range(self.dtype, False, quant_min, quant_max)
            self._custom_range = (self.quant_min, self.quant_max) != full
            self.reduce_range = False

    def forward(self, x: Tensor) -> Tensor:
        """Record a tensor.

        Parameters
        ----------
        x : Tensor, any shape, float or integer
            Empty tensors are passed through without a trace.

        Returns
        -------
        Tensor
            ``x`` itself.

        Raises
        ------
        NonFiniteError
            If it holds NaN or infinity and ``nonfinite="raise"``.
        DtypeError
            If it is not a plain tensor.
        """
        if not isinstance(x, Tensor):
            raise DtypeError(
                f"{self.where}: a {type_name(x)} came, expected a float Tensor; make one with "
                "qrs.as_tensor(), and observe before quantizing"
            )
        values = x._array
        if values.size:
            values = values.astype(np.float32, copy=False)
            lo, hi, finite = min_max(values.ravel("K"))
            if not finite:
                values = self._without_nonfinite(values)
                if not values.size:
                    return x
                lo, hi = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
            self._observe(Batch(values, np.float32(lo), np.float32(hi)))
        return x

    def _without_nonfinite(self, values: FloatArray) -> FloatArray:
        good = np.isfinite(values)
        bad = values.size - int(good.sum())
        if self.nonfinite == "raise":
            raise NonFiniteError(
                f"{self.where}: {bad} of {values.size} values are NaN or infinite, expected finite "
                'numbers; mend the data, or build the observer with nonfinite="ignore"'
            )
        self.nonfinite_count += bad
        return self._select(values, good)

    def _select(self, values: FloatArray, good: npt.NDArray[np.bool_]) -> FloatArray:
        """The values to keep; a class that needs the shape marks the others as NaN instead."""
        return values[good]

    def _observe(self, batch: Batch) -> None:
        """Record what one call brought."""
        raise NotImplementedError(
            f"{type(self).__name__}: no _observe method, expected the class to define one"
        )

    def _calculate_qparams(self, lo: FloatArray, hi: FloatArray) -> tuple[Tensor, Tensor]:
        """Scale and zero point of a range, shape (1,) or (C,), under this observer's scheme."""
        scale, zero_point = self._qparams(lo, hi)
        return Tensor._wrap(scale), Tensor._wrap(zero_point)

    def _qparams(self, lo: Any, hi: Any) -> tuple[FloatArray, npt.NDArray[Any]]:
        return qparams(
            lo,
            hi,
            self.dtype,
            self.qscheme,
            self.quant_min,
            self.quant_max,
            custom_range=self._custom_range,
            eps=cast(np.float32, self.eps._array[0]),
        )

    def _not_calibrated(self) -> NotCalibratedError:
        return NotCalibratedError(
            f"{self.where}: no data was observed, expected at least one batch; run the prepared "
            "model on calibration data before convert (any input, if a state dict is loaded after)"
        )

    # ---- state -----------------------------------------------------------------------------

    def _save_to_state_dict(
        self, destination: OrderedDict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.nonfinite == "ignore":
            # The others count nothing, and keep the entries of PyTorch.
            destination[prefix + "nonfinite_count"] = wrap(self.nonfinite_count, np.int64)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        count = state_dict.pop(prefix + "nonfinite_count", None)
        self.nonfinite_count = 0 if count is None else int(count.item())
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
