"""What stands between float and quantized tensors in a converted model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from qrs import _kernels
from qrs.dtypes import dtype as Dtype
from qrs.errors import DtypeError, instead_of, type_name
from qrs.nn.module import Module
from qrs.nn.quantized.output import observed_output
from qrs.qtensor import PerTensor, QTensor
from qrs.qtensor.qparams import per_tensor
from qrs.tensor import Tensor

__all__ = ["DeQuantize", "Quantize"]


class Quantize(Module):
    """Quantizes its input; `convert` makes one of every `QuantStub`.

    Parameters
    ----------
    scale : float or Tensor
        Real units per step.
    zero_point : int or Tensor
        The integer that stands for 0.
    dtype : dtype
        ``quint8``, ``qint8`` or ``qint32``.

    Attributes
    ----------
    scale : Tensor, float32, shape (1,)
    zero_point : Tensor, int64, shape (1,)

    Raises
    ------
    ValueError, DtypeError
        If they do not fit each other.

    Notes
    -----
    The formula is that of `qrs.quantize_per_tensor`.

    Examples
    --------
    >>> import qrs
    >>> quantize = qrs.nn.quantized.Quantize(0.5, 10, qrs.quint8)
    >>> quantize
    Quantize(scale=tensor([0.5000]), zero_point=tensor([10]), dtype=qrs.quint8)
    >>> quantize(qrs.tensor([-1.0, 2.0])).int_repr()
    tensor([ 8, 14], dtype=qrs.uint8)
    """

    def __init__(self, scale: Any, zero_point: Any, dtype: Dtype) -> None:
        super().__init__()
        checked = per_tensor(scale, zero_point, dtype, "Quantize")
        self.dtype = dtype
        self.register_buffer("scale", Tensor._wrap(np.array([checked.scale], np.float32)))
        self.register_buffer("zero_point", Tensor._wrap(np.array([checked.zero_point])))
        # The buffers as the outputs hold them.
        self._qparams = checked

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Take the parameters that a stub's observer found.

        Raises
        ------
        QrsError, NotCalibratedError
            If the stub was not prepared, or its observer has seen no data.
        """
        return cls(*observed_output(mod, "Quantize.from_float"))

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Self:
        # As `QuantizedOutput`: the scale stays exact.
        del fn
        return self

    def forward(self, X: Tensor) -> QTensor:  # noqa: N803 - PyTorch's name
        """Quantize ``X``, float32, any shape.

        Raises
        ------
        DtypeError
            If it is not a float32 tensor.
        """
        if type(X) is not Tensor or X._array.dtype != np.float32:
            self._refuse(X)
        scale, zero_point = self.scale._array.item(), self.zero_point._array.item()
        qparams = self._qparams
        if qparams.scale != scale or qparams.zero_point != zero_point:
            qparams = self._qparams = PerTensor(scale, zero_point)
        ints = _kernels.quantize(X._array, scale, zero_point, self.dtype)
        return QTensor._wrap(ints, qparams, self.dtype)

    def _refuse(self, value: object) -> None:
        if isinstance(value, QTensor):
            raise DtypeError(
                "Quantize: a quantized tensor came, expected a float one; remove this QuantStub, "
                "or put a DeQuantStub before it"
            )
        if not isinstance(value, Tensor):
            raise DtypeError(
                f"Quantize: a {type_name(value)} came, expected a float32 Tensor; "
                f"{instead_of(value)}"
            )
        if value._array.dtype != np.float32:
            raise DtypeError(
                f"Quantize: {value.dtype!r} came, expected qrs.float32; use float() first"
            )

    def extra_repr(self) -> str:
        """The parameters."""
        return f"scale={self.scale}, zero_point={self.zero_point}, dtype={self.dtype!r}"


class DeQuantize(Module):
    """Gives the real values of its input; `convert` makes one of every `DeQuantStub`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([-1.0, 2.0]), 0.5, 10, qrs.quint8)
    >>> qrs.nn.quantized.DeQuantize()(x)
    tensor([-1.,  2.])
    """

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """A module like any other: a stub has no parameters."""
        del mod
        return cls()

    def forward(self, Xq: Any) -> Tensor:  # noqa: N803 - PyTorch's name
        """Dequantize ``Xq``, any shape; float32.

        Raises
        ------
        DtypeError
            If it is not quantized.
        """
        if isinstance(Xq, QTensor):
            return Xq.dequantize()
        what = f"float tensor ({Xq.dtype!r})" if isinstance(Xq, Tensor) else type(Xq).__name__
        raise DtypeError(
            f"DeQuantize: a {what} came, expected a quantized tensor; remove this DeQuantStub, or "
            "give the modules before it a qconfig"
        )
