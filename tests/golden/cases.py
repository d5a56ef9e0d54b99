"""Reads the golden files: one `Case` per measured call."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(os.environ.get("QRS_GOLDEN_DIR", Path(__file__).parent))


@dataclass(frozen=True)
class Case:
    """A measured call: `inputs` and `outputs` map roles to arrays."""

    family: str
    index: int
    op: str
    args: dict[str, Any]
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]

    def __str__(self) -> str:
        return f"{self.op}-{self.index}"


@functools.cache
def load(family: str) -> tuple[Case, ...]:
    """All cases of one file, in order."""
    with np.load(FOLDER / f"{family}.npz") as arrays:
        rows = json.loads(str(arrays["spec"]))
        return tuple(
            Case(
                family,
                index,
                row["op"],
                row["args"],
                {role: arrays[name] for role, name in row["in"].items()},
                {role: arrays[name] for role, name in row["out"].items()},
            )
            for index, row in enumerate(rows)
        )
