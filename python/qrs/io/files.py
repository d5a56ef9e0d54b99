"""`qrs.save` and `qrs.load`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from qrs.errors import FormatError
from qrs.io.atomic import replacing
from qrs.io.header import read_header
from qrs.io.limits import DEFAULT_LIMITS, Limits
from qrs.io.model_file import check_header, is_own, load_foreign, load_own, user_metadata, write
from qrs.io.source import Readable, open_source
from qrs.io.torch_file import is_archive, is_legacy, load_archive, load_legacy

__all__ = ["load", "read_metadata", "save"]

_RESERVED = "qrs"


def save(
    obj: object,
    f: str | os.PathLike[str] | BinaryIO,
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Save a state dict, or other containers of tensors, as one safetensors file.

    A path is written atomically: the file holds the old content or the new one, whatever happens.
    Every byte of the file is covered by a checksum.

    Parameters
    ----------
    obj : object
        dict, OrderedDict (with its ``_metadata``), list or tuple, nested, of Tensor, QTensor,
        ndarray, int, float, str, bool, None, dtype and qscheme; or one of these alone.
    f : str, path-like or binary file
        Where to write.
    metadata : dict of str to str, optional
        Text to keep beside the tensors, for :func:`qrs.io.read_metadata` and other readers.
        Keys that begin with ``qrs`` are reserved.

    Raises
    ------
    FormatError
        If `obj` holds anything else, named by the keys that lead to it.
    OSError
        If the file cannot be written; an old file is then still there.

    Examples
    --------
    >>> import io
    >>> import qrs
    >>> file = io.BytesIO()
    >>> qrs.save({"fc.weight": qrs.tensor([1.0, 2.0]), "step": 3}, file)
    >>> _ = file.seek(0)
    >>> qrs.load(file)
    {'fc.weight': tensor([1., 2.]), 'step': 3}
    """
    texts = dict(metadata or {})
    for key, text in texts.items():
        if not (isinstance(key, str) and isinstance(text, str)) or key.startswith(_RESERVED):
            raise FormatError(
                f"qrs.save: metadata came with {key!r}: {text!r:.40}, expected strings under keys "
                f"that do not begin with {_RESERVED!r}"
            )
    if isinstance(f, str | os.PathLike):
        with replacing(f) as file:
            write(file, obj, texts)
    elif hasattr(f, "write"):
        write(f, obj, texts)
    else:
        raise TypeError(f"qrs.save: came a {type(f).__name__}, expected a path or a binary file")


def load(
    f: Readable,
    map_location: object = None,
    *,
    weights_only: bool = True,
    verify: bool = True,
    widen: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """Load what :func:`qrs.save`, another safetensors writer or `torch.save` wrote.

    The content decides, not the name: safetensors, the zip archives of `torch.save`, and its
    legacy streams. Nothing in a file is run or imported. The tensors are copies of the file's
    bytes; those that shared memory when they were saved share it again.

    Parameters
    ----------
    f : str, path-like or binary file that can seek
    map_location : optional
        None or ``"cpu"``. Tensors of a GPU are loaded on the CPU in any case.
    weights_only : bool
        True. There is no other mode: code in a file is never run.
    verify : bool
        Check the tensors of a file of qrs against their checksums.
    widen : bool
        Make float32 of the float16 tensors of a foreign safetensors file. Bfloat16, and both in a
        file of `torch.save`, always become float32. A file of qrs keeps its types.
    limits : Limits
        What a file may ask for.

    Returns
    -------
    obj : object
        What was saved. A foreign safetensors file gives a dict from name to Tensor.

    Raises
    ------
    FormatError
        If the file is damaged, hostile, or of another format.
    IntegrityError
        If a checksum differs, naming the tensor.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import io
    >>> import qrs
    >>> qrs.load(io.BytesIO(b"not a model"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    qrs.errors.FormatError: qrs.load: BytesIO: came 11 bytes that begin with b'not a mo', ...
    """
    if map_location is not None and str(map_location) != "cpu":
        raise ValueError(f"qrs.load: map_location is {map_location!r:.80}, expected None or 'cpu'")
    if not weights_only:
        raise ValueError("qrs.load: weights_only is False, expected True: code is never run")
    with open_source(f) as source:
        head = source.read(0, min(8, source.size))
        if is_archive(head):
            return load_archive(source, limits)
        if is_legacy(head):
            return load_legacy(source, limits)
        header = read_header(source, limits)
        if is_own(header):
            return load_own(source, header, verify=verify, limits=limits)
        return load_foreign(source, header, widen=widen)


def read_metadata(f: Readable, *, limits: Limits = DEFAULT_LIMITS) -> dict[str, str]:
    """Return the texts that were saved beside the tensors; no tensor is read.

    Parameters
    ----------
    f : str, path-like or binary file that can seek
        A safetensors file, of qrs or another writer.
    limits : Limits
        What a file may ask for.

    Returns
    -------
    metadata : dict of str to str

    Raises
    ------
    FormatError
        If the file is damaged or of another format.

    Examples
    --------
    >>> import io
    >>> import qrs
    >>> file = io.BytesIO()
    >>> qrs.save({}, file, metadata={"note": "trained on cats"})
    >>> _ = file.seek(0)
    >>> qrs.io.read_metadata(file)
    {'note': 'trained on cats'}
    """
    with open_source(f) as source:
        header = read_header(source, limits)
        if is_own(header):
            check_header(source, header)
        return user_metadata(header)
