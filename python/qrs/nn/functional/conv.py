"""Convolution and transposed convolution in one, two and three dimensions.

Both are built from the three maps of `conv_arrays`, each of which is the gradient of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, define, vjp
from qrs.autograd.arrays import Array
from qrs.errors import ShapeError
from qrs.nn.functional.affine import check_floats
from qrs.nn.functional.conv_arrays import Geometry, correlate, match, spread
from qrs.nn.functional.padding import pad
from qrs.nn.functional.windows import (
    check_images,
    check_output_padding,
    output_size,
    to_tuple,
)
from qrs.tensor import Tensor, apply

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]

Ints = int | Sequence[int]


def _add_bias(y: Array, bias: Array | None) -> Array:
    if bias is not None:
        y += bias.reshape(-1, *(1,) * (y.ndim - 2))
    return y


def _bias_grad(g: Array) -> Array:
    out: Array = g.sum(axis=(0, *range(2, g.ndim)))
    return out


def _geometry(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Geometry:
    n = len(size)
    s, p, d = (stride,) * n, (padding,) * n, (dilation,) * n
    out = output_size(size, kernel, s, p, d, "conv")
    return Geometry(tuple(size), out, tuple(kernel), s, p, d, groups)


def _conv_samples(rng: np.random.Generator) -> Iterable[Sample]:
    normal = rng.standard_normal
    for geometry, channels, outputs in (
        (_geometry((5,), (3,), stride=2, padding=1), 2, 3),
        (_geometry((4, 5), (3, 2), dilation=2, padding=2, groups=2), 4, 2),
        (_geometry((4, 4), (3, 3), padding=1, groups=3), 3, 3),
        (_geometry((3, 3), (1, 1)), 2, 3),
        (_geometry((3, 2, 3), (2, 2, 2)), 1, 2),
    ):
        weight = normal((outputs, channels // geometry.groups, *geometry.kernel))
        yield Sample(
            normal((2, channels, *geometry.size)), weight, normal(outputs), geometry=geometry
        )


def _transpose_samples(rng: np.random.Generator) -> Iterable[Sample]:
    normal = rng.standard_normal
    for sample in _conv_samples(rng):
        geometry, weight = sample.params["geometry"], sample.args[1]
        outputs = weight.shape[1] * geometry.groups
        x = normal((2, len(weight), *geometry.out))
        yield Sample(x, weight, normal(outputs), geometry=geometry)


CONV = define(
    "conv",
    lambda x, weight, bias, *, geometry: _add_bias(correlate(x, weight, geometry), bias),
    vjp(lambda g, ans, x, weight, bias, *, geometry: spread(g, weight, geometry), "weight"),
    vjp(lambda g, ans, x, weight, bias, *, geometry: match(x, g, geometry), "x"),
    vjp(lambda g, ans, x, weight, bias, *, geometry: _bias_grad(g)),
    samples=_conv_samples,
)

CONV_TRANSPOSE = define(
    "conv_transpose",
    lambda x, weight, bias, *, geometry: _add_bias(spread(x, weight, geometry), bias),
    vjp(lambda g, ans, x, weight, bias, *, geometry: correlate(g, weight, geometry), "weight"),
    vjp(lambda g, ans, x, weight, bias, *, geometry: match(g, x, geometry), "x"),
    vjp(lambda g, ans, x, weight, bias, *, geometry: _bias_grad(g)),
    samples=_transpose_samples,
)


def _check(
    where: str,
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    groups: int,
    channel_axis: int,
) -> None:
    """Check types and ranks, and that the channels of input, weight and bias agree.

    ``channel_axis`` is the axis of the weight that holds the input channels.
    """
    check_floats(where, input=input, weight=weight, bias=bias)
    if weight.dim() != rank + 2 or weight.shape[0] % groups:
        raise ShapeError(
            f"{where}: weight of shape {tuple(weight.shape)} came for {groups} groups, expected "
            f"{rank + 2} dimensions, the first a multiple of the groups"
        )
    per_group = groups if channel_axis == 1 else 1
    outputs = weight.shape[1 - channel_axis] * (groups if channel_axis == 0 else 1)
    check_images(where, rank, input.shape, weight.shape[channel_axis] * per_group)
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise ShapeError(f"{where}: bias of shape {tuple(bias.shape)} came, expected ({outputs},)")


def _same_padding(
    where: str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return what to add before and after each axis so that the size stays."""
    if any(s != 1 for s in stride):
        raise ValueError(f"{where}: padding 'same' came with stride {tuple(stride)}, expected 1")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [t // 2 for t in total], [t - t // 2 for t in total]


def _conv(
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Ints,
    padding: Ints | str,
    dilation: Ints,
    groups: int,
) -> Tensor:
    where = f"conv{rank}d"
    _check(where, rank, input, weight, bias, groups, 1)
    x = input if input.dim() == rank + 2 else input.unsqueeze(0)
    kernel = tuple(weight.shape[2:])
    strides = to_tuple(stride, rank, where, "stride")
    dilations = to_tuple(dilation, rank, where, "dilation")
    if padding == "same":
        before, after = _same_padding(where, kernel, strides, dilations)
        paddings = tuple(before)
        if before != after:
            pairs = zip(reversed(before), reversed(after), strict=True)
            x = pad(x, [n for pair in pairs for n in pair])
            paddings = (0,) * rank
    elif isinstance(padding, str):
        if padding != "valid":
            raise ValueError(
                f"{where}: padding {padding!r} came, expected numbers, 'same' or 'valid'"
            )
        paddings = (0,) * rank
    else:
        paddings = to_tuple(padding, rank, where, "padding")
    size = tuple(x.shape[2:])
    out = output_size(size, kernel, strides, paddings, dilations, where)
    geometry = Geometry(size, out, kernel, strides, paddings, dilations, groups)
    y: Tensor = apply(CONV, x, weight, bias, geometry=geometry)
    return y if input.dim() == rank + 2 else y.squeeze(0)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve over one spatial axis; see `conv2d`.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.conv1d(qrs.tensor([[[1.0, 2.0, 3.0]]]), qrs.ones(1, 1, 2))
    tensor([[[3., 5.]]])
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve (cross-correlate) images with a weight.

    Parameters
    ----------
    input : Tensor, float, shape (N, C, H, W) or (C, H, W)
    weight : Tensor, float, shape (O, C / groups, KH, KW)
    bias : Tensor, float, shape (O,), optional
    stride, dilation : int or sequence of int
    padding : int, sequence of int, "same" or "valid"
        Zeros around the input; "same" keeps the size.
    groups : int
        Cut the channels into so many groups that do not see each other.

    Returns
    -------
    Tensor, shape (N, O, OH, OW)
        OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1.

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.conv2d(qrs.ones(1, 1, 2, 2), qrs.ones(1, 1, 2, 2))
    tensor([[[[4.]]]])
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve over three spatial axes; see `conv2d`.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> float(F.conv3d(qrs.ones(1, 1, 2, 2, 2), qrs.ones(1, 1, 2, 2, 2)))
    8.0
    """
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
) -> Tensor:
    where = f"conv_transpose{rank}d"
    _check(where, rank, input, weight, bias, groups, 0)
    x = input if input.dim() == rank + 2 else input.unsqueeze(0)
    kernel = tuple(weight.shape[2:])
    strides = to_tuple(stride, rank, where, "stride")
    paddings = to_tuple(padding, rank, where, "padding")
    extra = to_tuple(output_padding, rank, where, "output_padding")
    dilations = to_tuple(dilation, rank, where, "dilation")
    check_output_padding(where, extra, strides, dilations)
    small = tuple(x.shape[2:])
    numbers = zip(small, kernel, strides, paddings, extra, dilations, strict=True)
    size = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, e, d in numbers)
    if min(size) < 1:
        raise ShapeError(
            f"{where}: input of shape {tuple(input.shape)} came, the output would have the "
            f"spatial size {size}; use less padding or a larger input"
        )
    geometry = Geometry(size, small, kernel, strides, paddings, dilations, groups)
    y: Tensor = apply(CONV_TRANSPOSE, x, weight, bias, geometry=geometry)
    return y if input.dim() == rank + 2 else y.squeeze(0)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """Apply the transposed convolution over one spatial axis; see `conv_transpose2d`.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.conv_transpose1d(qrs.tensor([[[1.0, 2.0]]]), qrs.ones(1, 1, 2), stride=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return _conv_transpose(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """Apply the transposed convolution, the gradient of `conv2d` with respect to its input.

    Parameters
    ----------
    input : Tensor, float, shape (N, C, H, W) or (C, H, W)
    weight : Tensor, float, shape (C, O / groups, KH, KW)
    bias : Tensor, float, shape (O,), optional
    stride, padding, dilation : int or sequence of int
        Those of the convolution.
    output_padding : int or sequence of int
        Rows and columns that the convolution had left over.
    groups : int

    Returns
    -------
    Tensor, shape (N, O, OH, OW)
        OH = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1.

    Raises
    ------
    ShapeError, DtypeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.conv_transpose2d(qrs.ones(1, 1, 1, 1), qrs.ones(1, 1, 1, 2))
    tensor([[[[1., 1.]]]])
    """
    return _conv_transpose(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """Apply the transposed convolution over three spatial axes; see `conv_transpose2d`.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> tuple(F.conv_transpose3d(qrs.ones(1, 1, 1, 1, 1), qrs.ones(1, 2, 2, 2, 2)).shape)
    (1, 2, 2, 2, 2)
    """
    return _conv_transpose(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )
