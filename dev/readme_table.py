"""Writes README's table of layers from the table of swaps: ``python dev/readme_table.py``."""

from pathlib import Path

from qrs.dtypes import float16, qint8, quint8
from qrs.quantization.swaps import SWAPS, Swap

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- layers: dev/readme_table.py -->\n", "<!-- end of layers -->\n"


def layers() -> str:
    """The table: a line for each float class that has a quantized form."""
    rows = ["| layer | dynamic | static | quantization-aware training |", "|---|---|---|---|"]
    for swap in SWAPS:
        if swap.static or swap.dynamic or swap.qat:
            cells = (_weights(swap), "yes" if swap.static else "", "yes" if swap.qat else "")
            rows.append(f"| `{_name(swap.float)}` | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _name(layer: type) -> str:
    package = layer.__module__.split(".")
    if "intrinsic" in package:
        return f"nn.intrinsic.{layer.__name__}"
    return f"{package[1] if package[1] == 'quantization' else 'nn'}.{layer.__name__}"


def _weights(swap: Swap) -> str:
    if swap.dynamic is None:
        return ""
    known = {qint8: "int8", float16: "float16", quint8: "uint8"}
    kinds = getattr(swap.dynamic, "weight_dtypes", ())
    return ", ".join(known.get(kind, kind.name) for kind in kinds)


def updated(text: str) -> str:
    """README with the table of this moment."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + layers() + END + after


if __name__ == "__main__":
    README.write_text(updated(README.read_text()))
