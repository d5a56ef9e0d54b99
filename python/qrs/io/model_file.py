"""qrs's own files: safetensors, with the structure and the checksums in the metadata.

Any safetensors reader opens such a file and finds the tensors under their names. Two metadata keys
belong to qrs:

``qrs``
    JSON with ``version`` (1), ``tree`` (the node of :mod:`qrs.io.tree`) and ``crc32`` (the
    checksum of each tensor's bytes, by name, eight hexadecimal digits).
``qrs.crc32``
    The checksum of the header's canonical JSON without this key.

The header must be canonical JSON, padded with as few spaces as the alignment needs. With that, no
byte of the file is without a check: the length field and the padding follow from the JSON, the JSON
from its checksum, each tensor from its own, and the header leaves no gap between tensors.

CRC-32 finds every change of up to 32 neighbouring bits, and any other with probability 1 - 2^-32.
It guards against accidents; whoever can forge a file can forge a checksum. It ran at 1.8 GiB/s
where SHA-256 ran at 1.3, and that only with the processor's own instructions for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from qrs.errors import FormatError, IntegrityError
from qrs.io.header import (
    Header,
    TensorEntry,
    canonical_json,
    encode_header,
    parse_json,
    place,
)
from qrs.io.limits import DEFAULT_LIMITS, Limits
from qrs.io.source import Source
from qrs.io.tree import decode, encode
from qrs.io.values import make_tensor

__all__ = ["is_own", "load_foreign", "load_own", "user_metadata", "write"]

_TREE_KEY = "qrs"
_CHECKSUM_KEY = "qrs.crc32"
_VERSION = 1


def write(file: BinaryIO, value: object, metadata: Mapping[str, str]) -> None:
    """Write `value` and the user's `metadata` to `file`.

    Raises
    ------
    FormatError
        If `value` holds an object that no file keeps, or more than :class:`Limits` lets load again.
    """
    tree, arrays = encode(value)
    arrays = {name: _little_endian(array) for name, array in arrays.items()}
    entries = place((name, array.dtype, array.shape) for name, array in arrays.items())
    sums = {name: _checksum(arrays[name]) for name in entries}
    fields = dict(sorted(metadata.items()))
    fields[_TREE_KEY] = canonical_json({"version": _VERSION, "tree": tree, "crc32": sums})
    fields[_CHECKSUM_KEY] = _header_checksum(entries, fields)
    header = encode_header(entries, fields)
    if len(header) > DEFAULT_LIMITS.header_bytes:
        raise FormatError(
            f"qrs.save: the header takes {len(header)} bytes, expected at most "
            f"{DEFAULT_LIMITS.header_bytes}; save arrays instead of long lists of numbers"
        )
    file.write(header)
    for name in entries:
        file.write(_bytes_of(arrays[name]))


def is_own(header: Header) -> bool:
    """Tell whether qrs wrote the file. Either key is enough, so damage to one cannot hide it."""
    return _TREE_KEY in header.metadata or _CHECKSUM_KEY in header.metadata


def user_metadata(header: Header) -> dict[str, str]:
    """Return the metadata without qrs's own keys."""
    own = (_TREE_KEY, _CHECKSUM_KEY)
    return {key: text for key, text in header.metadata.items() if key not in own}


def check_header(source: Source, header: Header) -> None:
    """Check the header of a file that qrs wrote against its checksum.

    Raises
    ------
    IntegrityError
        If the header is not, byte for byte, what qrs wrote.
    """
    promised = header.metadata.get(_CHECKSUM_KEY)
    others = {key: text for key, text in header.metadata.items() if key != _CHECKSUM_KEY}
    if _header_checksum(header.tensors, others) != promised or _TREE_KEY not in others:
        raise IntegrityError(
            f"qrs.load: {source.name}: the header differs from its checksum; "
            "the file is damaged, or another program changed it: fetch or save it again"
        )
    if encode_header(header.tensors, header.metadata)[8:].decode() != header.text:
        raise IntegrityError(
            f"qrs.load: {source.name}: the header is not written as qrs writes it; "
            "the file is damaged, or another program changed it: fetch or save it again"
        )


def load_own(source: Source, header: Header, *, verify: bool, limits: Limits) -> object:
    """Return the value in a file that qrs wrote.

    Raises
    ------
    IntegrityError
        If the header or, with `verify`, a tensor differs from its checksum.
    FormatError
        If the structure is not one that this version reads.
    """
    check_header(source, header)
    try:
        content = parse_json(header.metadata[_TREE_KEY])
        if not isinstance(content, dict) or content.get("version") != _VERSION:
            raise ValueError("it has another version than 1: update qrs")
        sums = content.get("crc32")
        if not isinstance(sums, dict) or sums.keys() != header.tensors.keys():
            raise ValueError("its checksums are not one for each tensor")
        arrays = {name: _read(source, header, name) for name in header.tensors}
        if verify:
            for name, array in arrays.items():
                _verify(source, name, array, sums[name])
        return decode(content.get("tree"), arrays, limits)
    except FormatError:
        raise
    except ValueError as error:
        raise source.fail(f"the structure that qrs stored cannot be read: {error}") from None


def load_foreign(source: Source, header: Header, *, widen: bool) -> dict[str, object]:
    """Return the tensors of a file that another program wrote, by name."""
    return {name: make_tensor(_plain(source, header, name, widen=widen)) for name in header.tensors}


def _plain(source: Source, header: Header, name: str, *, widen: bool) -> NDArray[Any]:
    array = _read(source, header, name)
    match header.tensors[name].kind:
        case "BF16":
            # A bfloat16 is the upper half of a float32.
            return (array.astype(np.uint32) << 16).view(np.float32)
        case "F16" if widen:
            return array.astype(np.float32)
        case "U16":
            return array.astype(np.int32)
        case "U32":
            return array.astype(np.int64)
        case "U64":
            if array.size and array.max() >= 2**63:
                raise source.fail(f"tensor {name!r}: has a value of 2^63 or more, expected int64's")
            return array.astype(np.int64)
    return array


def _read(source: Source, header: Header, name: str) -> NDArray[Any]:
    entry = header.tensors[name]
    array = source.read_array(header.data_start + entry.begin, entry.shape, entry.dtype)
    if entry.kind == "BOOL" and array.size and array.view(np.uint8).max() > 1:
        raise IntegrityError(
            f"qrs.load: {source.name}: tensor {name!r}: a boolean is stored as "
            f"{array.view(np.uint8).max()}, expected 0 or 1; the file is damaged: fetch it again"
        )
    return array.astype(entry.dtype.newbyteorder("="), copy=False)


def _verify(source: Source, name: str, array: NDArray[Any], promised: object) -> None:
    found = _checksum(_little_endian(array))
    if found != promised:
        raise IntegrityError(
            f"qrs.load: {source.name}: tensor {name!r}: its bytes have checksum {found}, "
            f"expected {promised}; the file is damaged: fetch it again"
        )


def _header_checksum(entries: Mapping[str, TensorEntry], metadata: Mapping[str, str]) -> str:
    return f"{zlib.crc32(encode_header(entries, metadata)):08x}"


def _checksum(array: NDArray[Any]) -> str:
    return f"{zlib.crc32(_bytes_of(array)):08x}"


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
