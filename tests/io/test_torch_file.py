"""Files of torch.save give the values that were saved."""

import io
import math
import struct
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import qrs
from qrs.errors import FormatError
from qrs.io import Limits, ScriptObject

from . import pickles as p
from .pickles import Archive, Build, Global, New, Raw, Reduce, quantized, storage, tensor


def load(value: object, storages: dict[str, bytes] | None = None) -> Any:
    archive = Archive(value) if storages is None else Archive(value, storages)
    return qrs.load(io.BytesIO(archive.build()))


TYPES = {
    "FloatStorage": ("<f4", "float32"),
    "DoubleStorage": ("<f8", "float64"),
    "HalfStorage": ("<f2", "float32"),
    "LongStorage": ("<i8", "int64"),
    "IntStorage": ("<i4", "int32"),
    "ShortStorage": ("<i2", "int16"),
    "CharStorage": ("i1", "int8"),
    "ByteStorage": ("u1", "uint8"),
    "BoolStorage": ("?", "bool"),
}


@pytest.mark.parametrize("kind", TYPES)
def test_tensor_of_each_storage(kind: str) -> None:
    stored, loaded = TYPES[kind]
    array = np.array([0, 1, 1, 0, 1, 0]).astype(stored)
    result = load(tensor(source=storage("0", kind)), {"0": array.tobytes()})
    assert result.numpy().dtype == loaded
    assert result.tolist() == array.reshape(2, 3).tolist()


def test_bfloat16_becomes_float32() -> None:
    bits = np.array([0x3FC0, 0xC000, 0x7F80, 0, 0x8000, 1], "<u2")
    result = load(tensor(source=storage("0", "BFloat16Storage")), {"0": bits.tobytes()})
    assert result.tolist() == [[1.5, -2, math.inf], [0, -0.0, 2.0**-133]]


@pytest.mark.parametrize(
    ("name", "stored", "wider"), [("uint16", "<u2", "int32"), ("uint32", "<u4", "int64")]
)
def test_unsigned_types_are_read_from_untyped_storages(name: str, stored: str, wider: str) -> None:
    array = np.array([1, np.iinfo(stored).max], stored)
    bytes_ = p.Persistent(
        ("storage", Global("torch.storage", "UntypedStorage"), "0", "cpu", array.nbytes)
    )
    arguments = (bytes_, 0, (2,), (1,), False, p.NO_HOOKS, Global("torch", name))
    result = load(
        Reduce(Global("torch._utils", "_rebuild_tensor_v3"), arguments), {"0": array.tobytes()}
    )
    assert result.numpy().dtype == wider
    assert result.tolist() == array.tolist()


@pytest.mark.parametrize(
    ("shape", "stride", "offset", "expected"),
    [
        ((2, 3), (3, 1), 0, [[0, 1, 2], [3, 4, 5]]),
        ((3, 2), (1, 3), 0, [[0, 3], [1, 4], [2, 5]]),
        ((2,), (3,), 1, [1, 4]),
        ((), (), 5, 5),
        ((0, 3), (3, 1), 0, []),
        ((1, 2), (99, 1), 4, [[4, 5]]),
        ((3,), (0,), 2, [2, 2, 2]),
    ],
)
def test_view_of_a_storage(shape: Any, stride: Any, offset: int, expected: object) -> None:
    result = load(tensor(shape, stride, offset))
    assert result.shape == shape
    assert result.tolist() == expected


def test_tensors_of_one_storage_share_its_memory() -> None:
    whole, part = load([tensor(), tensor((2,), (1,), 1)])
    whole.numpy()[0, 1] = 9
    assert part.tolist() == [9, 2]


def test_widened_tensors_of_one_storage_share_memory_too() -> None:
    half = storage("0", "HalfStorage")
    values = [tensor(source=half), tensor((2,), (1,), 1, half)]
    whole, part = load(values, {"0": np.zeros(6, "<f2").tobytes()})
    whole.numpy()[0, 1] = 9
    assert part.tolist() == [9, 0]


def test_loaded_tensor_is_writable() -> None:
    assert load(tensor()).numpy().flags.writeable


def test_requires_grad_and_parameters_are_kept() -> None:
    parameter = Reduce(Global("torch._utils", "_rebuild_parameter"), (tensor(), True, p.NO_HOOKS))
    loaded = load([tensor(requires_grad=True), tensor(), parameter])
    assert [item.requires_grad for item in loaded] == [True, False, True]


def test_old_tensors_without_flags_are_read() -> None:
    old = Reduce(Global("torch._utils", "_rebuild_tensor"), (storage(), 0, (6,), (1,)))
    assert load(old).tolist() == [0, 1, 2, 3, 4, 5]


def test_state_dict_with_its_metadata() -> None:
    ordered = Global("collections", "OrderedDict")
    items = Raw(p.code(Reduce(ordered, ())) + b"(" + p.code("fc.weight") + p.code(tensor()) + b"u")
    state = load(Build(items, {"_metadata": {"": {"version": 1}}}))
    assert type(state) is OrderedDict
    assert list(state) == ["fc.weight"]
    assert state._metadata == {"": {"version": 1}}


def test_ordered_dict_of_python_2_is_read() -> None:
    pairs = Reduce(
        Global("collections", "OrderedDict"), ([[Raw(b"U\x01b"), 1], [Raw(b"T\x01\0\0\0a"), 2]],)
    )
    assert load(pairs) == OrderedDict(b=1, a=2)


def test_plain_values() -> None:
    value = {"a": [1, -1, 2**40, -(2**63), 0.5], "b": (None, True, False, "é"), 3: {}, None: ()}
    assert load(value) == value


def test_sets_sizes_dtypes_and_schemes() -> None:
    value = [
        Reduce(Global("builtins", "set"), ([1, "a"],)),
        Reduce(Global("__builtin__", "set"), ([],)),
        Reduce(Global("torch", "Size"), ((2, 3),)),
        Global("torch", "qint8"),
        Global("torch", "per_channel_affine"),
        Global("torch", "float32"),
    ]
    loaded = load(value)
    assert loaded == [
        {1, "a"},
        set(),
        qrs.Size((2, 3)),
        qrs.qint8,
        qrs.per_channel_affine,
        qrs.float32,
    ]
    assert type(loaded[2]) is qrs.Size


def test_instructions_of_protocol_4() -> None:
    ordered = b"\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94"
    items = b"(\x8c\x01aK\x05\x8c\x01bM\x00\x01\x8c\x01c\x8b\x01\0\0\0\xff\x8c\x01dh\x00u"
    body = ordered + items
    pickle = b"\x80\x04\x95" + struct.pack("<Q", len(body) + 1) + body + b"."
    assert load(pickle) == OrderedDict(a=5, b=256, c=-1, d="collections")


def test_sets_long_strings_short_tuples_and_both_widths_of_the_memo() -> None:
    remembered_set = b"\x8f(K\x01K\x02\x90q\x05r\x00\x01\0\0"
    long_string = b"\x8d" + struct.pack("<Q", 1) + b"d"
    body = b"](" + remembered_set + long_string + b"h\x05j\x00\x01\0\0K\x01\x85K\x02K\x03\x86e"
    assert load(Raw(body)) == [{1, 2}, "d", {1, 2}, {1, 2}, (1,), (2, 3)]


def test_state_of_a_script_object_is_data() -> None:
    packed = Build(New(Global("torch", "ScriptObject"), ()), ((tensor(), None), "__torch__.Packed"))
    loaded = load({"packed": packed})["packed"]
    assert type(loaded) is ScriptObject
    assert loaded.type_name == "__torch__.Packed"
    assert loaded.state[0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_per_tensor_quantized_tensor() -> None:
    ints = np.array([0, 1, 2, 253, 254, 255], np.uint8)
    affine = Global("torch", "per_tensor_affine")
    value = quantized((affine, 0.25, 3), storage(kind="QUInt8Storage"))
    loaded = load(value, {"0": ints.tobytes()})
    assert (loaded.dtype, loaded.qscheme()) == (qrs.quint8, qrs.per_tensor_affine)
    assert (loaded.q_scale(), loaded.q_zero_point()) == (0.25, 3)
    assert loaded.int_repr().tolist() == ints.reshape(2, 3).tolist()


def test_transposed_quantized_tensor() -> None:
    affine = Global("torch", "per_tensor_affine")
    value = quantized((affine, 0.25, 3), storage(kind="QInt32Storage"), (3, 2), (1, 3))
    loaded = load(value, {"0": np.arange(6, dtype="<i4").tobytes()})
    assert loaded.dtype is qrs.qint32
    assert loaded.int_repr().tolist() == [[0, 3], [1, 4], [2, 5]]


def _channels(kind: str, points: Any) -> tuple[Any, dict[str, bytes]]:
    scales = tensor((2,), (1,), 0, storage("1", "DoubleStorage", 2))
    zeros = tensor((2,), (1,), 0, storage("2", kind, 2))
    storages = {"1": np.array([0.5, 0.25], "<f8").tobytes(), "2": points.tobytes()}
    return (Global("torch", "per_channel_affine"), scales, zeros, 0), storages


def test_per_channel_quantized_tensor() -> None:
    quantizer, storages = _channels("LongStorage", np.array([1, 2], "<i8"))
    storages["0"] = np.arange(-3, 3, dtype="i1").tobytes()
    loaded = load(quantized(quantizer), storages)
    assert (loaded.dtype, loaded.qscheme()) == (qrs.qint8, qrs.per_channel_affine)
    assert loaded.q_per_channel_axis() == 0
    assert loaded.q_per_channel_scales().tolist() == [0.5, 0.25]
    assert loaded.q_per_channel_zero_points().tolist() == [1, 2]
    assert loaded.dequantize().tolist() == [[-2, -1.5, -1], [-0.5, -0.25, 0]]


def test_float_zero_points_make_the_scheme_of_embeddings() -> None:
    quantizer, storages = _channels("FloatStorage", np.array([0.5, 1.5], "<f4"))
    storages["0"] = np.arange(6, dtype="u1").tobytes()
    loaded = load(quantized(quantizer, storage(kind="QUInt8Storage")), storages)
    assert loaded.qscheme() is qrs.per_channel_affine_float_qparams
    assert loaded.dequantize().tolist() == [[-0.25, 0.25, 0.75], [0.375, 0.625, 0.875]]


def test_4_bit_tensor_is_read_and_its_spare_bytes_left() -> None:
    quantizer, storages = _channels("FloatStorage", np.array([0.0, 0.0], "<f4"))
    storages["0"] = bytes([0x21, 0x43, 0x65, 0xFF])
    loaded = load(quantized(quantizer, storage("0", "QUInt4x2Storage", 4)), storages)
    assert loaded.dtype is qrs.quint4x2
    assert loaded.dequantize().tolist() == [[0.5, 1, 1.5], [1, 1.25, 1.5]]


@pytest.mark.parametrize("stride", [(1, 2), (3, 2)])
def test_4_bit_tensor_that_is_not_contiguous_is_refused(stride: tuple[int, int]) -> None:
    quantizer, storages = _channels("FloatStorage", np.array([0.0, 0.0], "<f4"))
    value = quantized(quantizer, storage("0", "QUInt4x2Storage", 24), (2, 3), stride)
    with pytest.raises(FormatError, match="not contiguous"):
        load(value, {**storages, "0": bytes(24)})


def test_big_endian_archive_is_converted() -> None:
    archive = Archive(tensor(), {"0": np.arange(6, dtype=">f4").tobytes()}, {"byteorder": b"big"})
    loaded: Any = qrs.load(io.BytesIO(archive.build()))
    assert loaded.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert loaded.numpy().dtype.isnative


def test_storage_of_another_device_is_loaded() -> None:
    there = p.Persistent(("storage", Global("torch", "FloatStorage"), "0", "cuda:0", 6))
    assert load(tensor(source=there)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_archive_with_64_bit_sizes_and_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    file = Unseekable()
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in (("m/data.pkl", p.assemble(tensor())), ("m/data/0", p.SIX)):
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(data)
    data = file.getvalue()
    assert b"PK\x06\x06" in data
    assert b"PK\x07\x08" in data
    loaded: Any = qrs.load(io.BytesIO(data))
    assert loaded.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_archive_whose_directory_has_64_bit_fields() -> None:
    loaded: Any = qrs.load(io.BytesIO(p.widened(Archive(tensor()).build())))
    assert loaded.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_legacy_stream() -> None:
    value = {
        "a": tensor(source=storage("94", "FloatStorage")),
        "b": tensor((2,), (1,), 0, storage("12", "LongStorage", 2)),
        "q": quantized(
            (Global("torch", "per_tensor_affine"), 0.5, 1), storage("7", "QInt8Storage")
        ),
    }
    storages = {
        "12": (2, struct.pack("<2q", 7, -7)),
        "94": (6, p.SIX),
        "7": (6, bytes(range(6))),
    }
    loaded: Any = qrs.load(io.BytesIO(p.legacy(value, storages)))
    assert loaded["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert loaded["b"].tolist() == [7, -7]
    assert loaded["q"].int_repr().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_legacy_identifier_may_have_an_empty_view() -> None:
    source = p.Persistent(("storage", Global("torch", "FloatStorage"), "0", "cpu", 6, None))
    data = p.legacy(tensor(source=source), {"0": (6, p.SIX)})
    assert qrs.load(io.BytesIO(data)).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(opcodes=3), "limits.opcodes"),
        (Limits(tensors=2), "expected at most 2"),
        (Limits(header_bytes=100), "raise the limits"),
        (Limits(rank=1), "at most 1"),
        (Limits(depth=1), "nested deeper than 1"),
    ],
)
def test_limits_can_be_set(limits: Limits, message: str) -> None:
    data = Archive([[tensor()]]).build()
    with pytest.raises(FormatError, match=message):
        qrs.load(io.BytesIO(data), limits=limits)
    assert qrs.load(io.BytesIO(data))[0][0].shape == (2, 3)


def test_length_of_the_pickle_is_limited() -> None:
    data = Archive("a" * 1000).build()
    with pytest.raises(FormatError, match=r"'data.pkl' has 1008 bytes, expected at most 500"):
        qrs.load(io.BytesIO(data), limits=Limits(header_bytes=500))


def test_number_of_storages_of_a_legacy_stream_is_limited() -> None:
    values = [tensor(), tensor(source=storage("1"))]
    data = p.legacy(values, {"0": (6, p.SIX), "1": (6, p.SIX)})
    with pytest.raises(FormatError, match="more than 1 storages"):
        qrs.load(io.BytesIO(data), limits=Limits(tensors=1))


def test_shared_containers_are_not_taken_for_cycles() -> None:
    shared = Raw(b"](]q\x01h\x01h\x01e")
    assert load(shared) == [[], [], []]


def test_containers_that_share_each_other_many_times_load_quickly() -> None:
    levels = b"".join(b"](h\x01h\x01eq\x01" for _ in range(60))
    loaded = load(Raw(b"(]q\x01" + levels + b"t"))
    assert len(loaded) == 61
