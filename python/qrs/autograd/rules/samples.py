"""Inputs for the gradient checks of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from qrs.autograd.primitive import Sample

__all__ = ["Samples", "one", "two"]

# In quotes: looking at numpy.random would import it.
Samples: TypeAlias = "Callable[[np.random.Generator], list[Sample]]"


def one(low: float = -2.0, high: float = 2.0, **params: Any) -> Samples:
    """One argument, uniform in a range: a matrix, a scalar, an array without elements."""

    def make(rng: np.random.Generator) -> list[Sample]:
        shapes: list[tuple[int, ...]] = [(3, 4), (), (0, 2)]
        return [Sample(np.asarray(rng.uniform(low, high, s)), **params) for s in shapes]

    return make


def two(low: float = -2.0, high: float = 2.0) -> Samples:
    """Two arguments, broadcast in every way, and a number on either side."""

    def make(rng: np.random.Generator) -> list[Sample]:
        def draw(*shape: int) -> Any:
            return np.asarray(rng.uniform(low, high, shape))

        return [
            Sample(draw(3, 4), draw(3, 4)),
            Sample(draw(3, 4), draw(4)),
            Sample(draw(3, 1), draw(2, 1, 4)),
            Sample(draw(), draw(2)),
            Sample(draw(2, 0), draw(2, 1)),
            Sample(draw(2), 1.5),
            Sample(1.5, draw(2)),
        ]

    return make
