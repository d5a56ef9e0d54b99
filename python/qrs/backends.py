"""Numeric profiles: `qrs.backends.quantized.engine`.

A profile fixes rounding and the ranges of dynamic activations. It is read when a model is prepared or
converted; the converted modules keep its name and never look here again. Which kernels run is decided by
the CPU, not by the profile.
"""

from __future__ import annotations

__all__ = ["ENGINES", "check_engine", "quantized"]

ENGINES = ("qrs", "fbgemm", "qnnpack")
"""Names of the profiles: qrs's own, and the two of PyTorch 1.8.1."""


def check_engine(name: str, where: str) -> str:
    """Return the name of a profile, or raise if there is none of that name."""
    if name not in ENGINES:
        raise ValueError(
            f"{where}: {name!r} came, expected one of {', '.join(map(repr, ENGINES))}"
        )
    return name


class _Quantized:
    """The settings under `qrs.backends.quantized`.

    Examples
    --------
    >>> import qrs
    >>> qrs.backends.quantized.engine
    'qrs'
    >>> qrs.backends.quantized.supported_engines
    ['qrs', 'fbgemm', 'qnnpack']
    """

    def __init__(self) -> None:
        self._engine = ENGINES[0]

    @property
    def engine(self) -> str:
        """The profile of models prepared or converted from now on."""
        return self._engine

    @engine.setter
    def engine(self, name: str) -> None:
        self._engine = check_engine(name, "qrs.backends.quantized.engine")

    @property
    def supported_engines(self) -> list[str]:
        """All profiles; every one runs on every CPU."""
        return list(ENGINES)


quantized = _Quantized()
