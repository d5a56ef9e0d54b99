"""The place of PyTorch's graph mode, which is absent here: importing it says what to do instead."""

from qrs.absent import ABSENT

raise ImportError(
    f"qrs.quantization.quantize_fx: {ABSENT['qrs.quantization']['quantize_fx']}",
    name=__name__,
)
