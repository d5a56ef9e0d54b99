"""Padding layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qrs.nn.functional.padding import pad
from qrs.nn.functional.windows import to_tuple
from qrs.nn.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Padding(Module):
    """Base: ``padding`` as the constructor takes it, turned into two numbers per spatial axis."""

    rank = 0
    mode = "constant"
    value = 0.0

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = to_tuple(padding, 2 * self.rank, type(self).__name__, "padding")

    def forward(self, input: Any) -> Any:
        """Pad the spatial axes of ``input``."""
        return pad(input, self.padding, self.mode, self.value if self.mode == "constant" else None)

    def extra_repr(self) -> str:
        """List the padding."""
        return f"{self.padding}"


class _ConstantPad(_Padding):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """List padding and value."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Pad 1 spatial axis with a value.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or two numbers.
    value : float

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ConstantPad1d(1, 0.5)(qrs.zeros(1, 1, 2)).shape)
    (1, 1, 4)
    """

    rank = 1


class ConstantPad2d(_ConstantPad):
    """Pad 2 spatial axes with a value.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or four numbers (left, right, top, bottom).
    value : float

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ConstantPad2d(1, 0.5)(qrs.zeros(1, 1, 2, 2)).shape)
    (1, 1, 4, 4)
    """

    rank = 2


class ConstantPad3d(_ConstantPad):
    """Pad 3 spatial axes with a value.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or six numbers, the last axis first.
    value : float

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ConstantPad3d(1, 0.5)(qrs.zeros(1, 1, 2, 2, 2)).shape)
    (1, 1, 4, 4, 4)
    """

    rank = 3


class ZeroPad1d(_Padding):
    """Pad 1 spatial axis with zeros.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or two numbers.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ZeroPad1d(1)(qrs.zeros(1, 1, 2)).shape)
    (1, 1, 4)
    """

    rank = 1


class ZeroPad2d(_Padding):
    """Pad 2 spatial axes with zeros.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or four numbers (left, right, top, bottom).

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ZeroPad2d(1)(qrs.zeros(1, 1, 2, 2)).shape)
    (1, 1, 4, 4)
    """

    rank = 2


class ZeroPad3d(_Padding):
    """Pad 3 spatial axes with zeros.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or six numbers, the last axis first.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ZeroPad3d(1)(qrs.zeros(1, 1, 2, 2, 2)).shape)
    (1, 1, 4, 4, 4)
    """

    rank = 3


class ReflectionPad1d(_Padding):
    """Pad 1 spatial axis with a mirror image.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or two numbers.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ReflectionPad1d(1)(qrs.zeros(1, 1, 2)).shape)
    (1, 1, 4)
    """

    rank = 1
    mode = "reflect"


class ReflectionPad2d(_Padding):
    """Pad 2 spatial axes with a mirror image.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or four numbers (left, right, top, bottom).

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ReflectionPad2d(1)(qrs.zeros(1, 1, 2, 2)).shape)
    (1, 1, 4, 4)
    """

    rank = 2
    mode = "reflect"


class ReflectionPad3d(_Padding):
    """Pad 3 spatial axes with a mirror image.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or six numbers, the last axis first.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ReflectionPad3d(1)(qrs.zeros(1, 1, 2, 2, 2)).shape)
    (1, 1, 4, 4, 4)
    """

    rank = 3
    mode = "reflect"


class ReplicationPad1d(_Padding):
    """Pad 1 spatial axis by repeating the border.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or two numbers.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ReplicationPad1d(1)(qrs.zeros(1, 1, 2)).shape)
    (1, 1, 4)
    """

    rank = 1
    mode = "replicate"


class ReplicationPad2d(_Padding):
    """Pad 2 spatial axes by repeating the border.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or four numbers (left, right, top, bottom).

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ReplicationPad2d(1)(qrs.zeros(1, 1, 2, 2)).shape)
    (1, 1, 4, 4)
    """

    rank = 2
    mode = "replicate"


class ReplicationPad3d(_Padding):
    """Pad 3 spatial axes by repeating the border.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or six numbers, the last axis first.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.ReplicationPad3d(1)(qrs.zeros(1, 1, 2, 2, 2)).shape)
    (1, 1, 4, 4, 4)
    """

    rank = 3
    mode = "replicate"


class CircularPad1d(_Padding):
    """Pad 1 spatial axis with the opposite side.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or two numbers.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.CircularPad1d(1)(qrs.zeros(1, 1, 2)).shape)
    (1, 1, 4)
    """

    rank = 1
    mode = "circular"


class CircularPad2d(_Padding):
    """Pad 2 spatial axes with the opposite side.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or four numbers (left, right, top, bottom).

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.CircularPad2d(1)(qrs.zeros(1, 1, 2, 2)).shape)
    (1, 1, 4, 4)
    """

    rank = 2
    mode = "circular"


class CircularPad3d(_Padding):
    """Pad 3 spatial axes with the opposite side.

    Parameters
    ----------
    padding : int or sequence of int
        One number for all sides, or six numbers, the last axis first.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.CircularPad3d(1)(qrs.zeros(1, 1, 2, 2, 2)).shape)
    (1, 1, 4, 4, 4)
    """

    rank = 3
    mode = "circular"
