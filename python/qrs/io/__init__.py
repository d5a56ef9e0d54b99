"""Saving and loading state dicts: safetensors files, and PyTorch's files without PyTorch."""

from qrs.io.files import load, read_metadata, save
from qrs.io.limits import Limits
from qrs.io.opcodes import ScriptObject

__all__ = ["Limits", "ScriptObject", "load", "read_metadata", "save"]


def __dir__() -> list[str]:
    return sorted(__all__)
