"""Observers that compute no range: placeholders that carry a type, and a recorder for debugging."""

from __future__ import annotations

from typing import Any, cast

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import float16, float32
from qrs.quantization.observer.base import Batch, ObserverBase, UniformQuantizationObserverBase
from qrs.tensor import Tensor

__all__ = ["NoopObserver", "PlaceholderObserver", "RecordingObserver"]


class _RecordsNothing(ObserverBase):
    """Passes its input on."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` itself."""
        return x

    def merge(self, other: ObserverBase) -> None:
        """Nothing was recorded: only the classes must be the same."""
        self._check_same_kind(other)


class PlaceholderObserver(_RecordsNothing):
    """Records nothing; says which types a layer is to use.

    Parameters
    ----------
    dtype : dtype
        Type of the tensor in the converted model: ``float32`` for the activations of dynamic
        layers, ``float16`` for half-precision weights.
    custom_op_name : str
        A note for the reader.
    compute_dtype : dtype, optional
        Type in which a dynamic layer computes.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.PlaceholderObserver(compute_dtype=qrs.quint8).compute_dtype
    qrs.quint8
    """

    def __init__(
        self,
        dtype: Dtype = float32,
        custom_op_name: str = "",
        compute_dtype: Dtype | None = None,
    ) -> None:
        super().__init__(dtype)
        self.custom_op = custom_op_name
        self.compute_dtype = compute_dtype


class NoopObserver(_RecordsNothing):
    """Records nothing and passes its input on.

    Parameters
    ----------
    dtype : dtype
        Type of the tensor in the converted model.
    custom_op_name : str
        A note for the reader.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.zeros(2)
    >>> qrs.quantization.NoopObserver()(x) is x
    True
    """

    def __init__(self, dtype: Dtype = float16, custom_op_name: str = "") -> None:
        super().__init__(dtype)
        self.custom_op = custom_op_name


class RecordingObserver(UniformQuantizationObserverBase):
    """Keeps a copy of every tensor it sees, for debugging.

    Parameters
    ----------
    **kwargs
        See `UniformQuantizationObserverBase`.

    Attributes
    ----------
    tensor_val : list of Tensor

    Examples
    --------
    >>> import qrs
    >>> observer = qrs.quantization.RecordingObserver()
    >>> _ = observer(qrs.ones(2)), observer(qrs.zeros(1))
    >>> observer.get_tensor_value()
    [tensor([1., 1.]), tensor([0.])]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tensor_val: list[Tensor] = []

    def _observe(self, batch: Batch) -> None:
        self.tensor_val.append(Tensor._wrap(batch.values.copy()))

    def merge(self, other: ObserverBase) -> None:
        """Append another's tensors."""
        self._check_same_kind(other)
        other = cast(RecordingObserver, other)
        self.nonfinite_count += other.nonfinite_count
        self.tensor_val += other.tensor_val

    def get_tensor_value(self) -> list[Tensor]:
        """The tensors seen, in order."""
        return self.tensor_val
