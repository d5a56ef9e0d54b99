"""qrs beside PyTorch and ONNX Runtime: the same layers, through what a user of Python calls.

    python benches/peers.py [--rows TEXT [--keep]] [--threads N ...] [--rounds N] [--json FILE]

Every row runs all contenders in one process, in turns, and checks what each of them computed. The
first contender is qrs as its documentation says to call it. Without ``--rows``, or with ``--keep``,
the results are kept in ``benches/results``, beside the other rows of the same CPU.
``benches/README.md`` says what each number means.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from comparison import conv, elementwise, linear, models, recurrent, report, roofs, training
from comparison.model import Row
from comparison.timing import take_turns

import qrs

ROWS = (
    *linear.ROWS,
    *recurrent.ROWS,
    *conv.ROWS,
    *elementwise.ROWS,
    *models.ROWS,
    *training.ROWS,
)
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print, keep."""
    options = parse()
    # PyTorch announces the end of the functions that this script is about.
    warnings.filterwarnings("ignore", module="torch")
    torch.set_grad_enabled(False)
    torch.backends.quantized.engine = "fbgemm"
    rows = [row for row in ROWS if options.rows in row.name]
    if not rows:
        raise SystemExit(f"peers: --rows {options.rows!r} fits none of {[r.name for r in ROWS]}")
    facts = roofs.load(options.limits) if options.limits else roofs.measure(max(options.threads))
    kept: dict[str, Any] = {
        "machine": report.machine(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load average at start": os.getloadavg(),
        "limits": facts,
        "rows": [],
    }
    print(header(kept), flush=True)
    for threads in options.threads:
        ceiling = roofs.Roofs(next(f for f in facts if f["threads"] == threads))
        for row in rows:
            found = compare(row, ceiling, options.rounds)
            print(report.table(row.name, threads, found), flush=True)
            lines = [asdict(line) for line in found]
            entry = {"row": row.name, "threads": threads, "date": kept["date"], "lines": lines}
            kept["rows"].append(entry)
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n")
    if options.keep or not options.rows:
        keep(kept)


def header(results: dict[str, Any]) -> str:
    """What the rows were measured with."""
    text = [f"{key}: {value}" for key, value in results["machine"].items()]
    text.append(f"date: {results['date']}")
    text.append(
        "load average at start: {:.1f} {:.1f} {:.1f}".format(*results["load average at start"])
    )
    return "\n".join(text) + "\n"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="", help="only rows whose name holds this text")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--keep", action="store_true", help="keep the results even with --rows")
    parser.add_argument("--rounds", type=int, default=40, help="turns of each contender")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--limits", type=Path, help="roofs that limits.rs wrote before")
    return parser.parse_args()


def compare(row: Row, ceiling: roofs.Roofs, rounds: int) -> list[report.Line]:
    """Run one row."""
    torch.set_num_threads(ceiling.threads)
    qrs.set_num_threads(ceiling.threads)
    reference, contenders = row.build(ceiling.threads)
    calls = {contender.name: contender.call for contender in contenders}
    shorter = {f"{c.name}, less": c.less for c in contenders if c.less}
    times = take_turns(calls | shorter, rounds, ceiling.threads)
    for contender in contenders:
        if contender.less:
            less = times[f"{contender.name}, less"]
            times[contender.name] = times[contender.name].slope(less, contender.over)
    return report.lines(row, ceiling, reference, contenders, times)


def keep(results: dict[str, Any]) -> None:
    """Write both forms of the results under the name of the CPU.

    Rows that were kept before and not measured now stay.
    """
    cpu = re.sub(r"[^a-z0-9]+", "-", results["machine"]["cpu"].lower()).strip("-")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{cpu}.json"
    before = json.loads(file.read_text()) if file.exists() else results
    results = report.merged(before, results, [row.name for row in ROWS])
    file.write_text(json.dumps(results, indent=1) + "\n")
    tables = [
        report.table(row["row"], row["threads"], [report.Line(**line) for line in row["lines"]])
        for row in results["rows"]
    ]
    file.with_suffix(".txt").write_text("\n".join([header(results), *tables]))
    print(f"kept in {file} and .txt")


if __name__ == "__main__":
    main()
