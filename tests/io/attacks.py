"""Files that must be refused, of every format, and a few that must load."""

from __future__ import annotations

import json
import struct
import zipfile
from typing import Any

import numpy as np

from qrs.errors import FormatError, IntegrityError

from . import pickles as p
from .pickle_attacks import pickle_attacks
from .pickles import Archive, Attack, Global, Reduce, assemble, tensor


def safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a file with this header, given as JSON or as text."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape: Any = (2,), begin: Any = 0, end: Any = 8, dtype: Any = "F32") -> dict[str, Any]:
    """Return the header's entry of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def _zips() -> dict[str, Attack]:
    good = Archive(tensor()).build()
    names = ("model/data.pkl", "model/data/0")
    central = good.index(b"PK\x01\x02")
    payload = good.index(p.SIX)

    def patched(offset: int, form: str, value: int) -> bytes:
        data = bytearray(good)
        struct.pack_into(form, data, offset, value)
        return bytes(data)

    wide = p.widened(good)
    tail = len(wide) - 22

    def patched_wide(offset: int, form: str, value: int) -> bytes:
        data = bytearray(wide)
        struct.pack_into(form, data, offset, value)
        return bytes(data)

    one_more = bytearray(good)
    struct.pack_into("<HH", one_more, len(good) - 14, 4, 4)
    one_less = bytearray(good)
    struct.pack_into("<HH", one_less, len(good) - 14, 2, 2)
    bomb = zipped_bomb()
    cases: dict[str, tuple[bytes, str]] = {
        "truncated": (good[:-30], "does not end with its directory"),
        "first_bytes_alone": (good[:40], "does not end with its directory"),
        "comment": (good[:-2] + b"\x01\x00x", "does not end with its directory"),
        "trailing_bytes": (good + b"x", "does not end with its directory"),
        "prepended": (b"PK\x03\x04" + bytes(60) + good, "not where its end says"),
        "two_archives": (good + good, "not where its end says"),
        "compressed_bomb": (bomb, "compressed or encrypted"),
        "duplicate_name": (
            good.replace(b"model/version", b"model/data/0\0"[:13]).replace(b"data/0\0", b"data/0"),
            "not where its end says|does not end|damaged|twice|named",
        ),
        "twice": (
            p.zipped({names[0]: b"", "model/data.pkk": b""}).replace(b".pkk", b".pkl"),
            "twice",
        ),
        "absolute_name": (p.zipped({"/etc/data.pkl": b""}), "plain relative name"),
        "parent_name": (p.zipped({"model/../data.pkl": b""}), "plain relative name"),
        "backslash_name": (
            p.zipped({"model\\data.pkl": b""}).replace(b"l/d", b"l\\d"),
            "plain relative|one folder",
        ),
        "drive_name": (p.zipped({"C:/data.pkl": b""}), "plain relative name"),
        "folder_member": (p.zipped({"model/": b""}), "plain relative name"),
        "name_not_utf8": (
            good.replace(b"model/version", b"model/\xff\xff\xff\xff\xff\xff\xff"),
            "named",
        ),
        "no_folder": (p.zipped({"data.pkl": assemble(1)}), "one folder"),
        "two_folders": (p.zipped({"a/data.pkl": assemble(1), "b/data.pkl": b""}), "one folder"),
        "npz": (p.zipped({"a.npy": b"\x93NUMPY"}), "one folder"),
        "empty": (p.zipped({}), "one folder"),
        "no_pickle": (p.zipped({"model/version": b"3"}), "no 'data.pkl'"),
        "torchscript": (Archive(1, members={"constants.pkl": b""}).build(), "TorchScript"),
        "byte_order": (Archive(tensor(), members={"byteorder": b"middle"}).build(), "byte order"),
        "size_lies": (patched(central + 24, "<I", 2**31), "compressed|differs"),
        "sizes_lie": (
            patched(central + 24, "<I", 9).replace(
                good[central + 20 : central + 24], b"\x09\0\0\0", 1
            ),
            "differs|compressed",
        ),
        "offset_lies": (patched(central + 42, "<I", 1), "differs between"),
        "offset_outside": (patched(central + 42, "<I", 2**31), "behind the members"),
        "offset_64_missing": (patched(central + 42, "<I", 2**32 - 1), "no 64-bit size"),
        "encrypted": (patched(central + 8, "<H", 1), "compressed or encrypted"),
        "method": (patched(central + 10, "<H", 99), "compressed or encrypted"),
        "other_disk": (patched(central + 34, "<H", 1), "damaged"),
        "count_lies": (patched(len(good) - 12, "<H", 2**15), "one part of several"),
        "directory_outside": (patched(len(good) - 6, "<I", 2**31), "not where its end says"),
        "directory_size": (patched(len(good) - 10, "<I", 2**31), "in 16777216"),
        "local_name": (good.replace(b"model/version", b"model/versioN", 1), "differs between"),
        "local_signature": (
            b"PK\x03\x04" + good[4:payload].replace(b"PK\x03\x04", b"PK\x03\x05") + good[payload:],
            "differs between",
        ),
        "overlap": (overlapping(), "overlaps"),
        "member_too_many": (bytes(one_more), "ends before its 4 members"),
        "member_too_few": (bytes(one_less), "more than its 2 members"),
        "end_64_elsewhere": (patched_wide(tail - 12, "<Q", 5), "64-bit end is not where"),
        "end_64_signature": (patched_wide(tail - 76, "<I", 0), "64-bit end disagrees"),
        "end_64_count": (patched_wide(tail - 76 + 32, "<Q", 2**63), "64-bit end disagrees"),
        "end_64_size": (patched_wide(tail - 76 + 40, "<Q", 2**63), "in 16777216"),
        "end_64_start": (patched_wide(tail - 76 + 48, "<Q", 2**63), "not where its end says"),
        "size_64_lies": (
            wide.replace(struct.pack("<QQ", 24, 24), struct.pack("<QQ", 2**63, 2**63)),
            "differs between",
        ),
        "reaches_into_directory": (_stretched(good), "reaches into"),
    }
    attacks: dict[str, Attack] = {
        f"zip_{name}": (data, FormatError, message) for name, (data, message) in cases.items()
    }
    flipped = good[:payload] + b"\1" + good[payload + 1 :]
    attacks["zip_payload_flipped"] = flipped, IntegrityError, "'data/0': its bytes have checksum"
    return attacks


def _stretched(good: bytes) -> bytes:
    """Return an archive whose last member says, in both places, that it goes on for 200 bytes."""
    data, size = bytearray(good), struct.pack("<II", 24, 24)
    local = data.index(size)
    for place in (local, data.index(size, local + 1)):
        struct.pack_into("<II", data, place, 200, 200)
    return bytes(data)


def zipped_bomb() -> bytes:
    """Return an archive whose storage of 64 MiB of zeros is deflated to 64 KiB."""
    count = 2**24
    value = tensor((count,), (1,), 0, p.storage(count=count))
    return Archive(value, {"0": bytes(4 * count)}, compression=zipfile.ZIP_DEFLATED).build()


def overlapping() -> bytes:
    """Return an archive in which two members of the directory share one place in the file."""
    data = p.zipped({"model/data.pkl": b"", "model/data.pkk": b""})
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    changed = bytearray(data)
    struct.pack_into("<I", changed, second + 42, 0)
    return bytes(changed)


def _legacy() -> dict[str, Attack]:
    one = {"0": (6, p.SIX)}
    good = p.legacy(tensor(), one)
    big = tensor((2**50,), (1,), 0, p.storage(count=2**50))
    cases: dict[str, tuple[bytes, str]] = {
        "gadget": (p.legacy(Reduce(Global("os", "system"), ("ls",)), {}), "`os.system`"),
        "gadget_in_facts": (
            p.legacy(1, {}, facts=Reduce(Global("os", "system"), ("ls",))),
            "`os.system`",
        ),
        "storage_in_facts": (p.legacy(1, {}, facts={"little_endian": tensor()}), "wrong part"),
        "protocol": (p.legacy(1, {}, protocol=1002), "protocol 1002"),
        "big_endian": (p.legacy(1, {}, facts={"little_endian": False}), "not little-endian"),
        "keys_missing": (p.legacy(tensor(), one, keys=[]), "list of storages"),
        "keys_twice": (p.legacy(tensor(), one, keys=["0", "0"]), "list of storages"),
        "keys_numbers": (p.legacy(tensor(), one, keys=[0]), "list of storages"),
        "count_lies": (p.legacy(tensor(), {"0": (7, p.SIX)}), "expected 6"),
        "count_negative": (p.legacy(tensor(), {"0": (-1, p.SIX)}), "expected 6"),
        "truncated": (good[:-1], "cut short"),
        "trailing": (good + b"x", "cut short"),
        "no_room": (p.legacy(big, {"0": (2**50, b"")}), "no room"),
        "plain_pickle": (assemble({"a": 1}), "torch.save did not write"),
        "plain_gadget": (assemble(Reduce(Global("os", "system"), ("ls",))), "torch.save did not"),
        "magic_alone": (p.MAGIC, "cut short"),
    }
    return {f"legacy_{name}": (data, FormatError, text) for name, (data, text) in cases.items()}


def _safetensors() -> dict[str, Attack]:
    eight = bytes(8)
    twice = b'{"a":' + json.dumps(entry()).encode() + b',"a":' + json.dumps(entry()).encode() + b"}"
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    cases: dict[str, tuple[bytes, str]] = {
        "empty": (b"", "cut short"),
        "seven_bytes": (bytes(7), "cut short"),
        "length_2_63": (safetensors({}, length=2**63), "begin with"),
        "length_all_ones": (safetensors({}, length=2**64 - 1), "begin with"),
        "length_past_end": (safetensors({}, length=3), "begin with"),
        "header_17_mib": (safetensors(b"{}".ljust(17 << 20)), "limits.header_bytes"),
        "duplicate_key": (safetensors(twice, eight), "'a' is given twice"),
        "duplicate_field": (
            safetensors(
                b'{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}', eight
            ),
            "'shape' is given twice",
        ),
        "deep": (safetensors(deep), "nested too deep"),
        "not_json": (safetensors(b"{'a':1}"), "not the JSON"),
        "not_utf8": (safetensors(b'{"\xff":1}'), "not the JSON"),
        "not_an_object": (safetensors([1]), "not a JSON object"),
        "space_first": (safetensors(b"  {}"), "not a JSON object"),
        "constant": (safetensors(b'{"a":NaN}'), "not JSON"),
        "long_number": (safetensors(b'{"a":' + b"9" * 5000 + b"}"), "not the JSON"),
        "surrogate_name": (safetensors(b'{"\\ud800":{}}'), "valid Unicode"),
        "metadata_list": (safetensors({"__metadata__": [1]}), "string to string"),
        "metadata_number": (safetensors({"__metadata__": {"a": 1}}), "string to string"),
        "entry_number": (safetensors({"a": 1}), "expected exactly"),
        "entry_extra": (safetensors({"a": {**entry(), "b": 1}}, eight), "expected exactly"),
        "dtype_unknown": (safetensors({"a": entry(dtype="F8_E4M3")}, eight), "expected one of"),
        "dtype_number": (safetensors({"a": entry(dtype=32)}, eight), "expected one of"),
        "shape_negative": (safetensors({"a": entry([-2])}, eight), "list of up to"),
        "shape_float": (safetensors({"a": entry([2.0])}, eight), "list of up to"),
        "shape_bool": (safetensors({"a": entry([True, 2])}, eight), "list of up to"),
        "shape_huge": (safetensors({"a": entry([2**64])}, eight), "list of up to"),
        "shape_wraps": (safetensors({"a": entry([2**33, 2**31], 0, 0)}), "too large"),
        "shape_empty_huge": (safetensors({"a": entry([0, 2**62], 0, 0)}), "too large"),
        "shape_lies": (safetensors({"a": entry([3])}, eight), "takes 12 bytes"),
        "rank_9": (safetensors({"a": entry([1] * 9, 0, 4)}, bytes(4)), "list of up to 8"),
        "offsets_reversed": (safetensors({"a": entry([2], 8, 0)}, eight), "takes 8 bytes"),
        "offsets_three": (
            safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 8]}}, eight),
            "pair of positions",
        ),
        "overlap": (safetensors({"a": entry(), "b": entry([2], 4, 12)}, bytes(12)), "overlaps"),
        "alias": (safetensors({"a": entry(), "b": entry()}, eight), "overlaps"),
        "hole": (safetensors({"a": entry(), "b": entry([2], 9, 17)}, bytes(17)), "hole"),
        "hole_at_start": (safetensors({"a": entry([2], 4, 12)}, bytes(12)), "hole"),
        "data_short": (safetensors({"a": entry()}, bytes(7)), "cut short"),
        "data_long": (safetensors({"a": entry()}, bytes(9)), "no tensor owns"),
        "name_long": (safetensors({"a" * 1025: entry()}, eight), "expected at most 1024"),
        "many_tensors": (
            safetensors({str(i): 0 for i in range(100_001)}),
            "limits.tensors",
        ),
        "uint64_overflow": (
            safetensors({"a": entry([1], dtype="U64")}, b"\xff" * 8),
            "expected int64",
        ),
    }
    attacks: dict[str, Attack] = {
        f"safetensors_{name}": (data, FormatError, text) for name, (data, text) in cases.items()
    }
    boolean = safetensors({"a": entry([2], 0, 2, "BOOL")}, b"\0\2")
    attacks["safetensors_boolean_two"] = boolean, IntegrityError, "expected 0 or 1"
    marker = safetensors({"__metadata__": {"qrs": "{}"}})
    attacks["safetensors_checksum_gone"] = marker, IntegrityError, "differs from its checksum"
    return attacks


def all_attacks() -> dict[str, Attack]:
    """Return every attack by name."""
    return {**pickle_attacks(), **_zips(), **_legacy(), **_safetensors()}


def good_files() -> dict[str, bytes]:
    """Return files of each kind that load, for tests of what loading does besides."""
    array = np.arange(6, dtype="<f4")
    return {
        "archive": Archive({"w": tensor()}).build(),
        "legacy": p.legacy({"w": tensor()}, {"0": (6, array.tobytes())}),
        "safetensors": safetensors({"w": entry([6], 0, 24)}, array.tobytes()),
    }
