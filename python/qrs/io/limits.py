"""How much a file may ask for before it is refused.

Every limit is checked before the memory it guards is taken, so that a small hostile file cannot
make a large allocation. The defaults pass every model that fits the machines qrs is made for.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True)
class Limits:
    """Upper bounds on what :func:`qrs.load` accepts.

    Parameters
    ----------
    header_bytes : int
        Length of a safetensors header, of the directory of a zip archive and of each pickle.
    tensors : int
        Number of tensors or storages.
    rank : int
        Number of dimensions of one tensor.
    name_bytes : int
        Length of a tensor's name in UTF-8.
    depth : int
        Containers inside containers.
    opcodes : int
        Instructions in one pickle. About forty are spent on a tensor.

    Examples
    --------
    >>> import qrs
    >>> qrs.io.Limits(tensors=10).rank
    8
    """

    header_bytes: int = 16 * 1024 * 1024
    tensors: int = 100_000
    rank: int = 8
    name_bytes: int = 1024
    depth: int = 64
    opcodes: int = 500_000


DEFAULT_LIMITS = Limits()
