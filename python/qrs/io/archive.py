"""Zip archives as torch.save writes them: stored members under one folder, nothing else.

A zip file says many things twice, and readers that believe different copies can be shown different
files. This one reads the directory at the very end of the file, asks each member's own header to
agree with it, and refuses what torch.save never writes: compression, encryption, comments, members
that overlap or share a name, and names that leave the folder.

Source: PKWARE's APPNOTE.TXT, sections 4.3.7 (member), 4.3.12 (directory), 4.3.14-16 (ends), 4.5.3
(64-bit sizes).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrs.errors import IntegrityError
from qrs.io.limits import Limits
from qrs.io.source import Source

__all__ = ["Archive", "Member"]

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_NARROW, _SHORT = 0xFFFFFFFF, 0xFFFF
# Bits that change nothing in a stored member: sizes repeated behind it, name in UTF-8.
_DESCRIPTOR, _UTF8 = 0x0008, 0x0800


@dataclass(frozen=True)
class Member:
    """One stored member: the offset of its header in the file, its length and its CRC-32."""

    name: str
    offset: int
    size: int
    crc: int
    flags: int


class Archive:
    """The members of a zip file, checked before anything is read from them.

    Parameters
    ----------
    source : Source
    limits : Limits

    Raises
    ------
    FormatError
        Naming what torch.save would not have written.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source = source
        count, size, start, end = self._find_directory()
        if size > limits.header_bytes or count > limits.tensors:
            raise source.fail(
                f"the archive lists {count} members in {size} bytes, expected at most "
                f"{limits.tensors} in {limits.header_bytes}; raise the limits"
            )
        if start + size != end:
            raise source.fail("the archive's directory is not where its end says")
        members = self._read_directory(source.read(start, size), count)
        self._members: dict[str, Member] = {}
        for member in members:
            if member.name in self._members:
                raise source.fail(f"the archive has {member.name!r} twice")
            self._members[member.name] = member
        self._data_starts = self._check_members(members, start)
        self.folder = self._find_folder()

    def __contains__(self, name: str) -> bool:
        return self.folder + name in self._members

    def size(self, name: str) -> int:
        """Return the length of a member in bytes."""
        return self._member(name).size

    def read(self, name: str, limit: int) -> bytes:
        """Return a member of up to `limit` bytes."""
        member = self._member(name)
        if member.size > limit:
            raise self._source.fail(
                f"{name!r} has {member.size} bytes, expected at most {limit}; raise the limits"
            )
        return self.read_array(name, np.dtype(np.uint8)).tobytes()

    def read_array(self, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return a new flat array of a member whose size is a multiple of the element's."""
        member = self._member(name)
        start = self._data_starts[member.name]
        array = self._source.read_array(start, (member.size // dtype.itemsize,), dtype)
        found = zlib.crc32(array.view(np.uint8).data)
        if found != member.crc:
            raise IntegrityError(
                f"qrs.load: {self._source.name}: {name!r}: its bytes have checksum {found:08x}, "
                f"expected {member.crc:08x}; the file is damaged: fetch it again"
            )
        return array

    def _member(self, name: str) -> Member:
        if name not in self:
            raise self._source.fail(f"the archive has no {name!r}, which torch.save writes")
        return self._members[self.folder + name]

    def _find_directory(self) -> tuple[int, int, int, int]:
        """Return the number of members, the directory's size and start, and where it must end."""
        source = self._source
        end = source.size - _END.size
        fields = _END.unpack(source.read(end, _END.size)) if end >= 0 else (b"",)
        if fields[0] != b"PK\x05\x06" or fields[7] != 0:
            raise source.fail(
                "the archive does not end with its directory; the file is cut short, or has a "
                "comment, which torch.save does not write: fetch it again"
            )
        _, disk, first_disk, here, count, size, start, _ = fields
        if (disk, first_disk, here) not in {(0, 0, count), (_SHORT, _SHORT, count)}:
            raise source.fail("the archive is one part of several, expected the whole")
        place = end - _LOCATOR64.size
        locator = source.read(place, _LOCATOR64.size) if place >= 0 else b""
        if not locator.startswith(b"PK\x06\x07"):
            return count, size, start, end
        _, _, end64, _ = _LOCATOR64.unpack(locator)
        if end64 + _END64.size != place:
            raise source.fail("the archive's 64-bit end is not where it says")
        signature, _, _, _, disk, first_disk, here, count64, size64, start64 = _END64.unpack(
            source.read(end64, _END64.size)
        )
        wide = ((count, count64, _SHORT), (size, size64, _NARROW), (start, start64, _NARROW))
        agrees = all(narrow in {value, mask} for narrow, value, mask in wide)
        if signature != b"PK\x06\x06" or (disk, first_disk, here) != (0, 0, count64) or not agrees:
            raise source.fail("the archive's 64-bit end disagrees with its end")
        return count64, size64, start64, end64

    def _read_directory(self, data: bytes, count: int) -> list[Member]:
        source, members, position = self._source, [], 0
        for _ in range(count):
            if position + _ENTRY.size > len(data):
                raise source.fail(f"the archive's directory ends before its {count} members do")
            entry = _ENTRY.unpack_from(data, position)
            signature, _, _, flags, method, _, _, crc, packed, size = entry[:10]
            name_length, extra_length, comment_length, disk, _, _, offset = entry[10:]
            position += _ENTRY.size
            raw_name = data[position : position + name_length]
            extra = data[position + name_length : position + name_length + extra_length]
            position += name_length + extra_length + comment_length
            name = self._check_name(raw_name)
            if signature != b"PK\x01\x02" or position > len(data) or disk != 0:
                raise source.fail(f"the archive's directory is damaged at {name!r}")
            size, packed, offset = self._widen(name, extra, size, packed, offset)
            if flags & ~(_DESCRIPTOR | _UTF8) or method != 0 or packed != size:
                raise source.fail(
                    f"{name!r} is compressed or encrypted, as in a TorchScript archive; expected a "
                    "file of torch.save: save model.state_dict() with it"
                )
            members.append(Member(name, offset, size, crc, flags))
        if position != len(data):
            raise source.fail(f"the archive's directory has more than its {count} members")
        return members

    def _check_name(self, raw: bytes) -> str:
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            raise self._source.fail(f"the archive has a member named {raw[:40]!r}") from None
        parts = name.split("/")
        if (
            "\\" in name
            or "\0" in name
            or ":" in parts[0]
            or any(p in ("", ".", "..") for p in parts)
        ):
            raise self._source.fail(
                f"the archive has a member named {name[:80]!r}, expected a plain relative name"
            )
        return name

    def _widen(self, name: str, extra: bytes, *narrow: int) -> list[int]:
        """Return the sizes and the offset, each from the 64-bit field where it does not fit 32."""
        values = list(narrow)
        wide = [i for i, value in enumerate(values) if value == _NARROW]
        position = 0
        while wide and position + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, position)
            position += 4
            if kind == 1 and length >= 8 * len(wide) and position + length <= len(extra):
                found = struct.unpack_from(f"<{len(wide)}Q", extra, position)
                for i, value in zip(wide, found, strict=True):
                    values[i] = value
                return values
            position += length
        if wide:
            raise self._source.fail(f"{name!r} has no 64-bit size where it needs one")
        return values

    def _check_members(self, members: list[Member], directory: int) -> dict[str, int]:
        """Return where each member's bytes begin, after its own header has been compared."""
        source, starts, free = self._source, {}, 0
        for member in sorted(members, key=lambda m: m.offset):
            if member.offset < free:
                raise source.fail(f"{member.name!r} overlaps the member before it")
            if member.offset + _LOCAL.size > directory:
                raise source.fail(f"{member.name!r} begins behind the members' part of the file")
            local = _LOCAL.unpack(source.read(member.offset, _LOCAL.size))
            signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = local
            name = source.read(member.offset + _LOCAL.size, name_length)
            # With a descriptor the sizes stand behind the bytes, and zeros here. A 64-bit size has
            # its field in the extra bytes, which the directory's has replaced already.
            sizes = (
                {0, _NARROW, member.size} if member.flags & _DESCRIPTOR else {_NARROW, member.size}
            )
            agrees = (
                signature == b"PK\x03\x04"
                and (flags, method, name) == (member.flags, 0, member.name.encode())
                and {size, packed} <= sizes
                and (crc == member.crc or (crc == 0 and member.flags & _DESCRIPTOR))
            )
            if not agrees:
                raise source.fail(f"{member.name!r} differs between its header and the directory")
            start = member.offset + _LOCAL.size + name_length + extra_length
            free = start + member.size
            if free > directory:
                raise source.fail(f"{member.name!r} reaches into the archive's directory")
            starts[member.name] = start
        return starts

    def _find_folder(self) -> str:
        folders = {name.split("/")[0] for name in self._members}
        if len(folders) != 1 or not all("/" in name for name in self._members):
            raise self._source.fail(
                "the archive does not keep its members in one folder, as torch.save does; "
                "expected a .pt file"
            )
        return folders.pop() + "/"
