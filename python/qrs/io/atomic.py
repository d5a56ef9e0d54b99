"""Writing a file so that a reader sees the old content or the new one, never a mixture."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing"]

_BINARY = getattr(os, "O_BINARY", 0)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path` when the block ends without an error.

    The bytes go to a new file in the same folder, are flushed to the disk, and the new file is
    renamed over the old one. After any failure the old file is as it was and no new one remains.

    Parameters
    ----------
    path : str or path-like
        Target. A symbolic link is followed; the permissions of an existing file are kept.

    Yields
    ------
    file : binary file open for writing

    Raises
    ------
    OSError
        What the operating system reported, with its `errno`.
    """
    # The link's target is replaced, not the link.
    target = Path(os.path.realpath(path))
    mode = _mode_of(target)
    if mode is not None and not stat.S_ISREG(mode):
        # A device or a pipe has no content to protect, and a rename would put a file in its place.
        with target.open("wb") as device:
            yield device
        return
    temporary = target.with_name(f".{target.name[:100]}.{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if mode is not None:
                temporary.chmod(stat.S_IMODE(mode))
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _flush_folder(folder: Path) -> None:
    # The new name is durable only once the folder is on the disk too. Windows cannot open one.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
