"""Layer and group normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from qrs.nn import init
from qrs.nn.functional import norm as functions
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor, empty

__all__ = ["GroupNorm", "LayerNorm"]


class LayerNorm(Module):
    """Normalise over the last axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Sizes of those axes.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Scale by a learned ``weight`` and shift by ``bias``.
    bias : bool
        Whether there is a bias.

    Attributes
    ----------
    weight, bias : Parameter, float32, shape normalized_shape, or None

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.LayerNorm(2)(qrs.tensor([[1.0, 3.0]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        single = isinstance(normalized_shape, int)
        shape = (normalized_shape,) if single else tuple(normalized_shape)  # type: ignore[arg-type]
        self.normalized_shape: tuple[int, ...] = shape  # type: ignore[assignment]
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, wanted in (("weight", True), ("bias", bias)):
            given = elementwise_affine and wanted
            self.register_parameter(name, Parameter(empty(shape)) if given else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input``, shape (*, *normalized_shape)."""
        return functions.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """List shape and settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Normalise groups of channels of every sample.

    Parameters
    ----------
    num_groups, num_channels : int
        The second is a multiple of the first.
    eps : float
        Added to the variance.
    affine : bool
        Scale and shift every channel by learned ``weight`` and ``bias``.

    Attributes
    ----------
    weight, bias : Parameter, float32, shape (num_channels,), or None

    Raises
    ------
    ValueError
        If the channels do not divide into the groups.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.GroupNorm(2, 4)(qrs.zeros(3, 4, 5)).shape)
    (3, 4, 5)
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: num_channels {num_channels} came, expected a multiple of num_groups "
                f"{num_groups}"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name in ("weight", "bias"):
            self.register_parameter(name, Parameter(empty(num_channels)) if affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight 1, bias 0."""
        if self.affine:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input``, shape (N, C, *)."""
        return functions.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """List sizes and settings."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
