"""Affine maps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, define, vjp
from qrs.autograd.arrays import Array
from qrs.errors import DtypeError, ShapeError, instead_of, type_name
from qrs.nn.functional.products import times_transposed
from qrs.tensor import Tensor, apply

__all__ = ["bilinear", "check_features", "check_floats", "linear"]


def check_floats(where: str, **tensors: Any) -> None:
    """Refuse what is no floating-point tensor, or tensors of different types.

    Raises
    ------
    DtypeError
        Names the argument, its type, and what was expected.
    """
    kinds = {}
    for name, value in tensors.items():
        if value is None:
            continue
        if getattr(value, "is_quantized", False):
            raise DtypeError(
                f"{where}: {name} is a quantized tensor, expected a float one; insert a "
                "DeQuantStub before this module or, if it has a quantized form, give it a qconfig "
                "and convert it"
            )
        if not isinstance(value, Tensor):
            raise DtypeError(
                f"{where}: {name} is a {type_name(value)}, expected a Tensor; {instead_of(value)}"
            )
        if value._array.dtype.kind != "f":
            raise DtypeError(
                f"{where}: {name} of dtype {value.dtype} came, expected a floating-point tensor; "
                "convert it with .float()"
            )
        kinds[name] = value._array.dtype
    if len(set(kinds.values())) > 1:
        came = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        raise DtypeError(
            f"{where}: {came} came, expected one dtype; convert the input or the module with .to()"
        )


def check_features(where: str, shape: Sequence[int], features: int) -> None:
    """Raise unless the last axis of a shape has so many features.

    Raises
    ------
    ShapeError
        Says what to do where axes were left apart, or the axis of samples is missing.
    """
    given = tuple(shape)
    if given[-1:] == (features,):
        return
    hint = ""
    if math.prod(given[1:]) == features:
        hint = "; use x.flatten(1) before"
    elif math.prod(given) == features:
        hint = "; one sample needs an axis of samples too: give the model x.unsqueeze(0)"
    raise ShapeError(f"{where}: input of shape {given} came, expected (..., {features}){hint}")


def _linear(x: Array, weight: Array, bias: Array | None) -> Array:
    # One matrix product for any number of leading axes.
    out = times_transposed(x if x.ndim == 2 else x.reshape(-1, x.shape[-1]), weight)
    if bias is not None:
        out += bias
    return out if x.ndim == 2 else out.reshape(*x.shape[:-1], len(weight))


def _rows(a: Array) -> Array:
    return a.reshape(-1, a.shape[-1])


def _linear_samples(rng: np.random.Generator) -> Iterable[Sample]:
    normal = rng.standard_normal
    yield Sample(normal((5, 3)), normal((2, 3)), normal(2))
    yield Sample(normal((2, 2, 3)), normal((4, 3)), None)
    yield Sample(normal(3), normal((4, 3)), normal(4))


LINEAR = define(
    "linear",
    _linear,
    vjp(lambda g, ans, x, weight, bias: g @ weight, "weight"),
    vjp(lambda g, ans, x, weight, bias: _rows(g).T @ _rows(x), "x"),
    vjp(lambda g, ans, x, weight, bias: _rows(g).sum(axis=0)),
    samples=_linear_samples,
)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``input @ weight.T + bias``.

    Parameters
    ----------
    input : Tensor, float, shape (*, K)
    weight : Tensor, float, shape (N, K)
    bias : Tensor, float, shape (N,), optional

    Returns
    -------
    Tensor, shape (*, N)

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.linear(qrs.tensor([[1.0, 2.0]]), qrs.tensor([[3.0, 4.0]]), qrs.tensor([0.5]))
    tensor([[11.5000]])
    """
    try:
        fits = input._array.shape[-1] == weight._array.shape[1]
        kind = input._array.dtype
        fits = fits and kind == weight._array.dtype and kind.kind == "f"
    except (AttributeError, IndexError):
        fits = False
    if not fits:
        _explain(input, weight, bias)
    return apply(LINEAR, input, weight, bias)


def _explain(input: Any, weight: Any, bias: Any) -> None:
    check_floats("linear", input=input, weight=weight, bias=bias)
    check_features("linear", input.shape, weight.shape[-1])


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``y[n] = input1 @ weight[n] @ input2 + bias[n]``.

    Parameters
    ----------
    input1 : Tensor, float, shape (*, K1)
    input2 : Tensor, float, shape (*, K2)
    weight : Tensor, float, shape (N, K1, K2)
    bias : Tensor, float, shape (N,), optional

    Returns
    -------
    Tensor, shape (*, N)

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.bilinear(qrs.ones(4, 2), qrs.ones(4, 3), qrs.ones(5, 2, 3)).shape[-1]
    5
    """
    check_floats("bilinear", input1=input1, input2=input2, weight=weight, bias=bias)
    n, k1, k2 = weight.shape
    lead = tuple(input1.shape[:-1])
    if tuple(input1.shape[-1:]) != (k1,) or tuple(input2.shape) != (*lead, k2):
        raise ShapeError(
            f"bilinear: inputs of shapes {tuple(input1.shape)} and {tuple(input2.shape)} came, "
            f"expected last dimensions {k1} and {k2} and equal leading ones"
        )
    # (rows, K1) @ (K1, N K2) -> (rows, N, K2), then the product with each row's second input.
    left = input1.reshape(-1, k1) @ weight.permute(1, 0, 2).reshape(k1, n * k2)
    rows = (left.reshape(-1, n, k2) * input2.reshape(-1, 1, k2)).sum(-1)
    out = rows.reshape(*lead, n)
    return out if bias is None else out + bias
