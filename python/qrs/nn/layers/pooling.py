"""Pooling layers: each calls the function of the same purpose in `qrs.nn.functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qrs.nn.functional import adaptive_pooling, pooling
from qrs.nn.functional.windows import to_tuple
from qrs.nn.module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]

Ints = int | Sequence[int]


class _MaxPool(Module):
    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        dilation: Ints = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def _arguments(self) -> Any:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        """List the settings."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class _AvgPool(Module):
    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def _arguments(self) -> Any:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self) -> str:
        """List the settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPoolDivisor(_AvgPool):
    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.divisor_override = divisor_override

    def _arguments(self) -> Any:
        return (*super()._arguments(), self.divisor_override)


class _Adaptive(Module):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        """List the output size."""
        return f"output_size={self.output_size}"


class _AdaptiveMax(_Adaptive):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class MaxPool1d(_MaxPool):
    """Take the largest value of each window of (N, C, L); parameters as `MaxPool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.MaxPool1d(2)(qrs.zeros(1, 1, 4)).shape)
    (1, 1, 2)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, L) or (C, L)."""
        return pooling.max_pool1d(input, *self._arguments())


class MaxPool2d(_MaxPool):
    """Take the largest value of each window.

    Parameters
    ----------
    kernel_size : int or sequence of int
    stride : int or sequence of int, optional
        The kernel size by default.
    padding, dilation : int or sequence of int
        The padding counts as minus infinity.
    return_indices : bool
        Also return where each maximum stands, counted over the flattened spatial axes.
    ceil_mode : bool
        Round the number of windows up rather than down.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.MaxPool2d(2)(qrs.zeros(1, 1, 4, 4)).shape)
    (1, 1, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, H, W) or (C, H, W)."""
        return pooling.max_pool2d(input, *self._arguments())


class MaxPool3d(_MaxPool):
    """Take the largest value of each window of (N, C, D, H, W); parameters as `MaxPool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.MaxPool3d(2)(qrs.zeros(1, 1, 4, 4, 4)).shape)
    (1, 1, 2, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, D, H, W) or (C, D, H, W)."""
        return pooling.max_pool3d(input, *self._arguments())


class AvgPool1d(_AvgPool):
    """Average each window of (N, C, L); parameters as `AvgPool2d`, but for `divisor_override`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AvgPool1d(2)(qrs.zeros(1, 1, 4)).shape)
    (1, 1, 2)
    """

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        # One-entry tuples, as PyTorch keeps and prints them for this layer alone.
        one = [to_tuple(n, 1, "AvgPool1d", "size") for n in (kernel_size, padding)]
        own = None if stride is None else to_tuple(stride, 1, "AvgPool1d", "stride")
        super().__init__(one[0], own, one[1], ceil_mode, count_include_pad)

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, L) or (C, L)."""
        return pooling.avg_pool1d(input, *self._arguments())


class AvgPool2d(_AvgPoolDivisor):
    """Average each window.

    Parameters
    ----------
    kernel_size : int or sequence of int
    stride : int or sequence of int, optional
        The kernel size by default.
    padding : int or sequence of int
        Zeros around the input.
    ceil_mode : bool
        Round the number of windows up rather than down.
    count_include_pad : bool
        Whether the padding counts in the average.
    divisor_override : int, optional
        Divide by this number instead.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AvgPool2d(2)(qrs.zeros(1, 1, 4, 4)).shape)
    (1, 1, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, H, W) or (C, H, W)."""
        return pooling.avg_pool2d(input, *self._arguments())


class AvgPool3d(_AvgPoolDivisor):
    """Average each window of (N, C, D, H, W); parameters as `AvgPool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AvgPool3d(2)(qrs.zeros(1, 1, 4, 4, 4)).shape)
    (1, 1, 2, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, D, H, W) or (C, D, H, W)."""
        return pooling.avg_pool3d(input, *self._arguments())


class AdaptiveAvgPool1d(_Adaptive):
    """Average windows chosen for a given output size; parameters as `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AdaptiveAvgPool1d(3)(qrs.zeros(1, 1, 4)).shape)
    (1, 1, 3)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, L) or (C, L)."""
        return adaptive_pooling.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_Adaptive):
    """Average windows chosen for a given output size.

    Parameters
    ----------
    output_size : int, None, or sequence of them
        None keeps the size of an axis.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AdaptiveAvgPool2d(3)(qrs.zeros(1, 1, 4, 4)).shape)
    (1, 1, 3, 3)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, H, W) or (C, H, W)."""
        return adaptive_pooling.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_Adaptive):
    """Average windows chosen for a given output size; parameters as `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AdaptiveAvgPool3d(3)(qrs.zeros(1, 1, 4, 4, 4)).shape)
    (1, 1, 3, 3, 3)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, D, H, W) or (C, D, H, W)."""
        return adaptive_pooling.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """Take the largest value of windows that fit an output size; parameters as `AdaptiveMaxPool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AdaptiveMaxPool1d(3)(qrs.zeros(1, 1, 4)).shape)
    (1, 1, 3)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, L) or (C, L)."""
        return adaptive_pooling.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMax):
    """Take the largest value of windows chosen for a given output size.

    Parameters
    ----------
    output_size : int, None, or sequence of them
        None keeps the size of an axis.
    return_indices : bool
        Also return where each maximum stands, counted over the flattened spatial axes.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AdaptiveMaxPool2d(3)(qrs.zeros(1, 1, 4, 4)).shape)
    (1, 1, 3, 3)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, H, W) or (C, H, W)."""
        return adaptive_pooling.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMax):
    """Take the largest value of windows that fit an output size; parameters as `AdaptiveMaxPool2d`.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.AdaptiveMaxPool3d(3)(qrs.zeros(1, 1, 4, 4, 4)).shape)
    (1, 1, 3, 3, 3)
    """

    def forward(self, input: Any) -> Any:
        """Pool ``input``, shape (N, C, D, H, W) or (C, D, H, W)."""
        return adaptive_pooling.adaptive_max_pool3d(input, self.output_size, self.return_indices)
