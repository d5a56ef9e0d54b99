"""What is printed and kept of a comparison."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qrs
from comparison.model import Array, Contender, Row, difference
from comparison.roofs import Roofs
from comparison.timing import Times

# Below this, sums differ from the exact ones by rounding alone.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Line:
    """What was found of one contender."""

    name: str
    role: str
    best: float
    median: float
    rate: float
    of_roof: float
    qrs_faster: tuple[float, float, float]
    error: float
    sums_off: float | None


def lines(
    row: Row, roofs: Roofs, reference: Array, contenders: list[Contender], times: dict[str, Times]
) -> list[Line]:
    """One line for each contender, the first of which is qrs."""
    made = []
    own = times[contenders[0].name]
    for contender in contenders:
        time = times[contender.name]
        y = contender.output(contender.call())
        made.append(
            Line(
                name=contender.name,
                role=contender.role,
                best=time.best,
                median=time.median,
                rate=row.products / time.best / 1e9,
                of_roof=roofs.nanoseconds(row) / (time.best * 1e9),
                qrs_faster=time.over(own),
                error=difference(y, reference),
                sums_off=None if contender.exact is None else difference(y, contender.exact),
            )
        )
    return made


def table(name: str, threads: int, found: list[Line]) -> str:
    """The lines of a row as text."""
    least = found[0].best * found[0].of_roof
    text = [
        f"{name}: {threads} thread(s), at least {least * 1e6:.2f} us",
        f"  {'':22} {'min us':>9} {'median':>9} {'GMAC/s':>7} {'of roof':>8} "
        f"{'time over qrs [95 %]':>22} {'error':>7}  sums",
    ]
    for line in found:
        ratio = "{:8.2f} [{:5.2f}, {:5.2f}]".format(*line.qrs_faster)
        text.append(
            f"  {line.name:22} {line.best * 1e6:9.2f} {line.median * 1e6:9.2f} {line.rate:7.1f} "
            f"{line.of_roof:8.0%} {ratio:>22} {line.error:7.2%}  {_sums(line.sums_off)}".rstrip()
        )
    return "\n".join(text) + "\n"


def merged(before: dict[str, Any], now: dict[str, Any], order: list[str]) -> dict[str, Any]:
    """Results of one CPU: rows measured again replace the old ones; in the order of names."""
    rows = {(row["threads"], row["row"]): row for row in (*before["rows"], *now["rows"])}

    def place(key: tuple[int, str]) -> tuple[int, int]:
        threads, name = key
        return threads, order.index(name) if name in order else len(order)

    return {**now, "rows": [rows[key] for key in sorted(rows, key=place)]}


def _sums(off: float | None) -> str:
    if off is None:
        return ""
    return "exact" if off < ROUNDING else f"off by {off:.2%}"


def machine() -> dict[str, Any]:
    """What the numbers were measured with."""
    packages = ("numpy", "torch", "onnxruntime")
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "level": qrs.backends.cpu.get_cpu_capability(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "qrs": qrs.__version__,
        **{name: importlib.metadata.version(name) for name in packages},
    }


def cpu_name() -> str:
    """The name that the CPU gives itself, with family and model where the system knows them."""
    facts = {}
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text().split("\n\n")[0].splitlines():
            key, _, value = line.partition(":")
            facts[key.strip()] = value.strip()
    name = facts.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in facts:
        name += f" (family {facts['cpu family']} model {facts['model']})"
    return name
