"""Numeric profiles, `qrs.backends.quantized.engine`, and facts about the CPU, `qrs.backends.cpu`.

A profile fixes rounding and the ranges of dynamic activations. It is read when a model is prepared
or converted; the converted modules keep its name and never look here again. Which kernels run is
decided by the CPU, not by the profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qrs import _kernels
from qrs.absent import refuse

__all__ = ["ENGINES", "check_engine", "cpu", "get_num_threads", "quantized", "set_num_threads"]

ENGINES = ("qrs", "fbgemm", "qnnpack")
"""Names of the profiles: qrs's own, and the two of PyTorch 1.8.1."""


def check_engine(name: str, where: str) -> str:
    """Return the name of a profile, or raise if there is none of that name."""
    if name not in ENGINES:
        raise ValueError(f"{where}: {name!r} came, expected one of {', '.join(map(repr, ENGINES))}")
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

    __slots__ = ("_engine",)

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


class _Cpu:
    """The facts under `qrs.backends.cpu`.

    The environment variable ``QRS_ISA`` names the level to use, for tests; results do not depend on
    it.

    Examples
    --------
    >>> import qrs
    >>> qrs.backends.cpu.get_cpu_capability() in qrs.backends.cpu.available_levels
    True
    """

    __slots__ = ()

    def get_cpu_capability(self) -> str:
        """The instruction set that the kernels use: the best of `available_levels`.

        Raises
        ------
        RuntimeError
            If ``QRS_ISA`` names one that this CPU lacks.
        """
        return _kernels.level()

    @property
    def available_levels(self) -> list[str]:
        """The instruction sets of this CPU, slowest first."""
        return _kernels.available_levels()


def get_num_threads() -> int:
    """The number of threads that an operator may use.

    At first that of ``QRS_NUM_THREADS``, else ``OMP_NUM_THREADS``, else the CPUs of this process.

    Examples
    --------
    >>> import qrs
    >>> qrs.get_num_threads() >= 1
    True
    """
    return _kernels.get_num_threads()


def set_num_threads(n: int) -> None:
    """Choose the number of threads that an operator may use; results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    ValueError
        If `n` is below 1 or beyond what the pool holds.

    Examples
    --------
    >>> import qrs
    >>> before = qrs.get_num_threads()
    >>> qrs.set_num_threads(1)
    >>> qrs.get_num_threads()
    1
    >>> qrs.set_num_threads(before)
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: {n!r} came, expected an integer of at least 1")
    _kernels.set_num_threads(n)


quantized = _Quantized()
cpu = _Cpu()


if not TYPE_CHECKING:
    # Type checkers know which names there are.
    def __getattr__(name):
        refuse(__name__, name)
