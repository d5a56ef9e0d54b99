"""Activation layers with settings: each calls the function of the same name."""

from __future__ import annotations

from typing import Any

from qrs.nn.functional import activation as functions
from qrs.nn.layers.activation import Activation
from qrs.nn.parameter import Parameter
from qrs.tensor import full

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "Hardtanh",
    "LeakyReLU",
    "LogSoftmax",
    "PReLU",
    "Softmax",
    "Softplus",
    "Threshold",
]


class LeakyReLU(Activation):
    """Compute x above zero and ``negative_slope * x`` below.

    Parameters
    ----------
    negative_slope : float
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.LeakyReLU()(qrs.tensor([-1.0, 2.0]))
    tensor([-0.0100,  2.0000])
    """

    shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.leaky_relu(input, self.negative_slope, self.inplace)


class ELU(Activation):
    """Compute x above zero and ``alpha (exp(x) - 1)`` below.

    Parameters
    ----------
    alpha : float
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.ELU()(qrs.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.elu(input, self.alpha, self.inplace)


class CELU(Activation):
    """Compute x above zero and ``alpha (exp(x / alpha) - 1)`` below.

    Parameters
    ----------
    alpha : float
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.CELU()(qrs.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.celu(input, self.alpha, self.inplace)


class Hardtanh(Activation):
    """Compute ``min(max(x, min_val), max_val)``.

    Parameters
    ----------
    min_val, max_val : float
    inplace : bool
        Overwrite the input.

    Raises
    ------
    ValueError
        If ``min_val`` is not less than ``max_val``.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Hardtanh()(qrs.tensor([-3.0, 1.0]))
    tensor([-1.,  1.])
    """

    shown = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if not min_val < max_val:
            raise ValueError(
                f"Hardtanh: min_val {min_val}, max_val {max_val} came, expected the first to be "
                "less"
            )
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.hardtanh(input, self.min_val, self.max_val, self.inplace)


class Threshold(Activation):
    """Compute x where it is greater than ``threshold``, else ``value``.

    Parameters
    ----------
    threshold, value : float
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Threshold(1.0, -5.0)(qrs.tensor([0.0, 2.0]))
    tensor([-5.,  2.])
    """

    shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.threshold(input, self.threshold, self.value, self.inplace)


class Softplus(Activation):
    """Compute ``log(1 + exp(beta x)) / beta``; x itself where ``beta x > threshold``.

    Parameters
    ----------
    beta, threshold : float

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Softplus()(qrs.tensor([0.0]))
    tensor([0.6931])
    """

    shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.softplus(input, self.beta, self.threshold)


class GELU(Activation):
    """Compute ``x Phi(x)``, Phi the normal distribution function.

    Parameters
    ----------
    approximate : {"none", "tanh"}

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.GELU()(qrs.tensor([1.0]))
    tensor([0.8413])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """List the approximation."""
        return f"approximate={self.approximate!r}"


class PReLU(Activation):
    """Compute x above zero and ``weight * x`` below, with a learned weight.

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels.
    init : float
        First value of the weight.

    Attributes
    ----------
    weight : Parameter, float32, shape (num_parameters,)

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.PReLU()(qrs.tensor([-2.0, 2.0])).detach()
    tensor([-0.5000,  2.0000])
    """

    shown = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), init))

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, shape (N, C, *)."""
        return functions.prelu(input, self.weight)


class Softmax(Activation):
    """Compute ``exp(x) / sum(exp(x))`` along an axis.

    Parameters
    ----------
    dim : int, optional

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Softmax(dim=1)(qrs.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """

    shown = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.softmax(input, self.dim)


class LogSoftmax(Activation):
    """Compute ``log(softmax(x))`` along an axis.

    Parameters
    ----------
    dim : int, optional

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.LogSoftmax(dim=1)(qrs.zeros(1, 2))
    tensor([[-0.6931, -0.6931]])
    """

    shown = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.log_softmax(input, self.dim)
