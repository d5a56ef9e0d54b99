"""The header of a safetensors file."""

import io

import numpy as np
import pytest
import safetensors.numpy

from qrs.errors import FormatError
from qrs.io.header import TensorEntry, canonical_json, encode_header, parse_json, place, read_header
from qrs.io.limits import DEFAULT_LIMITS, Limits
from qrs.io.source import Source

ARRAYS = {"a": np.arange(3, dtype=np.uint8), "b": np.ones((2, 2)), "c": np.zeros(0, np.float32)}


def source(data: bytes) -> Source:
    return Source(io.BytesIO(data), "file")


def test_written_header_is_read_back() -> None:
    entries = {"w": TensorEntry("F32", (2, 1), 0, 8), "é": TensorEntry("I8", (0,), 8, 8)}
    data = encode_header(entries, {"k": '"\n'}) + bytes(8)
    header = read_header(source(data), DEFAULT_LIMITS)
    assert (header.tensors, header.metadata) == (entries, {"k": '"\n'})
    assert header.data_start == len(data) - 8


def test_header_of_the_safetensors_package_is_read() -> None:
    data = safetensors.numpy.save(ARRAYS, {"k": "v"})
    header = read_header(source(data), DEFAULT_LIMITS)
    assert header.metadata == {"k": "v"}
    for name, array in ARRAYS.items():
        entry = header.tensors[name]
        assert (entry.shape, entry.dtype) == (array.shape, array.dtype)
        begin = header.data_start + entry.begin
        assert data[begin : header.data_start + entry.end] == array.tobytes()


def test_widest_tensors_come_first_so_that_all_are_aligned() -> None:
    shapes = [
        ("a", np.dtype("u1"), (3,)),
        ("b", np.dtype("<f8"), (2, 2)),
        ("c", np.dtype("<f4"), ()),
    ]
    entries = place(shapes)
    assert {name: (entry.begin, entry.end) for name, entry in entries.items()} == {
        "b": (0, 32),
        "c": (32, 36),
        "a": (36, 39),
    }


def test_canonical_text_has_no_spaces_and_no_needless_escapes() -> None:
    assert canonical_json({"é": [1, 0.5, None]}) == '{"é":[1,0.5,null]}'


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', "[" * 10**5, "NaN", "{", "1" * 5000])
def test_text_that_is_not_one_json_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"twice|too deep|not JSON|Expecting|digits"):
        parse_json(text)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(header_bytes=20), "limits.header_bytes"),
        (Limits(tensors=2), "limits.tensors"),
        (Limits(rank=1), "up to 1 sizes"),
        (Limits(name_bytes=0), "expected at most 0"),
    ],
)
def test_limits_are_kept(limits: Limits, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_header(source(safetensors.numpy.save(ARRAYS)), limits)
