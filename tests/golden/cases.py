"""Reads the golden files: one `Case` per measured call."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pytest

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
    """All cases of one file, in order; the test fails with one sentence if it cannot be read."""
    file = FOLDER / f"{family}.npz"
    try:
        with file.open("rb") as opened, np.load(opened) as arrays:
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
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise pytest.fail.Exception(
            f"golden cases: {file} cannot be read ({error}), expected a file as "
            "tests/golden/README.md describes; mend QRS_GOLDEN_DIR or unset it",
            pytrace=False,
        ) from None
