"""Initial values of parameters; every function fills its tensor in place and returns it.

Formulas: Glorot and Bengio 2010 (xavier), He et al. 2015, arXiv:1502.01852 (kaiming), Saxe et al.
2013, arXiv:1312.6120 (orthogonal).
"""

from __future__ import annotations

import math

import numpy as np

from qrs.autograd import no_grad
from qrs.errors import ShapeError
from qrs.tensor import Tensor

__all__ = [
    "_calculate_fan_in_and_fan_out",
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return by how much the weights must grow to make up for a nonlinearity.

    Parameters
    ----------
    nonlinearity : str
        Name of the function, as in `qrs.nn.functional`.
    param : float, optional
        The negative slope of ``"leaky_relu"`` (0.01).

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> round(calculate_gain("relu"), 4)
    1.4142
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(
            f"calculate_gain: nonlinearity {nonlinearity!r} came, expected one of: {known}"
        )
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs feed an output and how many outputs an input feeds.

    Parameters
    ----------
    tensor : Tensor, shape (out, in, *kernel)

    Raises
    ------
    ShapeError
        For fewer than two dimensions.

    Examples
    --------
    >>> import qrs
    >>> _calculate_fan_in_and_fan_out(qrs.zeros(8, 3, 5, 5))
    (75, 200)
    """
    if tensor.dim() < 2:
        raise ShapeError(
            f"init: shape {tuple(tensor.shape)} came, expected at least two dimensions to count "
            "inputs and outputs"
        )
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with numbers drawn evenly from [a, b)."""
    return tensor.uniform_(a, b)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with normally distributed numbers."""
    return tensor.normal_(mean, std)


@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    """Fill with normally distributed numbers, drawn again until they lie in [a, b].

    Raises
    ------
    ValueError
        If the interval lies more than six standard deviations from the mean.
    """
    if a >= b or mean + 6 * std < a or mean - 6 * std > b:
        raise ValueError(
            f"trunc_normal_: interval [{a}, {b}] came, expected one within six standard "
            f"deviations ({std}) of the mean {mean}"
        )
    tensor.normal_(mean, std)
    outside = (tensor < a) | (tensor > b)
    while bool(outside.any()):
        tensor[outside] = tensor[outside].normal_(mean, std)
        outside = (tensor < a) | (tensor > b)
    return tensor


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def _copy(tensor: Tensor, values: object) -> Tensor:
    with no_grad():
        return tensor.copy_(Tensor._wrap(np.asarray(values, dtype=tensor.dtype.numpy)))


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: inputs pass unchanged as far as there is room.

    Raises
    ------
    ShapeError
        If it is no matrix.
    """
    if tensor.dim() != 2:
        raise ShapeError(f"eye_: shape {tuple(tensor.shape)} came, expected two dimensions")
    return _copy(tensor, np.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution weight so that it passes its inputs unchanged as far as there is room.

    Parameters
    ----------
    tensor : Tensor, shape (out, in, *kernel) with one to three kernel axes
    groups : int
        Number of groups; each passes its own inputs.

    Raises
    ------
    ShapeError
        If the rank is not 3 to 5 or the outputs do not divide into the groups.
    """
    shape = tuple(tensor.shape)
    if not 3 <= len(shape) <= 5 or shape[0] % groups:
        raise ShapeError(
            f"dirac_: shape {shape} came, expected three to five dimensions, the first a "
            f"multiple of {groups} groups"
        )
    values = np.zeros(shape)
    each = shape[0] // groups
    centre = tuple(k // 2 for k in shape[2:])
    for group in range(groups):
        for channel in range(min(each, shape[1])):
            values[(group * each + channel, channel, *centre)] = 1
    return _copy(tensor, values)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill evenly from (-a, a), a = gain sqrt(6 / (fan_in + fan_out))."""
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill normally with standard deviation gain sqrt(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode {mode!r} came, expected 'fan_in' or 'fan_out'")
    fan = _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill evenly from (-b, b), b = gain sqrt(3 / fan).

    Parameters
    ----------
    tensor : Tensor, shape (out, in, *kernel)
    a : float
        Negative slope of the leaky ReLU that follows.
    mode : {"fan_in", "fan_out"}
        Keep the variance of the forward or of the backward pass.
    nonlinearity : str
        See `calculate_gain`.
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill normally with standard deviation gain / sqrt(fan); see `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with a (semi-)orthogonal matrix, all axes but the first taken as one.

    Raises
    ------
    ShapeError
        For fewer than two dimensions.
    """
    if tensor.dim() < 2:
        raise ShapeError(
            f"orthogonal_: shape {tuple(tensor.shape)} came, expected at least two dimensions"
        )
    rows = tensor.shape[0]
    noise = normal_(Tensor._wrap(np.empty((rows, math.prod(tensor.shape[1:])))))._array
    q, r = np.linalg.qr(noise if rows >= noise.shape[1] else noise.T)
    q = q * np.sign(np.diag(r))
    return _copy(tensor, gain * (q if rows >= noise.shape[1] else q.T).reshape(tensor.shape))
