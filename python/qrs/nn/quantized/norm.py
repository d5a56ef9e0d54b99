"""Statically quantized layer and group normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from qrs.errors import ShapeError
from qrs.nn.layers import norm
from qrs.nn.quantized import functional as F
from qrs.nn.quantized.output import Converted
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["GroupNorm", "LayerNorm", "NormBase"]


class NormBase(Converted):
    """Holds the tensors of a normalisation as buffers, and checks ranks."""

    # Ranks of inputs; any if empty.
    ranks: ClassVar[tuple[int, ...]] = ()

    def _hold(self, **tensors: Tensor | None) -> None:
        for name, value in tensors.items():
            self.register_buffer(name, None if value is None else value.detach().clone())

    def _normalised(self, input: Any) -> QTensor:
        x = self._checked(input)
        if self.ranks and x._ints.ndim not in self.ranks:
            ranks = " or ".join(map(str, self.ranks))
            raise ShapeError(
                f"{self._get_name()}: input of shape {tuple(x.shape)} came, expected {ranks} "
                "dimensions"
            )
        return x


class LayerNorm(NormBase):
    """Normalises over the last axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Sizes of those axes.
    weight, bias : Tensor, float32, shape normalized_shape, or None
    scale, zero_point : float, int
        Of the output.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Has no effect: weight and bias are given, or None.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([[1.0, 3.0]]), 0.5, 0, qrs.quint8)
    >>> qrs.nn.quantized.LayerNorm(2, None, None, 0.5, 10)(x).dequantize()
    tensor([[-1.,  1.]])
    """

    float_class = norm.LayerNorm

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        weight: Tensor | None,
        bias: Tensor | None,
        scale: Any,
        zero_point: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
    ) -> None:
        super().__init__(scale, zero_point)
        self.normalized_shape: tuple[int, ...] = (
            (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        )
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._hold(weight=weight, bias=bias)

    @classmethod
    def _like(cls, mod: Any) -> Self:
        return cls(mod.normalized_shape, mod.weight, mod.bias, 1.0, 0, mod.eps)

    def forward(self, input: Any) -> QTensor:
        """Normalise ``input``, shape (*, *normalized_shape)."""
        x = self._normalised(input)
        return F.layer_norm(
            x, self.normalized_shape, self.weight, self.bias, self.eps, *self._output
        )

    def extra_repr(self) -> str:
        """Sizes and quantization."""
        return f"{self.normalized_shape}, eps={self.eps}, {super().extra_repr()}"


class GroupNorm(NormBase):
    """Normalises groups of channels of every sample.

    Parameters
    ----------
    num_groups, num_channels : int
        The second is a multiple of the first.
    weight, bias : Tensor, float32, shape (num_channels,), or None
    scale, zero_point : float, int
        Of the output.
    eps : float
        Added to the variance.
    affine : bool
        Has no effect: weight and bias are given, or None.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(3, 4, 5), 0.5, 0, qrs.quint8)
    >>> tuple(qrs.nn.quantized.GroupNorm(2, 4, None, None, 0.5, 10)(x).shape)
    (3, 4, 5)
    """

    float_class = norm.GroupNorm

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        weight: Tensor | None,
        bias: Tensor | None,
        scale: Any,
        zero_point: Any,
        eps: float = 1e-5,
        affine: bool = True,
    ) -> None:
        super().__init__(scale, zero_point)
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._hold(weight=weight, bias=bias)

    @classmethod
    def _like(cls, mod: Any) -> Self:
        return cls(mod.num_groups, mod.num_channels, mod.weight, mod.bias, 1.0, 0, mod.eps)

    def forward(self, input: Any) -> QTensor:
        """Normalise ``input``, shape (N, num_channels, *)."""
        x = self._normalised(input)
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps, *self._output)

    def extra_repr(self) -> str:
        """Sizes and quantization."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, {super().extra_repr()}"
