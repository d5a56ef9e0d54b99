"""What the machine could do at most, from `limits.rs` in the same session."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from comparison.model import Row, Stage

ROOT = Path(__file__).parents[2]


class Roofs:
    """The roofs of one number of threads.

    Parameters
    ----------
    facts : dict
        One entry of what `limits.rs` writes.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self.threads: int = facts["threads"]
        products = [p for p in facts["peaks"] if p["level"] not in ("", "float")]
        fastest = max(products, key=lambda peak: peak["rate"])
        self.peak: float = fastest["rate"]
        self.sequence: str = fastest["name"]
        self._reads = np.log(np.array(facts["reads"]))
        # Results of before that was measured have no such entry.
        self._turning = np.log(np.array(facts.get("turning", facts["reads"])))

    def read_rate(self, size: int, turning: bool = False) -> float:
        """Bytes a nanosecond, for weights of a size that are read again and again.

        Who decides the order of all these reads can turn around at the ends, and finds in the cache
        what was read last.
        """
        sizes, rates = (self._turning if turning else self._reads).T
        return float(np.exp(np.interp(np.log(max(size / self.threads, 1.0)), sizes, rates)))

    def nanoseconds(self, row: Row) -> float:
        """No way of doing the work takes less."""
        return sum(stage.times * self._stage(stage, row) for stage in row.stages)

    def _stage(self, stage: Stage, row: Row) -> float:
        # All weights of the row pass through the cache before these are read again, unless the
        # stage itself reads them again.
        again = stage.times > 1
        size = stage.weight_bytes if again else sum(each.weight_bytes for each in row.stages)
        return max(stage.products / self.peak, stage.weight_bytes / self.read_rate(size, again))


def measure(threads: int) -> list[dict[str, Any]]:
    """Run `limits.rs` for one thread and for `threads`.

    Raises
    ------
    SystemExit
        If cargo is missing or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "limits.json"
        command = ["cargo", "bench", "--quiet", "--bench", "limits", "--", "--json", str(file)]
        command += ["--threads", str(threads)]
        try:
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(
                f"peers: {' '.join(command[:5])} failed ({error}); install Rust, or pass "
                "--limits FILE with what it wrote elsewhere on this machine"
            ) from None
        return load(file)


def load(file: Path) -> list[dict[str, Any]]:
    """Read what `limits.rs` wrote."""
    facts: list[dict[str, Any]] = json.loads(file.read_text())
    return facts
