"""The header of a safetensors file: strict reading and canonical writing.

The container is 8 bytes of little-endian header length, a JSON object, then the tensors' bytes.
The JSON maps each name to `dtype`, `shape` and `data_offsets`, and `__metadata__` to a map from
string to string. Beyond what the format asks for, reading refuses a key given twice, and any byte
of the data that no tensor or more than one tensor owns.

Source: the format description in the README of the safetensors project.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from qrs.io.limits import Limits
from qrs.io.source import Source

__all__ = [
    "DTYPE_NAMES",
    "Header",
    "TensorEntry",
    "canonical_json",
    "encode_header",
    "parse_json",
    "place",
    "read_header",
]

#: numpy's little-endian type of each format name. Bfloat16 is read as its bits.
DTYPES: Mapping[str, np.dtype[np.generic]] = MappingProxyType(
    {
        "BOOL": np.dtype("?"),
        "U8": np.dtype("u1"),
        "I8": np.dtype("i1"),
        "U16": np.dtype("<u2"),
        "I16": np.dtype("<i2"),
        "U32": np.dtype("<u4"),
        "I32": np.dtype("<i4"),
        "U64": np.dtype("<u8"),
        "I64": np.dtype("<i8"),
        "F16": np.dtype("<f2"),
        "BF16": np.dtype("<u2"),
        "F32": np.dtype("<f4"),
        "F64": np.dtype("<f8"),
    }
)
#: The format name that a numpy type is written under.
DTYPE_NAMES: Mapping[np.dtype[np.generic], str] = MappingProxyType(
    {dtype: name for name, dtype in DTYPES.items() if name != "BF16"}
)
_METADATA = "__metadata__"
_LENGTH_BYTES = 8
# Data begins on a cache line, so that a reader that maps the file gets aligned tensors.
_ALIGNMENT = 64


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of the header: its format type, its shape, and its bytes `begin:end`."""

    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy type that the bytes are read as."""
        return DTYPES[self.kind]


@dataclass(frozen=True)
class Header:
    """A checked header.

    Parameters
    ----------
    tensors : dict of str to TensorEntry
        In the order of the file's data.
    metadata : dict of str to str
    data_start : int
        Offset of the first tensor's first byte in the file.
    text : str
        The JSON as it stands in the file, with its padding.
    """

    tensors: dict[str, TensorEntry]
    metadata: dict[str, str]
    data_start: int
    text: str


def canonical_json(value: object) -> str:
    """Return the one text that stands for `value`: no spaces and no needless escapes."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def parse_json(text: str) -> object:
    """Return the value of a JSON text in which no object gives a key twice.

    Raises
    ------
    ValueError
        Saying what is wrong with the text.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def encode_header(tensors: Mapping[str, TensorEntry], metadata: Mapping[str, str]) -> bytes:
    """Return the length field and the JSON, padded with spaces to the alignment of the data."""
    fields: dict[str, object] = {_METADATA: dict(metadata)} if metadata else {}
    for name, entry in tensors.items():
        fields[name] = {
            "dtype": entry.kind,
            "shape": list(entry.shape),
            "data_offsets": [entry.begin, entry.end],
        }
    text = canonical_json(fields).encode()
    text += b" " * (-(_LENGTH_BYTES + len(text)) % _ALIGNMENT)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def read_header(source: Source, limits: Limits) -> Header:
    """Read and check the header; nothing of the data is read.

    Raises
    ------
    FormatError
        Naming the tensor or the field that is wrong.
    """
    length = _read_length(source, limits)
    try:
        text = source.read(_LENGTH_BYTES, length).decode()
        fields = parse_json(text)
    except ValueError as error:
        raise source.fail(
            f"the header is not the JSON of a safetensors file ({error}); "
            "expected a .safetensors file, or a .pt file written by torch.save"
        ) from None
    if not isinstance(fields, dict) or not text.startswith("{"):
        raise source.fail("the header is not a JSON object, which a safetensors file begins with")
    metadata = _check_metadata(source, fields.pop(_METADATA, {}))
    if len(fields) > limits.tensors:
        raise source.fail(
            f"came {len(fields)} tensors, expected at most {limits.tensors}; raise limits.tensors"
        )
    entries = {name: _check_entry(source, name, fields[name], limits) for name in fields}
    data_start = _LENGTH_BYTES + length
    return Header(_check_layout(source, entries, data_start), metadata, data_start, text)


def _read_length(source: Source, limits: Limits) -> int:
    if source.size < _LENGTH_BYTES + 2:
        raise source.fail(f"came {source.size} bytes, expected a model file; the file is cut short")
    length = int.from_bytes(source.read(0, _LENGTH_BYTES), "little")
    if length > limits.header_bytes and length <= source.size - _LENGTH_BYTES:
        raise source.fail(
            f"the header says {length} bytes, expected at most {limits.header_bytes}; "
            "raise limits.header_bytes"
        )
    if length > source.size - _LENGTH_BYTES:
        head = source.read(0, _LENGTH_BYTES)
        raise source.fail(
            f"came {source.size} bytes that begin with {head!r}, expected a safetensors file "
            "(these bytes would be the length of its header) or a file of torch.save; it is of "
            "another format or cut short"
        )
    return length


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, value in pairs:
        if key in fields:
            raise ValueError(f"key {key[:80]!r} is given twice")
        fields[key] = value
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _check_metadata(source: Source, metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise source.fail(f"{_METADATA} of the header is not a map from string to string")
    return metadata


def _check_entry(source: Source, name: str, fields: object, limits: Limits) -> TensorEntry:
    where = f"tensor {name[:80]!r}"
    try:
        name_bytes = len(name.encode())
    except UnicodeEncodeError:
        raise source.fail(f"{where}: its name is not valid Unicode") from None
    if name_bytes > limits.name_bytes:
        raise source.fail(
            f"{where}: its name has {name_bytes} bytes, expected at most {limits.name_bytes}"
        )
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise source.fail(f"{where}: expected exactly dtype, shape and data_offsets")
    kind, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(kind, str) or kind not in DTYPES:
        raise source.fail(
            f"{where}: has dtype {str(kind)[:20]!r}, expected one of {', '.join(DTYPES)}"
        )
    if not _are_sizes(shape) or len(shape) > limits.rank:
        raise source.fail(f"{where}: shape is not a list of up to {limits.rank} sizes")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise source.fail(f"{where}: data_offsets is not a pair of positions")
    begin, end = offsets
    if math.prod(size for size in shape if size) >= 2**60:
        # Also where another size is zero: numpy cannot address such an array.
        raise source.fail(f"{where}: shape {tuple(shape)} is too large")
    expected = math.prod(shape) * DTYPES[kind].itemsize
    if end - begin != expected:
        raise source.fail(
            f"{where}: {kind} of shape {tuple(shape)} takes {expected} bytes, "
            f"but its data_offsets hold {end - begin}"
        )
    return TensorEntry(kind, tuple(shape), begin, end)


def _are_sizes(value: object) -> bool:
    # A bool is an int to isinstance, and `true` is no size.
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 2**63 for v in value)


def _check_layout(
    source: Source, entries: Mapping[str, TensorEntry], data_start: int
) -> dict[str, TensorEntry]:
    ordered = sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end))
    position = 0
    for name, entry in ordered:
        if entry.begin != position:
            problem = "overlaps the tensor before it" if entry.begin < position else "leaves a hole"
            raise source.fail(
                f"tensor {name!r}: begins at byte {entry.begin} of the data, "
                f"expected {position}: it {problem}"
            )
        position = entry.end
    if data_start + position != source.size:
        raise source.fail(
            f"came {source.size} bytes, expected {data_start + position} by the header; "
            "the file is cut short or has bytes that no tensor owns: fetch it again"
        )
    return dict(ordered)


def place(
    arrays: Iterable[tuple[str, np.dtype[np.generic], tuple[int, ...]]],
) -> dict[str, TensorEntry]:
    """Lay tensors out one after the other, widest elements first so that each stays aligned."""
    entries: dict[str, TensorEntry] = {}
    position = 0
    for name, dtype, shape in sorted(arrays, key=lambda item: -item[1].itemsize):
        end = position + math.prod(shape) * dtype.itemsize
        entries[name] = TensorEntry(DTYPE_NAMES[dtype], shape, position, end)
        position = end
    return entries
