"""Quantized convolutions and linear layers as functions, which pack their weight on each call."""

from __future__ import annotations

from typing import Any

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import quint8
from qrs.errors import DtypeError, ShapeError, type_name
from qrs.nn.layers.conv_settings import Ints
from qrs.nn.quantized.conv import Conv1d, Conv2d, Conv3d
from qrs.nn.quantized.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from qrs.nn.quantized.linear import Linear
from qrs.nn.quantized.output import refuse_input
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "linear",
]


def _check(where: str, input: Any, weight: Any, dimensions: int) -> None:
    if not isinstance(input, QTensor) or input.qscheme().is_per_channel:
        refuse_input(where, input)
    if not isinstance(weight, QTensor):
        raise DtypeError(
            f"{where}: weight is a {type_name(weight)}, expected a QTensor; make one with "
            "qrs.quantize_per_tensor or qrs.quantize_per_channel"
        )
    if weight.dim() != dimensions:
        raise ShapeError(
            f"{where}: weight of shape {tuple(weight.shape)} came, expected {dimensions} dimensions"
        )


def _conv(
    cls: type[Conv1d | Conv2d | Conv3d],
    input: Any,
    weight: Any,
    bias: Tensor | None,
    settings: tuple[Any, Any, Any, int],
    padding_mode: str,
    output: tuple[float, int],
) -> QTensor:
    _check(f"quantized.{cls.__name__.lower()}", input, weight, cls.rank + 2)
    groups = settings[-1]
    layer = cls(
        weight.shape[1] * groups,
        weight.shape[0],
        weight.shape[2:],
        *settings,
        bias is not None,
        padding_mode,
    )
    return _applied(layer, input, weight, bias, output)


def _applied(
    layer: Any, input: Any, weight: QTensor, bias: Tensor | None, output: tuple[float, int]
) -> QTensor:
    layer._set_output(*output, input.dtype)
    layer.set_weight_bias(weight, bias)
    result: QTensor = layer(input)
    return result


def conv1d(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    scale: float = 1.0,
    zero_point: int = 0,
    dtype: Dtype = quint8,
) -> QTensor:
    """Convolve (N, C, L); see `conv2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 2, 5), 0.5, 0, qrs.quint8)
    >>> w = qrs.quantize_per_tensor(qrs.ones(3, 2, 2), 0.5, 0, qrs.qint8)
    >>> tuple(qrs.nn.quantized.functional.conv1d(x, w, None).shape)
    (1, 3, 4)
    """
    del dtype
    settings = (stride, padding, dilation, groups)
    return _conv(Conv1d, input, weight, bias, settings, padding_mode, (scale, zero_point))


def conv2d(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    scale: float = 1.0,
    zero_point: int = 0,
    dtype: Dtype = quint8,
) -> QTensor:
    """Convolve images, under the profile in force.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, shape (N, C, H, W) or (C, H, W)
    weight : QTensor, qint8, shape (O, C / groups, KH, KW)
        Packed on each call: `nn.quantized.Conv2d` does so once.
    bias : Tensor, float32, shape (O,), or None
    stride, padding, dilation, groups, padding_mode
        As `nn.Conv2d`.
    scale, zero_point : float, int
        Of the output.
    dtype : dtype
        Has no effect: the output has the type of the input.

    Returns
    -------
    QTensor, shape (N, O, H', W') or (O, H', W')

    Raises
    ------
    DtypeError, ShapeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 2, 4, 4), 0.5, 0, qrs.quint8)
    >>> w = qrs.quantize_per_tensor(qrs.ones(3, 2, 2, 2), 0.5, 0, qrs.qint8)
    >>> tuple(qrs.nn.quantized.functional.conv2d(x, w, None).shape)
    (1, 3, 3, 3)
    """
    del dtype
    settings = (stride, padding, dilation, groups)
    return _conv(Conv2d, input, weight, bias, settings, padding_mode, (scale, zero_point))


def conv3d(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    scale: float = 1.0,
    zero_point: int = 0,
    dtype: Dtype = quint8,
) -> QTensor:
    """Convolve (N, C, D, H, W); see `conv2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 2, 3, 3, 3), 0.5, 0, qrs.quint8)
    >>> w = qrs.quantize_per_tensor(qrs.ones(3, 2, 2, 2, 2), 0.5, 0, qrs.qint8)
    >>> tuple(qrs.nn.quantized.functional.conv3d(x, w, None).shape)
    (1, 3, 2, 2, 2)
    """
    del dtype
    settings = (stride, padding, dilation, groups)
    return _conv(Conv3d, input, weight, bias, settings, padding_mode, (scale, zero_point))


def _conv_transpose(
    cls: type[ConvTranspose1d | ConvTranspose2d | ConvTranspose3d],
    input: Any,
    weight: Any,
    bias: Tensor | None,
    settings: tuple[Any, Any, Any, int, Any],
    output: tuple[float, int],
) -> QTensor:
    _check(f"quantized.conv_transpose{cls.rank}d", input, weight, cls.rank + 2)
    stride, padding, output_padding, groups, dilation = settings
    layer = cls(
        weight.shape[0],
        weight.shape[1] * groups,
        weight.shape[2:],
        stride,
        padding,
        output_padding,
        groups,
        bias is not None,
        dilation,
    )
    return _applied(layer, input, weight, bias, output)


def conv_transpose1d(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    scale: float = 1.0,
    zero_point: int = 0,
) -> QTensor:
    """Apply the transposed convolution to (N, C, L); see `conv_transpose2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 2, 3), 0.5, 0, qrs.quint8)
    >>> w = qrs.quantize_per_tensor(qrs.ones(2, 3, 2), 0.5, 0, qrs.qint8)
    >>> tuple(qrs.nn.quantized.functional.conv_transpose1d(x, w, stride=2).shape)
    (1, 3, 6)
    """
    settings = (stride, padding, output_padding, groups, dilation)
    output = (scale, zero_point)
    return _conv_transpose(ConvTranspose1d, input, weight, bias, settings, output)


def conv_transpose2d(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    scale: float = 1.0,
    zero_point: int = 0,
) -> QTensor:
    """Apply the transposed convolution to images, under the profile in force.

    PyTorch has none of these; the parameters are those of its float functions.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, shape (N, C, H, W) or (C, H, W)
    weight : QTensor, qint8, shape (C, O / groups, KH, KW)
        Packed on each call: `nn.quantized.ConvTranspose2d` does so once.
    bias : Tensor, float32, shape (O,), or None
    stride, padding, output_padding, groups, dilation
        As `nn.ConvTranspose2d`.
    scale, zero_point : float, int
        Of the output, which has the type of the input.

    Returns
    -------
    QTensor, shape (N, O, H', W') or (O, H', W')

    Raises
    ------
    DtypeError, ShapeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 2, 3, 3), 0.5, 0, qrs.quint8)
    >>> w = qrs.quantize_per_tensor(qrs.ones(2, 3, 2, 2), 0.5, 0, qrs.qint8)
    >>> tuple(qrs.nn.quantized.functional.conv_transpose2d(x, w, stride=2).shape)
    (1, 3, 6, 6)
    """
    settings = (stride, padding, output_padding, groups, dilation)
    output = (scale, zero_point)
    return _conv_transpose(ConvTranspose2d, input, weight, bias, settings, output)


def conv_transpose3d(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    scale: float = 1.0,
    zero_point: int = 0,
) -> QTensor:
    """Apply the transposed convolution to (N, C, D, H, W); see `conv_transpose2d`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 2, 3, 3, 3), 0.5, 0, qrs.quint8)
    >>> w = qrs.quantize_per_tensor(qrs.ones(2, 3, 2, 2, 2), 0.5, 0, qrs.qint8)
    >>> tuple(qrs.nn.quantized.functional.conv_transpose3d(x, w, stride=2).shape)
    (1, 3, 6, 6, 6)
    """
    settings = (stride, padding, output_padding, groups, dilation)
    output = (scale, zero_point)
    return _conv_transpose(ConvTranspose3d, input, weight, bias, settings, output)


def linear(
    input: QTensor,
    weight: QTensor,
    bias: Tensor | None = None,
    scale: float | None = None,
    zero_point: int | None = None,
) -> QTensor:
    """Compute ``input @ weight.T + bias``, under the profile in force.

    Parameters
    ----------
    input : QTensor, quint8 or qint8, shape (*, K)
    weight : QTensor, qint8, shape (N, K)
        Packed on each call: `nn.quantized.Linear` does so once.
    bias : Tensor, float32, shape (N,), optional
    scale, zero_point : float, int, optional
        Of the output; those of the input by default.

    Returns
    -------
    QTensor, shape (*, N)

    Raises
    ------
    DtypeError, ShapeError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.ones(1, 2), 0.5, 0, qrs.quint8)
    >>> w = qrs.quantize_per_tensor(qrs.ones(3, 2), 0.5, 0, qrs.qint8)
    >>> qrs.nn.quantized.functional.linear(x, w).dequantize()
    tensor([[2., 2., 2.]])
    """
    _check("quantized.linear", input, weight, 2)
    layer = Linear(weight.shape[-1], weight.shape[0], bias is not None)
    layer._set_output(
        input.q_scale() if scale is None else scale,
        input.q_zero_point() if zero_point is None else zero_point,
        input.dtype,
    )
    layer.set_weight_bias(weight, bias)
    result: QTensor = layer(input)
    return result
