"""`qrs.cuda`: what scripts ask before they choose a device. There is none but the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qrs.absent import refuse

__all__ = ["device_count", "is_available"]


def is_available() -> bool:
    """Whether there is a GPU: no.

    Examples
    --------
    >>> import qrs
    >>> qrs.device("cuda" if qrs.cuda.is_available() else "cpu")
    device(type='cpu')
    """
    return False


def device_count() -> int:
    """How many GPUs there are: none."""
    return 0


if not TYPE_CHECKING:
    # Type checkers know which names there are.
    def __getattr__(name):
        refuse(__name__, name)
