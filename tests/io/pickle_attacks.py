"""Hostile pickles: instructions, names and tensors that must be refused."""

from __future__ import annotations

from qrs.errors import FormatError

from . import pickles as p
from .pickles import (
    Archive,
    Attack,
    Build,
    Global,
    New,
    Persistent,
    Raw,
    Reduce,
    assemble,
    tensor,
)


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
        "ordered_dict_of_number": (Reduce(Global("collections", "OrderedDict"), (3,)), "pairs"),
        "ordered_dict_of_lists": (
            Reduce(Global("collections", "OrderedDict"), ([[[1], 2]],)),
            "pairs of a name",
        ),
        "set_of_number": (Reduce(Global("builtins", "set"), (3,)), "expected one list"),
        "nibbles_of_floats": (
            p.quantized((affine, 0.1, 0), p.storage("0", "QUInt4x2Storage", 24), (2.0, 3)),
            "not a tuple of sizes",
        ),
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


def pickle_attacks() -> dict[str, Attack]:
    """Return every attack of this file by name."""
    return {**_gadgets(), **_instructions(), **_tensors()}
