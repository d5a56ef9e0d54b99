"""Pickles and files of torch.save, built by hand: good ones and attacks alike.

Nothing here pickles a Python object: `assemble` writes the instructions for the small set of nodes
below, so a test can name any function in a file without having it.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qrs.errors import FormatError

#: A file, the error that refuses it, and a pattern for the message.
Attack = tuple[bytes, type[FormatError], str]

PROTO, STOP = b"\x80\x02", b"."


@dataclass(frozen=True)
class Global:
    """A name: `module.name`."""

    module: str
    name: str


@dataclass(frozen=True)
class Reduce:
    """A function applied to a tuple of arguments."""

    function: Any
    arguments: Any


@dataclass(frozen=True)
class New:
    """A class's `__new__` applied to a tuple of arguments."""

    kind: Any
    arguments: Any


@dataclass(frozen=True)
class Build:
    """An object whose state is set."""

    target: Any
    state: Any


@dataclass(frozen=True)
class Persistent:
    """A reference to something outside of the pickle."""

    identifier: Any


@dataclass(frozen=True)
class Raw:
    """Instructions as they are."""

    code: bytes


def assemble(value: object) -> bytes:
    """Return a whole pickle of protocol 2."""
    return PROTO + code(value) + STOP


def code(value: Any) -> bytes:
    """Return the instructions that push `value`."""
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int() if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        case int():
            raw = value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(raw)]) + raw
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            raw = value.encode()
            return b"X" + struct.pack("<I", len(raw)) + raw
        case tuple():
            return b"(" + b"".join(map(code, value)) + b"t"
        case list():
            return b"](" + b"".join(map(code, value)) + b"e"
        case dict():
            return b"}(" + b"".join(code(key) + code(item) for key, item in value.items()) + b"u"
        case Global(module, name):
            return b"c" + module.encode() + b"\n" + name.encode() + b"\n"
        case Reduce(function, arguments):
            return code(function) + code(arguments) + b"R"
        case New(kind, arguments):
            return code(kind) + code(arguments) + b"\x81"
        case Build(target, state):
            return code(target) + code(state) + b"b"
        case Persistent(identifier):
            return code(identifier) + b"Q"
        case Raw(raw):
            return raw
    raise TypeError(f"no instructions for {value!r}")


NO_HOOKS = Reduce(Global("collections", "OrderedDict"), ())


def storage(key: str = "0", kind: str = "FloatStorage", count: int = 6) -> Persistent:
    """Return a reference to a storage."""
    return Persistent(("storage", Global("torch", kind), key, "cpu", count))


def tensor(
    shape: Any = (2, 3),
    stride: Any = (3, 1),
    offset: Any = 0,
    source: Any = None,
    requires_grad: Any = False,
) -> Reduce:
    """Return a tensor, by default the whole of a storage of six floats."""
    source = storage() if source is None else source
    arguments = (source, offset, shape, stride, requires_grad, NO_HOOKS)
    return Reduce(Global("torch._utils", "_rebuild_tensor_v2"), arguments)


def quantized(
    quantizer: Any, source: Any = None, shape: Any = (2, 3), stride: Any = (3, 1)
) -> Reduce:
    """Return a quantized tensor over six bytes."""
    source = storage(kind="QInt8Storage") if source is None else source
    arguments = (source, 0, shape, stride, quantizer, False, NO_HOOKS)
    return Reduce(Global("torch._utils", "_rebuild_qtensor"), arguments)


SIX = np.arange(6, dtype="<f4").tobytes()


@dataclass
class Archive:
    """A zip archive of torch.save: what to write, and where to lie."""

    value: Any
    storages: dict[str, bytes] = field(default_factory=lambda: {"0": SIX})
    members: dict[str, bytes] = field(default_factory=dict)
    folder: str = "model/"
    compression: int = zipfile.ZIP_STORED

    def build(self) -> bytes:
        """Return the file."""
        pickle = self.value if isinstance(self.value, bytes) else assemble(self.value)
        members = {"data.pkl": pickle, "version": b"3\n", **self.members}
        members.update({f"data/{key}": data for key, data in self.storages.items()})
        return zipped(
            {self.folder + name: data for name, data in members.items()}, self.compression
        )


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip file with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()


def widened(data: bytes) -> bytes:
    """Return a zip file with every size and offset of its directory in the 64-bit fields."""
    directory = struct.unpack_from("<I", data, len(data) - 6)[0]
    result, position, count = bytearray(data[:directory]), directory, 0
    while data[position : position + 4] == b"PK\x01\x02":
        entry = bytearray(data[position : position + 46])
        packed, size, name_length, offset = (
            *struct.unpack_from("<II", entry, 20),
            *struct.unpack_from("<H", entry, 28),
            *struct.unpack_from("<I", entry, 42),
        )
        struct.pack_into("<IIHH", entry, 20, 2**32 - 1, 2**32 - 1, name_length, 32)
        struct.pack_into("<I", entry, 42, 2**32 - 1)
        # A field of another kind comes first, as torch.save's padding does.
        extra = struct.pack("<HHHHQQQ", 0x4246, 0, 1, 24, size, packed, offset)
        extra += struct.pack("<HH", 0x4246, 0)[: 32 - len(extra)]
        result += entry + data[position + 46 : position + 46 + name_length] + extra
        position += 46 + name_length
        count += 1
    end, length = len(result), len(result) - directory
    result += struct.pack(
        "<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, directory
    )
    result += struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    wide = 2**32 - 1
    return bytes(result + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, wide, wide, 0))


MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
FACTS = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}


def legacy(
    value: object,
    storages: dict[str, tuple[int, bytes]],
    *,
    protocol: object = 1001,
    facts: object = FACTS,
    keys: object = None,
) -> bytes:
    """Return a legacy stream; a storage is its number of elements and their bytes."""
    heads = [protocol, facts, value, list(storages) if keys is None else keys]
    body = b"".join(struct.pack("<q", count) + data for count, data in storages.values())
    return MAGIC + b"".join(map(assemble, heads)) + body
