"""No byte of a file of qrs is without a check."""

import io
import json
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import qrs
from qrs.errors import FormatError, IntegrityError
from qrs.io.header import canonical_json, encode_header, read_header
from qrs.io.limits import DEFAULT_LIMITS
from qrs.io.model_file import _header_checksum
from qrs.io.source import Source


def saved(value: object, **metadata: str) -> bytes:
    file = io.BytesIO()
    qrs.save(value, file, metadata=metadata)
    return file.getvalue()


def small_model() -> OrderedDict[str, Any]:
    state: OrderedDict[str, Any] = OrderedDict()
    state["weight"] = qrs.tensor(np.arange(60, dtype=np.float32).reshape(6, 10))
    state["mask"] = qrs.tensor(np.array([True, False, True]))
    state["control\x1f"] = "é\x1f"
    state["q"] = qrs.quantize_per_tensor(qrs.tensor([0.5, -0.5]), 0.25, 3, qrs.quint8)
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return state


def forged(change: Callable[[dict[str, Any]], None], value: object = None) -> io.BytesIO:
    """A file of qrs whose tree was changed and whose checksums were made to fit."""
    data = saved({"w": qrs.tensor([1.0, 2.0])} if value is None else value)
    header = read_header(Source(io.BytesIO(data), "forged"), DEFAULT_LIMITS)
    content = json.loads(header.metadata["qrs"])
    change(content)
    metadata = {"qrs": canonical_json(content)}
    metadata["qrs.crc32"] = _header_checksum(header.tensors, metadata)
    return io.BytesIO(encode_header(header.tensors, metadata) + data[header.data_start :])


def test_every_flipped_bit_is_refused() -> None:
    data = bytearray(saved(small_model(), note="é"))
    assert 1000 < len(data) < 2500
    for position in range(len(data)):
        for bit in range(8):
            data[position] ^= 1 << bit
            with pytest.raises(FormatError):
                qrs.load(io.BytesIO(data))
            data[position] ^= 1 << bit
    assert list(qrs.load(io.BytesIO(data))) == list(small_model())


def test_every_truncation_and_extension_is_refused() -> None:
    data = saved(small_model())
    for length in range(len(data)):
        with pytest.raises(FormatError):
            qrs.load(io.BytesIO(data[:length]))
    with pytest.raises(FormatError, match="no tensor owns"):
        qrs.load(io.BytesIO(data + b"\0"))


def test_damaged_tensor_is_named() -> None:
    data = bytearray(saved({"fc.weight": qrs.tensor([1.0, 2.0]), "fc.bias": qrs.tensor([3.0])}))
    data[data.index(struct.pack("<f", 3.0), len(data) - 12)] ^= 1
    with pytest.raises(IntegrityError, match=r"'fc.bias': its bytes have checksum"):
        qrs.load(io.BytesIO(data))


def test_tensors_are_not_checked_when_the_caller_says_so() -> None:
    data = saved({"w": qrs.tensor([1.0, 2.0])})
    changed = data[:-8] + struct.pack("<2f", 5.0, 2.0)
    state = qrs.load(io.BytesIO(changed), verify=False)
    assert state["w"].tolist() == [5.0, 2.0]


@pytest.mark.parametrize("key", ["qrs", "qrs.crc32"])
def test_file_with_one_of_the_two_marks_is_not_taken_for_a_foreign_one(key: str) -> None:
    array = np.zeros(2, np.float32)
    data = safetensors.numpy.save({"w": array}, {key: "00000000"})
    with pytest.raises(IntegrityError, match="differs from its checksum"):
        qrs.load(io.BytesIO(data))


def test_header_that_means_the_same_but_is_written_differently_is_refused() -> None:
    data = saved({"w": qrs.tensor([1.0])})
    length = struct.unpack("<Q", data[:8])[0]
    spaced = data[8 : 8 + length].rstrip().replace(b'"F32","shape"', b'"F32", "shape"')
    padded = spaced + b" " * (-len(spaced) % 8)
    with pytest.raises(IntegrityError, match="not written as qrs writes it"):
        qrs.load(io.BytesIO(struct.pack("<Q", len(padded)) + padded + data[8 + length :]))


def test_same_value_gives_the_same_bytes() -> None:
    assert saved(small_model(), b="2", a="1") == saved(small_model(), a="1", b="2")


def test_data_begins_on_a_cache_line_and_tensors_are_aligned() -> None:
    value = {"a": qrs.tensor(np.arange(3, dtype=np.uint8)), "b": qrs.tensor([1.0])}
    data = saved(value | {"c": np.arange(2, dtype=np.float64)})
    header = read_header(Source(io.BytesIO(data), "file"), DEFAULT_LIMITS)
    assert header.data_start % 64 == 0
    assert all(entry.begin % entry.dtype.itemsize == 0 for entry in header.tensors.values())


def test_any_safetensors_reader_opens_the_file() -> None:
    arrays = safetensors.numpy.load(saved(small_model(), note="hello"))
    assert arrays["weight"].tolist() == small_model()["weight"].tolist()
    assert arrays["q"].tolist() == [5, 1]
    assert arrays["q.scale"] == 0.25
    assert arrays["q.zero_point"] == 3


def test_newer_version_is_refused() -> None:
    with pytest.raises(FormatError, match="update qrs"):
        qrs.load(forged(lambda content: content.update(version=2)))


@pytest.mark.parametrize("sums", [{}, None, {"w": "00000000", "x": "00000000"}])
def test_checksums_that_are_not_one_for_each_tensor_are_refused(sums: object) -> None:
    with pytest.raises(FormatError, match="one for each tensor"):
        qrs.load(forged(lambda content: content.update(crc32=sums)))


NODES: list[tuple[object, str]] = [
    ({"tensor": "w", "requires_grad": False}, "requires_grad"),
    ({"tensor": "x"}, "not there"),
    ({"tensor": ["w"]}, "not there"),
    ({"tensor": "w", "device": "gpu"}, "has fields"),
    ([{"tensor": "w"}], "a list stands"),
    ({}, "has fields"),
    ({"eval": "1"}, "not a value"),
    ({"dtype": "object"}, "not one of"),
    ({"qscheme": 3}, "not one of"),
    ({"float": "1e5"}, "not one of"),
    ({"list": {"tensor": "w"}}, "not a value"),
    ({"dict": 3}, "neither an object"),
    ({"dict": [["a"]]}, "neither an object"),
    ({"dict": [["a", 1], ["a", 2]]}, "a key twice"),
    ({"dict": [[["a"], 1]]}, "container for a key"),
    ({"dict": {}, "class": "os.system"}, "has fields"),
    (1, "belongs to no value"),
]


@pytest.mark.parametrize(("node", "message"), NODES, ids=[json.dumps(node) for node, _ in NODES])
def test_forged_structure_is_refused(node: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        qrs.load(forged(lambda content: content.update(tree=node)))


def test_forged_depth_is_refused() -> None:
    node: object = {"tensor": "w"}
    for _ in range(70):
        node = {"list": [node]}
    with pytest.raises(FormatError, match="nested deeper than 64"):
        qrs.load(forged(lambda content: content.update(tree=node)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "qint8"}, "tensor 'q'"),
        ({"dtype": "float32"}, "tensor 'q'"),
        ({"dtype": ["quint8"]}, "not one of"),
        ({"qscheme": "per_channel_affine"}, "its parts make"),
        ({"axis": 0}, "tensor 'q'"),
        ({"axis": "0"}, "axis is not an integer"),
        ({"shape": [4]}, "tensor 'q'"),
        ({"shape": [-1, -2]}, "not a list of sizes"),
        ({"shape": "4"}, "not a list of sizes"),
        ({"scale": "q"}, "tensor 'q'"),
        ({"zero_point": "q.scale"}, "tensor 'q'"),
        ({"qtensor": 3}, "not there"),
    ],
    ids=str,
)
def test_forged_quantized_tensor_is_refused(change: dict[str, object], message: str) -> None:
    value = qrs.quantize_per_tensor(qrs.tensor([0.5, -0.5]), 0.25, 3, qrs.quint8)

    def apply(content: dict[str, Any]) -> None:
        content["tree"]["dict"]["q"].update(change)

    with pytest.raises(FormatError, match=message):
        qrs.load(forged(apply, {"q": value}))


def test_one_quantized_tensor_named_often_is_made_once() -> None:
    value = qrs.quantize_per_tensor(qrs.tensor([0.5, -0.5]), 0.25, 3, qrs.quint8)

    def repeat(content: dict[str, Any]) -> None:
        content["tree"] = {"list": [content["tree"]["dict"]["q"]] * 3}

    first, second, third = qrs.load(forged(repeat, {"q": value}))
    assert first is second is third


def test_one_name_with_two_meanings_is_refused() -> None:
    value = qrs.quantize_per_tensor(qrs.tensor([0.5, -0.5]), 0.25, 3, qrs.quint8)

    def contradict(content: dict[str, Any]) -> None:
        node = content["tree"]["dict"]["q"]
        content["tree"] = {"list": [node, {**node, "dtype": "qint8"}]}

    with pytest.raises(FormatError, match="two meanings"):
        qrs.load(forged(contradict, {"q": value}))
