"""Reads a model written for `import qrs as torch` for either library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# What differs between the two: where things live, not what they are called.
HOMES = (
    ("import qrs as torch", "import torch"),
    ("import qrs\n", "import torch as qrs\n"),
    ("from qrs.nn.quantized", "from torch.ao.nn.quantized"),
    ("from qrs.quantization", "from torch.ao.quantization"),
    ("from qrs import", "from torch import"),
)


def source(file: str, library: str) -> str:
    """The text of a file for a library."""
    text = (ROOT / file).read_text()
    for own, other in HOMES if library == "torch" else ():
        text = text.replace(own, other)
    return text


def read(file: str, library: str) -> dict[str, Any]:
    """The names that a file defines, with qrs or with torch.

    Parameters
    ----------
    file : str
        From the top of the repository.
    library : {"qrs", "torch"}
    """
    names: dict[str, Any] = {"__name__": f"{file} with {library}", "__file__": str(ROOT / file)}
    exec(compile(source(file, library), file, "exec"), names)
    return names
