"""Affine layers."""

from __future__ import annotations

import math
from typing import Any

from qrs.nn import init
from qrs.nn.functional import affine
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor, empty

__all__ = ["Bilinear", "Linear"]


class Linear(Module):
    """Compute ``x @ weight.T + bias``.

    Parameters
    ----------
    in_features, out_features : int
        K and N.
    bias : bool
        Whether to add a bias.

    Attributes
    ----------
    weight : Parameter, float32, shape (N, K)
        Drawn evenly from (-1/sqrt(K), 1/sqrt(K)), as is the bias.
    bias : Parameter, float32, shape (N,), or None

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.nn.Linear(3, 2)
    >>> tuple(layer(qrs.zeros(4, 5, 3)).shape)
    (4, 5, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype))
        value = Parameter(empty(out_features, dtype=dtype)) if bias else None
        self.register_parameter("bias", value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(self.in_features, 1))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, shape (*, K); returns shape (*, N)."""
        return affine.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """List sizes and bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module):
    """Compute ``y[n] = x1 @ weight[n] @ x2 + bias[n]``.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        K1, K2 and N.
    bias : bool

    Attributes
    ----------
    weight : Parameter, float32, shape (N, K1, K2)
    bias : Parameter, float32, shape (N,), or None

    Examples
    --------
    >>> import qrs
    >>> layer = qrs.nn.Bilinear(2, 3, 4)
    >>> tuple(layer(qrs.zeros(5, 2), qrs.zeros(5, 3)).shape)
    (5, 4)
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True
    ) -> None:
        super().__init__()
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features))
        self.register_parameter("bias", Parameter(empty(out_features)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, evenly from (-1/sqrt(K1), 1/sqrt(K1))."""
        bound = 1 / math.sqrt(self.in1_features)
        for param in self.parameters():
            init.uniform_(param, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Apply the layer to inputs of shapes (*, K1) and (*, K2); returns shape (*, N)."""
        return affine.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """List sizes and bias."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
