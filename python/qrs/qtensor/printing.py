"""How quantized tensors print: their values, then what the integers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qrs.qtensor.qparams import PerChannel
from qrs.tensor.printing import format_array

if TYPE_CHECKING:
    from qrs.qtensor.core import QuantizedBase

__all__ = ["format_quantized"]

_LINE = 80
_PREFIX = "tensor("


def format_quantized(x: QuantizedBase) -> str:
    """The text of a quantized tensor, broken into lines where it grows too long."""
    values = x.dequantize()._array
    body = format_array(values, len(_PREFIX)) if values.size else "[]"
    text = _PREFIX + body
    room = _LINE - len(text.rsplit("\n", 1)[-1])
    for part in _facts(x):
        if len(part) + 3 > room:
            text += ",\n" + " " * len(_PREFIX) + part
            room = _LINE - len(_PREFIX) - len(part)
        else:
            text += ", " + part
            room -= len(part) + 2
    return text + ")"


def _facts(x: QuantizedBase) -> list[str]:
    facts = [
        f"size={tuple(x.shape)}",
        f"dtype={x.dtype!r}",
        f"quantization_scheme={x.qscheme()!r}",
    ]
    qparams = x._qparams
    if isinstance(qparams, PerChannel):
        facts.append(f"scale={x.q_per_channel_scales()!r}")
        facts.append(f"zero_point={x.q_per_channel_zero_points()!r}")
        facts.append(f"axis={qparams.axis}")
    else:
        facts.append(f"scale={qparams.scale!r}")
        facts.append(f"zero_point={qparams.zero_point}")
    return facts
