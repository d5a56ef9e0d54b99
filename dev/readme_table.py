"""Writes the tables of README.md and benches/README.md: ``python dev/readme_table.py``.

The layers come from the table of swaps, the speed from what benches/peers.py kept for each CPU.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qrs import quantization
from qrs.dtypes import float16, qint8, quint8
from qrs.quantization.swaps import SWAPS, Swap

ROOT = Path(__file__).parent.parent
PEERS = ("PyTorch fbgemm", "ONNX Runtime")
# What README shows; benches/README.md shows every row.
SHORT = (
    "linear 1x256x1024",
    "linear 1x768x768",
    "linear 1x1024x1024",
    "linear 128x768x768",
    "LSTM 256, batch 1, 20 steps",
    "LSTM 512, batch 1, 20 steps",
    "LSTM 1024, batch 1, 20 steps",
    "GRU 512, batch 1, 20 steps",
)
SHORT_IMAGES = (
    "conv 7x7/2 3->64 @224",
    "conv 1x1 64->64 @56",
    "conv 3x3 64->64 @56",
    "conv 3x3 256->256 @14",
    "conv depthwise 3x3 144 @56",
    "conv grouped 3x3 g=32 128 @56",
    "ResNet-50, one image of 224",
    "MobileNetV2, one image of 224",
)
# Each with the contenders that count as it: the fastest of them is shown.
IMAGE_PEERS = {
    "PyTorch": ("PyTorch fbgemm", "PyTorch x86", "PyTorch onednn"),
    "ONNX Runtime": ("ONNX Runtime",),
    "OpenVINO": ("OpenVINO", "OpenVINO, one layer", "OpenVINO, in a graph"),
}


def layers() -> str:
    """A line for each float class that has a quantized form."""
    rows = ["| layer | dynamic | static | quantization-aware training |", "|---|---|---|---|"]
    for swap in SWAPS:
        if swap.static or swap.dynamic or swap.qat:
            static = "yes" if swap.static or swap.observed else ""
            trained = {"static": swap.qat or swap.observed, "dynamic": swap.qat_dynamic}
            training = ", ".join(kind for kind, form in trained.items() if form)
            rows.append(f"| `{_name(swap.float)}` | {_weights(swap)} | {static} | {training} |")
    return "\n".join(rows) + "\n"


def _name(layer: type) -> str:
    if layer.__name__ in quantization.__all__:
        return f"quantization.{layer.__name__}"
    package = layer.__module__.split(".")
    inside = [name for name in package if name in ("intrinsic", "quantized")]
    return ".".join(["nn", *inside, layer.__name__])


def _weights(swap: Swap) -> str:
    if swap.dynamic is None:
        return ""
    known = {qint8: "int8", float16: "float16", quint8: "uint8"}
    kinds = getattr(swap.dynamic, "weight_dtypes", ())
    return ", ".join(known.get(kind, kind.name) for kind in kinds)


def short_speed() -> str:
    """What README shows of the results of each CPU."""
    return _speed(SHORT)


def long_speed() -> str:
    """Every row that ran on one thread, for each CPU."""
    return _speed(None)


def short_images() -> str:
    """What README shows of the convolutions and networks of each CPU."""
    return _images(SHORT_IMAGES)


def long_images() -> str:
    """Every row of convolutions and networks that ran on one thread, for each CPU."""
    return _images(None)


def _of_images(row: str) -> bool:
    return row.startswith("conv ") or "one image" in row


def _results() -> list[dict[str, Any]]:
    results = [
        json.loads(file.read_text()) for file in (ROOT / "benches" / "results").glob("*.json")
    ]
    return sorted(results, key=lambda each: str(each["date"]), reverse=True)


def _speed(names: tuple[str, ...] | None) -> str:
    return "\n".join(_speed_table(each, names) for each in _results())


def _images(names: tuple[str, ...] | None) -> str:
    return "\n".join(filter(None, (_images_table(each, names) for each in _results())))


def _images_table(results: dict[str, Any], names: tuple[str, ...] | None) -> str:
    machine, rows = results["machine"], []
    for row in results["rows"]:
        wanted = _of_images(row["row"]) if names is None else row["row"] in names
        if row["threads"] != 1 or not wanted:
            continue
        lines = {line["name"]: line for line in row["lines"]}
        own, cells = lines["qrs"], []
        for contenders in IMAGE_PEERS.values():
            found = [lines[name]["qrs_faster"][0] for name in contenders if name in lines]
            cells.append(f"{min(found):.2f}" if found else "")
        numbers = (f"{own['best'] * 1e6:.0f}", f"{own['of_roof']:.0%}", *cells)
        rows.append(f"| {row['row'].removeprefix('conv ')} | {' | '.join(numbers)} |")
    if not rows:
        return ""
    text = [
        f"{machine['cpu']}, level {machine['level']}, one thread; PyTorch {machine['torch']} (the "
        f"fastest of its engines), ONNX Runtime {machine['onnxruntime']}, OpenVINO; "
        f"{results['date'][:10]}.",
        "",
        f"| layer or network | qrs, us | of roof | {' | '.join(IMAGE_PEERS)} |",
        f"|---|--:|--:|{'--:|' * len(IMAGE_PEERS)}",
        *rows,
    ]
    return "\n".join(text) + "\n"


def _speed_table(results: dict[str, Any], names: tuple[str, ...] | None) -> str:
    machine = results["machine"]
    text = [
        f"{machine['cpu']}, level {machine['level']}, one thread; PyTorch {machine['torch']}, "
        f"ONNX Runtime {machine['onnxruntime']}; {results['date'][:10]}.",
        "",
        f"| layer | qrs, us | of roof | {' | '.join(PEERS)} | error | {' | '.join(PEERS)} |",
        f"|---|--:|--:|{'--:|' * len(PEERS)}--:|{'--:|' * len(PEERS)}",
    ]
    for row in results["rows"]:
        wanted = not _of_images(row["row"]) if names is None else row["row"] in names
        if row["threads"] == 1 and wanted:
            text.append(_speed_row(row["row"], {line["name"]: line for line in row["lines"]}))
    return "\n".join(text) + "\n"


def _speed_row(name: str, lines: dict[str, Any]) -> str:
    own = lines["qrs"]
    found = [lines.get(peer) for peer in PEERS]
    ratios = [f"{line['qrs_faster'][0]:.2f}" if line else "" for line in found]
    errors = [f"{line['error']:.1%}" if line else "" for line in (own, *found)]
    cells = (name, f"{own['best'] * 1e6:.1f}", f"{own['of_roof']:.0%}", *ratios, *errors)
    return f"| {' | '.join(cells)} |"


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"layers": layers, "speed": short_speed, "images": short_images},
    "benches/README.md": {"speed": long_speed, "images": long_images},
}


def updated(page: str) -> str:
    """A page with the tables of this moment."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, write in PAGES[page].items():
        begin, end = f"<!-- {name}: dev/readme_table.py -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = text.partition(begin)
        text = before + begin + write() + end + rest.partition(end)[2]
    return text


if __name__ == "__main__":
    for each in PAGES:
        (ROOT / each).write_text(updated(each), encoding="utf-8")
