"""Activation layers without settings: each calls the function of the same name.

Those with settings are in `activation_settings`.
"""

from __future__ import annotations

from typing import Any

from qrs.nn.functional import activation as functions
from qrs.nn.module import Module

__all__ = [
    "SELU",
    "Activation",
    "Hardsigmoid",
    "Hardswish",
    "LogSigmoid",
    "Mish",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softsign",
    "Tanh",
    "Tanhshrink",
]


class Activation(Module):
    """Base of activations: prints the settings that a class names in ``shown``."""

    shown: tuple[str, ...] = ()

    def extra_repr(self) -> str:
        """List the settings."""
        text = [f"{name}={getattr(self, name)}" for name in self.shown]
        if getattr(self, "inplace", False):
            text.append("inplace=True")
        return ", ".join(text)


class _InPlace(Activation):
    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class ReLU(_InPlace):
    """Compute ``max(x, 0)``.

    Parameters
    ----------
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.ReLU()(qrs.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.relu(input, self.inplace)


class ReLU6(_InPlace):
    """Compute ``min(max(x, 0), 6)``.

    Parameters
    ----------
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.ReLU6()(qrs.tensor([-1.0, 7.0]))
    tensor([0., 6.])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.relu6(input, self.inplace)


class Hardswish(_InPlace):
    """Compute ``x * relu6(x + 3) / 6``.

    Parameters
    ----------
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Hardswish()(qrs.tensor([0.0, 3.0]))
    tensor([0., 3.])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.hardswish(input, self.inplace)


class Hardsigmoid(_InPlace):
    """Compute ``relu6(x + 3) / 6``.

    Parameters
    ----------
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Hardsigmoid()(qrs.tensor([-4.0, 3.0]))
    tensor([0., 1.])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.hardsigmoid(input, self.inplace)


class SiLU(_InPlace):
    """Compute ``x * sigmoid(x)``.

    Parameters
    ----------
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.SiLU()(qrs.tensor([0.0, 2.0]))
    tensor([0.0000, 1.7616])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.silu(input, self.inplace)


class Mish(_InPlace):
    """Compute ``x * tanh(softplus(x))``.

    Parameters
    ----------
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Mish()(qrs.tensor([0.0, 2.0]))
    tensor([0.0000, 1.9440])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.mish(input, self.inplace)


class SELU(_InPlace):
    """Compute ``scale * elu(x, alpha)`` with the fixed point of mean 0 and variance 1.

    Parameters
    ----------
    inplace : bool
        Overwrite the input.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.SELU()(qrs.tensor([0.0, 2.0]))
    tensor([0.0000, 2.1014])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.selu(input, self.inplace)


class Sigmoid(Activation):
    """Compute ``1 / (1 + exp(-x))``.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Sigmoid()(qrs.tensor([0.0]))
    tensor([0.5000])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.sigmoid(input)


class Tanh(Activation):
    """Compute the hyperbolic tangent.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Tanh()(qrs.tensor([0.0]))
    tensor([0.])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.tanh(input)


class LogSigmoid(Activation):
    """Compute ``log(sigmoid(x))``.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.LogSigmoid()(qrs.tensor([0.0]))
    tensor([-0.6931])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.logsigmoid(input)


class Softsign(Activation):
    """Compute ``x / (1 + |x|)``.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Softsign()(qrs.tensor([1.0]))
    tensor([0.5000])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.softsign(input)


class Tanhshrink(Activation):
    """Compute ``x - tanh(x)``.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.Tanhshrink()(qrs.tensor([0.0]))
    tensor([0.])
    """

    def forward(self, input: Any) -> Any:
        """Apply the function to ``input``, any shape."""
        return functions.tanhshrink(input)
