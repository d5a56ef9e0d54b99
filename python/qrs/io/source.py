"""Reading exact byte ranges of a file of known size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qrs.errors import FormatError

__all__ = ["Readable", "Source", "open_source"]

Readable: TypeAlias = str | os.PathLike[str] | BinaryIO


class Source:
    """A seekable binary file, from its position at the start to its end.

    Parameters
    ----------
    file : binary file open for reading
    name : str
        What error messages call the file.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        # The type of binary files in general does not promise readinto; open_source has checked.
        self._file: Any = file
        self.name = name
        self._start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self._start

    def fail(self, problem: str) -> FormatError:
        """Return the error that refuses this file, for the caller to raise."""
        return FormatError(f"qrs.load: {self.name}: {problem}")

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset`; the caller has checked them against a limit."""
        self._check_range(offset, count)
        self._file.seek(self._start + offset)
        data: bytes = self._file.read(count)
        if len(data) != count:
            raise self._ended(offset, count)
        return data

    def read_array(
        self, offset: int, shape: tuple[int, ...], dtype: np.dtype[np.generic]
    ) -> NDArray[np.generic]:
        """Return a new array filled from the bytes at `offset`, without a second copy."""
        count = int(np.prod(shape, dtype=object)) * dtype.itemsize
        self._check_range(offset, count)
        array = np.empty(shape, dtype)
        view = array.reshape(-1).view(np.uint8).data
        self._file.seek(self._start + offset)
        done = 0
        while done < count:
            got = self._file.readinto(view[done:])
            if not got:
                raise self._ended(offset, count)
            done += got
        return array

    def _check_range(self, offset: int, count: int) -> None:
        if offset < 0 or count < 0 or offset + count > self.size:
            raise self._ended(offset, count)

    def _ended(self, offset: int, count: int) -> FormatError:
        return self.fail(
            f"came {self.size} bytes, expected {count} bytes from byte {offset}; "
            "the file is cut short: fetch it again"
        )


@contextmanager
def open_source(file: Readable) -> Iterator[Source]:
    """Open a path, or take a binary file that the caller opened, as a :class:`Source`."""
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb") as opened:
            yield Source(opened, os.fspath(file))
    elif all(hasattr(file, name) for name in ("read", "readinto", "seek", "tell")):
        yield Source(file, str(getattr(file, "name", type(file).__name__)))
    else:
        raise TypeError(
            f"qrs.load: came a {type(file).__name__}, expected a path or a binary file "
            "that can seek; open the file with mode 'rb'"
        )
