"""Modules that record what passes through a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qrs.nn.module import Module
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Logger", "OutputLogger", "ShadowLogger", "get_logger_dict", "was_called"]


def _kept(value: Any) -> Any:
    """A copy of a tensor, or of all those in a tuple: what follows may work in place."""
    if isinstance(value, Tensor | QTensor):
        return value.detach().clone()
    if isinstance(value, tuple | list):
        return tuple(_kept(item) for item in value)
    return value


class Logger(Module):
    """Base of the modules that record what passes through a model.

    Attributes
    ----------
    stats : dict
        What was recorded, by kind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stats: dict[str, Any] = {}

    def clear(self) -> None:
        """Forget what was recorded."""
        for kind in self.stats:
            self.stats[kind] = []


class ShadowLogger(Logger):
    """Records, at every call, the output of a quantized module and that of its float twin.

    Attributes
    ----------
    stats : dict
        ``{"float": list of Tensor, "quantized": list of Tensor or QTensor}``, an item for each
        call. Of a module with several outputs, such as an LSTM, the first is kept.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization._numeric_suite import ShadowLogger
    >>> logger = ShadowLogger()
    >>> logger(qrs.ones(2), qrs.zeros(2))
    >>> logger.stats
    {'float': [tensor([0., 0.])], 'quantized': [tensor([1., 1.])]}
    """

    def __init__(self) -> None:
        super().__init__()
        self.stats = {"float": [], "quantized": []}

    def forward(self, x: Any, y: Any) -> None:
        """Record ``x``, the output of the quantized module, and ``y``, that of the float one."""
        for kind, value in (("quantized", x), ("float", y)):
            self.stats[kind].append(_kept(value[0] if isinstance(value, tuple | list) else value))


class OutputLogger(Logger):
    """Records every output of the module that it is attached to, and passes it on.

    Attributes
    ----------
    stats : dict
        ``{"tensor_val": list}``, an item for each call.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization._numeric_suite import OutputLogger
    >>> logger = OutputLogger()
    >>> _ = logger(qrs.ones(2))
    >>> logger.stats
    {'tensor_val': [tensor([1., 1.])]}
    """

    def __init__(self) -> None:
        super().__init__()
        self.stats = {"tensor_val": []}

    def forward(self, x: Any) -> Any:
        """Record ``x`` and return it."""
        self.stats["tensor_val"].append(_kept(x))
        return x


def get_logger_dict(mod: Module, prefix: str = "") -> dict[str, dict[str, Any]]:
    """What all loggers below a module have recorded.

    Parameters
    ----------
    mod : Module
    prefix : str
        The dotted name of ``mod``.

    Returns
    -------
    dict
        ``{name + ".stats": stats}``, by the name of the module that is watched.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, module in mod.named_modules(prefix=prefix):
        if isinstance(module, Logger):
            found[f"{name.rpartition('.')[0]}.stats".lstrip(".")] = module.stats
    return found


def was_called(stats: Mapping[str, Any]) -> bool:
    """Whether a logger has recorded something: networks have modules that they never call."""
    return not any(isinstance(kept, list) and not kept for kept in stats.values())
