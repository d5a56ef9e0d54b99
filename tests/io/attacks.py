"""Files that must be refused: for each its bytes, the error and a part of the message."""

from __future__ import annotations

import json
import struct
import zipfile
from typing import Any

import numpy as np

from qrs.errors import FormatError, IntegrityError

from . import pickles as p
from .pickles import Archive, Build, Global, New, Persistent, Raw, Reduce, assemble, tensor

Attack = tuple[bytes, type[FormatError], str]


def safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a file with this header, given as JSON or as text."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape: Any = (2,), begin: Any = 0, end: Any = 8, dtype: Any = "F32") -> dict[str, Any]:
    """Return the header's entry of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def _gadgets() -> dict[str, Attack]:
    names = {
        "system": Global("os", "system"),
        "posix_system": Global("posix", "system"),
        "nt_system": Global("nt", "system"),
        "eval": Global("builtins", "eval"),
        "exec_python2": Global("__builtin__", "exec"),
        "import": Global("builtins", "__import__"),
        "getattr": Global("builtins", "getattr"),
        "open": Global("builtins", "open"),
        "compile": Global("builtins", "compile"),
        "partial": Global("functools", "partial"),
        "reduce": Global("functools", "reduce"),
        "attrgetter": Global("operator", "attrgetter"),
        "methodcaller": Global("operator", "methodcaller"),
        "popen": Global("subprocess", "Popen"),
        "runpy": Global("runpy", "run_path"),
        "pickle_loads": Global("pickle", "loads"),
        "marshal_loads": Global("marshal", "loads"),
        "code_type": Global("types", "CodeType"),
        "ctypes": Global("ctypes", "CDLL"),
        "socket": Global("socket", "create_connection"),
        "urlopen": Global("urllib.request", "urlopen"),
        "torch_hub": Global("torch.hub", "load"),
        "torch_load": Global("torch", "load"),
        "torch_jit": Global("torch.jit", "load"),
        "torch_script_function": Global("torch._utils", "_import_dotted_name"),
        "numpy_object": Global("numpy.core.multiarray", "_reconstruct"),
        "numpy_f2py": Global("numpy.f2py", "compile"),
        "codecs": Global("_codecs", "encode"),
        "copyreg": Global("copyreg", "_reconstructor"),
        "dotted_name": Global("torch", "storage.os.system"),
        "dotted_module": Global("collections.OrderedDict.__class__", "OrderedDict"),
        "dunder": Global("collections", "OrderedDict.__reduce_ex__"),
        "own_module": Global("qrs.io.files", "save"),
        "empty_name": Global("", ""),
        "rebuild_parameter_with_state": Global("torch._utils", "_rebuild_parameter_with_state"),
        "rebuild_from_type": Global("torch._tensor", "_rebuild_from_type_v2"),
        "complex_storage": Global("torch", "ComplexFloatStorage"),
    }
    return {
        f"gadget_{key}": (
            Archive(Reduce(name, ("echo hacked",))).build(),
            FormatError,
            f"asks for `{name.module}.{name.name}`",
        )
        for key, name in names.items()
    }


def _instructions() -> dict[str, Attack]:
    memo_loop = Raw(b"]q\x00h\x00a")
    cases: dict[str, tuple[object, str]] = {
        "stack_global": (
            Raw(b"\x8c\x02os\x8c\x06system\x93" + p.code(("ls",)) + b"R"),
            "`os.system`",
        ),
        "inst": (Raw(b"(X\x02\0\0\0lsios\nsystem\n"), "INST"),
        "obj": (Raw(b"(cos\nsystem\nX\x02\0\0\0lso"), "`os.system`"),
        "obj_of_allowed": (Raw(b"(ctorch\nSize\no"), "OBJ"),
        "newobj": (New(Global("collections", "OrderedDict"), ()), "makes an object"),
        "newobj_arguments": (New(Global("torch", "ScriptObject"), (1,)), "makes an object"),
        "newobj_ex": (Raw(b"ctorch\nScriptObject\n)}\x92"), "NEWOBJ_EX"),
        "ext1": (Raw(b"\x82\x01"), "EXT1"),
        "ext2": (Raw(b"\x83\x01\x00"), "EXT2"),
        "ext4": (Raw(b"\x84\x01\x00\x00\x00"), "EXT4"),
        "persid_text": (Raw(b"Pos.system\n"), "PERSID"),
        "persid_module": (
            Persistent(("module", Global("torch", "Size"), "a.py", "import os")),
            "outside",
        ),
        "persid_string": (Persistent("storage"), "tuple belongs"),
        "persid_short": (Persistent(("storage",)), "outside"),
        "persid_path": (p.storage("../../etc/passwd"), "expected 24 for"),
        "persid_negative": (p.storage(count=-1), "elements"),
        "persid_huge": (p.storage(count=2**62), "elements"),
        "bytes": (Raw(b"C\x01a"), "SHORT_BINBYTES"),
        "bytearray": (Raw(b"\x96" + bytes(8)), "BYTEARRAY8"),
        "next_buffer": (Raw(b"\x97"), "NEXT_BUFFER"),
        "dup": (Raw(b"N2"), "0x32"),
        "unknown_instruction": (Raw(b"\xff"), "0xff"),
        "reduce_of_string": (Reduce("os.system", ("ls",)), "Constructor belongs"),
        "reduce_of_dtype": (Reduce(Global("torch", "float32"), ()), "Constructor belongs"),
        "reduce_without_tuple": (Reduce(Global("torch", "Size"), [1]), "tuple belongs"),
        "reduce_wrong_count": (Reduce(Global("torch", "Size"), (1, 2)), "wrong arguments"),
        "size_of_strings": (Reduce(Global("torch", "Size"), (("a",),)), "wrong arguments"),
        "build_dict": (Build({}, {"__class__": 1}), "attributes of a dict"),
        "build_attribute": (Build(p.NO_HOOKS, {"__class__": 1}), "attributes of a OrderedDict"),
        "build_slots": (Build(p.NO_HOOKS, (None, {"_metadata": 1})), "attributes of a OrderedDict"),
        "build_constructor": (
            Build(Global("torch", "Size"), {"build": 1}),
            "attributes of a Constr",
        ),
        "build_script": (
            Build(New(Global("torch", "ScriptObject"), ()), (1, 2)),
            "without a state",
        ),
        "append_to_tuple": (Raw(b")Na"), "puts items into a tuple"),
        "setitem_on_list": (Raw(b"]NNs"), "puts items into a list"),
        "setitem_on_size": (Raw(b"ctorch\nSize\nNNs"), "puts items into a Constructor"),
        "unhashable_key": (Raw(b"}]Ns"), "a list for a key"),
        "tuple_key": ({(1, 2): 3}, "a tuple for a key"),
        "odd_items": (Raw(b"}(Nu"), "key without a value"),
        "set_of_lists": (Reduce(Global("builtins", "set"), ([[1]],)), "wrong arguments"),
        "underflow": (Raw(b"a"), "not there"),
        "pop_below_mark": (Raw(b"](Na"), "puts items into|not there"),
        "mark_missing": (Raw(b"t"), "mark that is not there"),
        "memo_missing": (Raw(b"h\x07"), "never stored"),
        "cyclic_list": (memo_loop, "hold each other"),
        "cyclic_metadata": (
            Raw(b"ccollections\nOrderedDict\n)Rq\x00}X\x09\0\0\0_metadatah\x00sb"),
            "hold each",
        ),
        "deep": (Raw(b"]" * 200 + b"a" * 199), "nested deeper"),
        "long_integer": (Raw(b"\x8a\x0a" + bytes(10)), "integer of 10 bytes"),
        "negative_long": (Raw(b"\x8b\xff\xff\xff\xff"), "integer of -1 bytes"),
        "string_past_end": (Raw(b"X\xff\xff\xff\x7fa"), "cut short"),
        "string_8_past_end": (Raw(b"\x8d" + b"\xff" * 8), "cut short"),
        "frame_past_end": (Raw(b"\x95" + b"\xff" * 8), "cut short"),
        "name_without_end": (Raw(b"c" + b"a" * 2000), "does not end"),
        "invalid_utf8": (Raw(b"X\x01\0\0\0\xff"), "not UTF-8"),
        "two_values": (Raw(b"NN"), "one value"),
        "no_value": (Raw(b""), "one value"),
        "open_mark": (Raw(b"N("), "one value"),
        "protocol_0": (Raw(b"\x80\x00N"), "protocol 0"),
        "many_instructions": (Raw(b"]q\x00" + b"h\x00" * 600_000), "limits.opcodes"),
        "quadratic_work": (
            Raw(b"]q\x00(" + b"N" * 50_000 + b"e" + b"cbuiltins\nset\nh\x00\x85R" * 1000),
            "limits.opcodes",
        ),
        "constructor_as_value": ([Global("torch", "Size")], "as a value"),
        "storage_as_value": ([p.storage()], "as a value"),
        "element_type_as_value": ([Global("torch", "FloatStorage")], "as a value"),
        "class_as_value": ([Global("torch", "ScriptObject")], "as a value"),
    }
    attacks = {
        f"pickle_{name}": (Archive(value).build(), FormatError, message)
        for name, (value, message) in cases.items()
    }
    attacks["pickle_without_stop"] = Archive(b"\x80\x02N").build(), FormatError, "cut short"
    attacks["pickle_empty"] = Archive(b"").build(), FormatError, "cut short"
    attacks["pickle_goes_on"] = Archive(assemble(1) + b"N").build(), FormatError, "behind its end"
    return attacks


def _tensors() -> dict[str, Attack]:
    parameter = Global("torch._utils", "_rebuild_parameter")
    long = p.storage(kind="LongStorage", count=3)
    hooks = Reduce(
        Global("torch._utils", "_rebuild_tensor_v2"), (p.storage(), 0, (6,), (1,), False, {1: 2})
    )
    three = Global("torch._utils", "_rebuild_tensor_v3")
    affine = Global("torch", "per_tensor_affine")
    channels = Global("torch", "per_channel_affine")
    byte = p.storage("0", "QInt8Storage", 24)
    cases: dict[str, tuple[object, str]] = {
        "too_small": (tensor((7,), (1,)), "reach outside"),
        "stride_reaches_out": (tensor((2, 3), (4, 1)), "reach outside"),
        "stride_overflow": (tensor((2, 2), (2**62, 2**62)), "reach outside"),
        "size_overflow": (tensor((2**32, 2**32), (0, 0)), "reach outside"),
        "size_times_width_wraps": (tensor((2**62,), (0,)), "reach outside"),
        "size_beyond_64_bits": (tensor((2**63 - 1, 3), (0, 0)), "reach outside"),
        "empty_but_huge": (tensor((0, 2**40, 2**40), (1, 1, 1)), "too large"),
        "expanded": (tensor((1000, 1000), (0, 0)), "reach outside"),
        "offset_negative": (tensor((1,), (1,), -1), "integers from 0"),
        "offset_outside": (tensor((1,), (1,), 6), "reach outside"),
        "offset_of_empty": (tensor((0,), (1,), 7), "reach outside"),
        "stride_negative": (tensor((2, 3), (-3, 1)), "integers from 0"),
        "size_negative": (tensor((-2, 3), (3, 1)), "integers from 0"),
        "size_float": (tensor((2.0, 3), (3, 1)), "integers from 0"),
        "size_bool": (tensor((True, 3), (3, 1)), "integers from 0"),
        "size_list": (tensor([2, 3], (3, 1)), "integers from 0"),
        "ranks_differ": (tensor((2, 3), (3,)), "2 sizes and 1 strides"),
        "rank_9": (tensor((1,) * 9, (1,) * 9), "at most 8"),
        "no_storage": (tensor(source="storage"), "no storage"),
        "grad_of_integers": (tensor((3,), (1,), 0, long, True), "requires_grad"),
        "grad_is_no_bool": (tensor(requires_grad="yes"), "requires_grad"),
        "hooks": (hooks, "hooks"),
        "parameter_of_string": (Reduce(parameter, ("x", True, p.NO_HOOKS)), "no tensor"),
        "parameter_of_integers": (
            Reduce(parameter, (tensor((3,), (1,), 0, long), True, p.NO_HOOKS)),
            "requires_grad",
        ),
        "two_types": ([tensor(), tensor((3,), (1,), 0, long)], "two types"),
        "two_sizes": ([p.storage(), p.storage(count=5)], "expected 20|two types"),
        "storage_larger_than_member": (tensor(source=p.storage(count=7)), "expected 28"),
        "storage_smaller_than_member": (tensor((5,), (1,), 0, p.storage(count=5)), "expected 20"),
        "storage_missing": (tensor(source=p.storage("1")), "no bytes"),
        "retyped_without_storage_type": (
            Reduce(three, (p.storage(), 0, (6,), (1,), False, {}, Global("torch", "uint16"))),
            "does not hold",
        ),
        "retyped_as_dtype": (
            Reduce(three, (p.storage(), 0, (6,), (1,), False, {}, Global("torch", "float32"))),
            "no element type",
        ),
        "quantized_as_plain": (tensor((24,), (1,), 0, byte), "quantized storage in a plain"),
        "plain_as_quantized": (p.quantized((affine, 0.1, 0), p.storage()), "no quantized storage"),
        "quantizer_missing": (p.quantized(None, byte), "no quantized storage"),
        "quantizer_short": (p.quantized((affine, 0.1), byte), "wrong arguments"),
        "quantizer_long": (p.quantized((affine, 0.1, 0, 0), byte), "no quantization scheme"),
        "quantizer_scheme": (p.quantized(("affine", 0.1, 0), byte), "no quantization scheme"),
        "scale_zero": (p.quantized((affine, 0.0, 0), byte), "wrong arguments"),
        "scale_nan": (p.quantized((affine, float("nan"), 0), byte), "wrong arguments"),
        "scale_string": (p.quantized((affine, "1", 0), byte), "not numbers"),
        "zero_point_float": (p.quantized((affine, 0.1, 0.5), byte), "zero point"),
        "zero_point_range": (p.quantized((affine, 0.1, 1000), byte), "wrong arguments"),
        "channels_without_axis": (p.quantized((channels, 0.1, 0), byte), "no quantization scheme"),
        "channels_of_numbers": (p.quantized((channels, 0.1, 0, 0), byte), "wrong arguments"),
        "channels_axis": (p.quantized((channels, 0.1, 0, "0"), byte), "wrong arguments"),
    }
    attacks: dict[str, Attack] = {
        f"tensor_{name}": (Archive(value).build(), FormatError, message)
        for name, (value, message) in cases.items()
    }
    booleans = tensor((6,), (1,), 0, p.storage(kind="BoolStorage"))
    large = p.storage("0", "QInt8Storage", 100_000)
    copies = [p.quantized((affine, 0.1, 0), large, (100_000,), (1,))] * 50
    attacks["tensor_copies_multiply"] = (
        Archive(copies, {"0": bytes(100_000)}).build(),
        FormatError,
        "times the file's size",
    )
    attacks["tensor_boolean_two"] = (
        Archive(booleans, {"0": b"\0\1\2\0\0\0"}).build(),
        FormatError,
        "neither 0 nor 1",
    )
    return attacks


def _zips() -> dict[str, Attack]:
    good = Archive(tensor()).build()
    names = ("model/data.pkl", "model/data/0")
    central = good.index(b"PK\x01\x02")
    payload = good.index(p.SIX)

    def patched(offset: int, form: str, value: int) -> bytes:
        data = bytearray(good)
        struct.pack_into(form, data, offset, value)
        return bytes(data)

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
    }
    attacks: dict[str, Attack] = {
        f"zip_{name}": (data, FormatError, message) for name, (data, message) in cases.items()
    }
    flipped = good[:payload] + b"\1" + good[payload + 1 :]
    attacks["zip_payload_flipped"] = flipped, IntegrityError, "'data/0': its bytes have checksum"
    return attacks


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
        "length_2_63": (safetensors({}, length=2**63), "begins with"),
        "length_all_ones": (safetensors({}, length=2**64 - 1), "begins with"),
        "length_past_end": (safetensors({}, length=3), "begins with"),
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
    groups = (_gadgets, _instructions, _tensors, _zips, _legacy, _safetensors)
    return {name: attack for group in groups for name, attack in group().items()}


def good_files() -> dict[str, bytes]:
    """Return files of each kind that load, for tests of what loading does besides."""
    array = np.arange(6, dtype="<f4")
    return {
        "archive": Archive({"w": tensor()}).build(),
        "legacy": p.legacy({"w": tensor()}, {"0": (6, array.tobytes())}),
        "safetensors": safetensors({"w": entry([6], 0, 24)}, array.tobytes()),
    }
