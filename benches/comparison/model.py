"""The words of a comparison: rows of work, and the contenders that do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Contender:
    """One way to do the work of a row.

    Attributes
    ----------
    name : str
    call : callable
        The work, once, as a user of Python calls it.
    output : callable
        What a call returned, as an array.
    role : {"qrs", "peer", "float", "context"}
        qrs, one of those it is compared with, the same work in float, or something to know beside.
    exact : array, optional
        The output with the contender's own integers, scales and zero points, but summed without
        error. What differs from it was lost inside the product.
    less : callable, optional
        A shorter call. The row's work takes the difference of both, over `over`: what a layer costs
        inside a graph that has more of them.
    over : int
    """

    name: str
    call: Callable[[], Any]
    output: Callable[[Any], Array]
    role: str = "peer"
    exact: Array | None = None
    less: Callable[[], Any] | None = None
    over: int = 1


@dataclass(frozen=True)
class Stage:
    """A part of a row's work: some products, and the weight bytes that they read once.

    Attributes
    ----------
    products : int
    weight_bytes : int
    times : int
        How often it is done, one after the other.
    """

    products: int
    weight_bytes: int
    times: int = 1


@dataclass(frozen=True)
class Row:
    """Work to compare on.

    Attributes
    ----------
    name : str
    stages : tuple of Stage
        What bounds the time from below.
    build : callable
        ``build(threads)`` gives the output in double precision and the contenders.
    """

    name: str
    stages: tuple[Stage, ...]
    build: Callable[[int], tuple[Array, list[Contender]]]

    @property
    def products(self) -> int:
        """Multiply-adds in all."""
        return sum(stage.products * stage.times for stage in self.stages)


def difference(found: Array, wanted: Array) -> float:
    """Root mean square of the difference, over that of what was wanted."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    return float(np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)))
