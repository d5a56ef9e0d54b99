"""Shapes, devices and memory formats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Size",
    "channels_last",
    "contiguous_format",
    "device",
    "memory_format",
    "preserve_format",
]


class Size(tuple[int, ...]):
    """The extents of a tensor: a tuple with `numel`.

    Examples
    --------
    >>> Size((2, 3)).numel()
    6
    >>> Size((2, 3))
    qrs.Size([2, 3])
    """

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements.

        Examples
        --------
        >>> Size(()).numel()
        1
        """
        return math.prod(self)

    def __getitem__(self, index: Any) -> Any:
        result = tuple.__getitem__(self, index)
        return Size(result) if isinstance(index, slice) else result

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __repr__(self) -> str:
        return f"qrs.Size({list(self)})"


class device:  # noqa: N801 (PyTorch's name)
    """Where a tensor lives. There is one place: `device("cpu")`.

    Parameters
    ----------
    name : str or device
        "cpu", with or without ":0".

    Raises
    ------
    ValueError
        For any other place.

    Examples
    --------
    >>> device("cpu")
    device(type='cpu')
    """

    __slots__ = ()

    def __init__(self, name: str | device = "cpu") -> None:
        if str(name) not in ("cpu", "cpu:0"):
            raise ValueError(
                f"device: {str(name)!r} came, only 'cpu' exists; keep tensors and models where "
                "they are"
            )

    @property
    def type(self) -> str:
        """The kind of device."""
        return "cpu"

    @property
    def index(self) -> None:
        """The number of the device among its kind; the CPU has none."""
        return

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device)

    def __hash__(self) -> int:
        return hash(device)

    def __str__(self) -> str:
        return "cpu"

    def __repr__(self) -> str:
        return "device(type='cpu')"


@dataclass(frozen=True, repr=False)
class memory_format:  # noqa: N801 (PyTorch's name)
    """The order of the elements of a tensor in memory.

    Examples
    --------
    >>> channels_last
    qrs.channels_last
    """

    name: str

    def __repr__(self) -> str:
        return f"qrs.{self.name}"


contiguous_format = memory_format("contiguous_format")
channels_last = memory_format("channels_last")
preserve_format = memory_format("preserve_format")
