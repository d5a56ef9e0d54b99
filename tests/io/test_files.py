"""`qrs.save` and `qrs.load` as a user meets them."""

import io
import math
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import qrs
from qrs.errors import FormatError

CHAR_LM = Path(__file__).parents[2] / "examples" / "char_lm"
DTYPES = ["float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64", "bool"]


def round_trip(value: object, **options: Any) -> Any:
    file = io.BytesIO()
    qrs.save(value, file)
    file.seek(0)
    return qrs.load(file, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_tensor_comes_back_as_it_was(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(math.prod(shape)).reshape(shape) % 2).astype(dtype)
    loaded = round_trip(qrs.tensor(array))
    assert type(loaded) is qrs.Tensor
    assert loaded.dtype is qrs.tensor(array).dtype
    assert loaded.shape == shape
    assert np.array_equal(loaded.numpy(), array)


def test_special_floats_keep_their_bits() -> None:
    array = np.array([0x7FC00001, 0x80000000, 0x7F800000, 0x00000001], np.uint32).view(np.float32)
    assert round_trip(qrs.tensor(array)).numpy().view(np.uint32).tolist() == [
        *(0x7FC00001, 0x80000000, 0x7F800000, 1)
    ]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4).T,
        np.arange(12, dtype=np.float32)[::-2],
        np.arange(12, dtype=">f4").reshape(3, 4),
        np.broadcast_to(np.float32(2), (3, 2)),
        np.asfortranarray(np.arange(12, dtype=np.int64).reshape(3, 4)),
        np.frombuffer(b"\0" + np.arange(3, dtype="<f4").tobytes(), "<f4", offset=1),
        np.arange(3, dtype=np.uint16),
    ],
    ids=["transposed", "reversed", "big_endian", "broadcast", "fortran", "unaligned", "uint16"],
)
def test_array_of_any_layout_comes_back_as_an_array(array: np.ndarray[Any, Any]) -> None:
    loaded = round_trip({"a": array})["a"]
    assert type(loaded) is np.ndarray
    assert loaded.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(loaded, array)
    assert loaded.flags.writeable


VALUES = [
    None,
    True,
    -(2**63),
    2**64 - 1,
    0.1,
    -0.0,
    math.inf,
    -math.inf,
    "é\n\x00\x1f\U0001f600",
    "",
    [],
    (),
    {},
    [1, [2, (3, None)]],
    {"a": {"b": [1]}},
    {2: "a", None: "c", 2.5: "d", math.inf: 1, False: 2},
    OrderedDict([("b", 1), ("a", 2)]),
    qrs.Size((2, 3)),
    qrs.qint8,
    qrs.per_channel_symmetric,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_value_comes_back_equal_and_of_its_type(value: object) -> None:
    loaded = round_trip(value)
    assert type(loaded) is type(value)
    assert loaded == value
    assert repr(loaded) == repr(value)


def test_nan_comes_back() -> None:
    assert math.isnan(round_trip([math.nan])[0])


def test_numpy_scalars_come_back_as_numbers() -> None:
    loaded = round_trip([np.float32(0.5), np.int64(3), np.bool_(True)])
    assert loaded == [0.5, 3, True]
    assert [type(item) for item in loaded] == [float, int, bool]


def test_order_and_metadata_of_a_state_dict_are_kept() -> None:
    state: Any = OrderedDict(b=qrs.tensor([1.0]), a=qrs.tensor([2.0]))
    state._metadata = OrderedDict({"": {"version": 1}, "fc": {"version": 3}})
    loaded = round_trip(state)
    assert type(loaded) is OrderedDict
    assert list(loaded) == ["b", "a"]
    assert loaded._metadata == state._metadata


def test_requires_grad_is_kept() -> None:
    loaded = round_trip([qrs.tensor([1.0]), qrs.tensor([1.0]).requires_grad_()])
    assert [tensor.requires_grad for tensor in loaded] == [False, True]


def test_tensors_over_one_memory_are_stored_once_and_share_it_again() -> None:
    array = np.zeros(1000, np.float32)
    file = io.BytesIO()
    qrs.save({"a": qrs.Tensor._wrap(array), "b": qrs.Tensor._wrap(array)}, file)
    assert len(file.getvalue()) < 5000
    file.seek(0)
    loaded: Any = qrs.load(file)
    loaded["a"].numpy()[0] = 5
    assert loaded["b"][0].item() == 5


def test_per_tensor_quantized_tensor_comes_back() -> None:
    for dtype in (qrs.quint8, qrs.qint8, qrs.qint32):
        value = qrs.quantize_per_tensor(qrs.tensor([[0.5, -0.5]]), 0.1, 3, dtype)
        loaded = round_trip({"w": value})["w"]
        assert loaded.dtype is dtype
        assert loaded.qscheme() is qrs.per_tensor_affine
        assert (loaded.q_scale(), loaded.q_zero_point()) == (0.1, 3)
        assert loaded.int_repr().tolist() == value.int_repr().tolist()


def test_per_channel_quantized_tensor_comes_back() -> None:
    ints = np.arange(6, dtype=np.int8).reshape(2, 3)
    scales, points = np.array([0.1, 0.2, 0.3]), np.array([1, 2, 3])
    value = qrs.QTensor.from_ints(ints, scales, points, qrs.qint8, axis=1)
    loaded = round_trip(value)
    assert loaded.qscheme() is qrs.per_channel_affine
    assert loaded.q_per_channel_axis() == 1
    assert loaded.q_per_channel_scales().tolist() == scales.tolist()
    assert loaded.q_per_channel_zero_points().tolist() == points.tolist()
    assert loaded.int_repr().tolist() == ints.tolist()


def test_4_bit_quantized_tensor_with_float_zero_points_comes_back() -> None:
    packed = np.array([0x21, 0x43, 0x05], np.uint8)
    scales, points = np.array([0.5]), np.array([1.5])
    value = qrs.QTensor.from_ints(packed, scales, points, qrs.quint4x2, axis=0, shape=(1, 5))
    loaded = round_trip(value)
    assert loaded.dtype is qrs.quint4x2
    assert loaded.qscheme() is qrs.per_channel_affine_float_qparams
    assert loaded.shape == (1, 5)
    assert loaded.dequantize().tolist() == value.dequantize().tolist()


def test_names_that_collide_all_come_back() -> None:
    weight = qrs.quantize_per_tensor(qrs.tensor([0.5]), 0.1, 3, qrs.quint8)
    value = {
        "weight": weight,
        "weight.scale": qrs.tensor([7.0]),
        "weight.scale.2": qrs.tensor([8.0]),
        "a": {"b": qrs.tensor([1.0])},
        "a.b": qrs.tensor([2.0]),
        "__metadata__": qrs.tensor([3.0]),
        "": qrs.tensor([4.0]),
        1: qrs.tensor([5.0]),
        "1": qrs.tensor([6.0]),
    }
    loaded = round_trip(value)
    assert list(loaded) == list(value)
    assert loaded["weight"].q_scale() == 0.1
    assert loaded["a"]["b"].item() == 1
    plain = {key: item.item() for key, item in loaded.items() if key not in ("a", "weight")}
    assert list(plain.values()) == [7, 8, 2, 3, 4, 5, 6]


def test_path_and_open_file_both_work(tmp_path: Path) -> None:
    value = {"a": qrs.tensor([1.0])}
    qrs.save(value, tmp_path / "one")
    qrs.save(value, str(tmp_path / "two"))
    with (tmp_path / "three").open("wb") as file:
        qrs.save(value, file)
    contents = {(tmp_path / name).read_bytes() for name in ("one", "two", "three")}
    assert len(contents) == 1
    with (tmp_path / "one").open("rb") as file:
        assert qrs.load(file)["a"].item() == 1


def test_open_file_is_read_from_its_position() -> None:
    file = io.BytesIO()
    file.write(b"prefix")
    qrs.save([1, 2], file)
    file.seek(6)
    assert qrs.load(file) == [1, 2]


def test_saving_onto_the_loaded_file_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "model"
    qrs.save({"a": qrs.tensor(np.arange(1000.0))}, path)
    state: Any = qrs.load(path)
    qrs.save({**state, "b": 1}, path)
    again: Any = qrs.load(path)
    assert again["a"].tolist() == list(range(1000))
    assert again["b"] == 1


def test_refused_value_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model"
    qrs.save([1], path)
    with pytest.raises(FormatError):
        qrs.save([object()], path)
    assert qrs.load(path) == [1]
    assert [item.name for item in tmp_path.iterdir()] == ["model"]


class Network:
    """Has a state dict, as a module has."""

    def state_dict(self) -> dict[str, object]:
        return {}


class Renamed(dict[str, object]):
    """A dict that would come back as another type."""


def _cyclic() -> list[object]:
    items: list[object] = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"model": {"encoder": Network()}}, r"at 'model.encoder': came a Network.*state_dict\(\)"),
        (Network(), "came a Network"),
        ([1, {2: object()}], "at '1.2': came a object"),
        ({"a": Renamed()}, "at 'a': came a Renamed"),
        ({"a": {1, 2}}, "at 'a': came a set"),
        (b"bytes", "came a bytes"),
        (1j, "came a complex"),
        (2**64, "integer of 65 bits"),
        ({(1, 2): 3}, "came a tuple"),
        ("\ud800", "surrogate"),
        (np.array([object()]), "array of object"),
        (np.zeros(2, np.complex64), "array of complex64"),
        (np.zeros(2, "M8[s]"), "array of datetime64"),
        (np.zeros((1,) * 9), "9 dimensions"),
        (_cyclic(), "nested deeper than 64"),
        ({"a" * 1025: np.zeros(1)}, "a name too long"),
        ("a" * (17 << 20), "the header takes"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_that_no_file_keeps_is_refused_by_its_place(value: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        qrs.save(value, io.BytesIO())


def test_metadata_is_kept_beside_the_value() -> None:
    file = io.BytesIO()
    qrs.save([1], file, metadata={"note": "é", "chars": '"\n'})
    file.seek(0)
    assert qrs.io.read_metadata(file) == {"note": "é", "chars": '"\n'}
    file.seek(0)
    assert qrs.load(file) == [1]


@pytest.mark.parametrize("metadata", [{"qrs": "x"}, {"qrs.note": "x"}, {"a": 1}, {1: "a"}])
def test_metadata_that_cannot_be_kept_is_refused(metadata: Any) -> None:
    with pytest.raises(FormatError, match="metadata came with"):
        qrs.save([1], io.BytesIO(), metadata=metadata)


def test_damaged_metadata_is_refused() -> None:
    file = io.BytesIO()
    qrs.save([1], file, metadata={"note": "hello"})
    with pytest.raises(FormatError):
        qrs.io.read_metadata(io.BytesIO(file.getvalue().replace(b"hello", b"jello")))


def test_both_files_of_the_language_model_hold_the_same_arrays() -> None:
    archive: Any = qrs.load(CHAR_LM / "char_lm.pt")
    tensors: Any = qrs.load(CHAR_LM / "char_lm.safetensors")
    assert sorted(archive) == sorted(tensors)
    assert len(archive) == 11
    for name, tensor in archive.items():
        assert tensor.dtype is qrs.float32
        assert np.array_equal(tensor.numpy(), tensors[name].numpy())
    assert archive._metadata["lstm"] == {"version": 1}
    assert len(qrs.io.read_metadata(CHAR_LM / "char_lm.safetensors")["chars"]) == 96


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    shutil.copy(CHAR_LM / "char_lm.pt", tmp_path / "model.safetensors")
    shutil.copy(CHAR_LM / "char_lm.safetensors", tmp_path / "model.pt")
    for name in ("model.safetensors", "model.pt"):
        assert len(qrs.load(tmp_path / name)) == 11


@pytest.mark.parametrize("dtype", ["float64", "int8", "uint8", "int16", "int32", "int64", "bool"])
def test_foreign_tensor_keeps_its_type(dtype: str) -> None:
    array = np.array([[0, 1, 1]], dtype)
    loaded: Any = qrs.load(io.BytesIO(safetensors.numpy.save({"a": array})))
    assert type(loaded) is dict
    assert loaded["a"].numpy().dtype == dtype
    assert loaded["a"].tolist() == array.tolist()


def test_foreign_half_is_widened_unless_the_caller_says_so() -> None:
    data = safetensors.numpy.save({"a": np.array([1.5, -2], np.float16)})
    wide: Any = qrs.load(io.BytesIO(data))
    narrow: Any = qrs.load(io.BytesIO(data), widen=False)
    assert (wide["a"].dtype, narrow["a"].dtype) == (qrs.float32, qrs.float16)
    assert wide["a"].tolist() == narrow["a"].tolist() == [1.5, -2]


def test_foreign_bfloat16_becomes_float32() -> None:
    bits = np.array([0x3FC0, 0xC000, 0x7F80], np.uint16)
    data = safetensors.numpy.save({"a": bits})
    loaded: Any = qrs.load(io.BytesIO(_retyped(data, "U16", "BF16")))
    assert loaded["a"].dtype is qrs.float32
    assert loaded["a"].tolist() == [1.5, -2, math.inf]


@pytest.mark.parametrize(
    ("dtype", "wider"), [("uint16", "int32"), ("uint32", "int64"), ("uint64", "int64")]
)
def test_foreign_unsigned_type_becomes_a_signed_one_that_holds_it(dtype: str, wider: str) -> None:
    array = np.array([0, min(np.iinfo(dtype).max, 2**63 - 1)], dtype)
    loaded: Any = qrs.load(io.BytesIO(safetensors.numpy.save({"a": array})))
    assert loaded["a"].numpy().dtype == wider
    assert loaded["a"].tolist() == array.tolist()


def _retyped(data: bytes, old: str, new: str) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].replace(old.encode(), new.encode())
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


@pytest.mark.parametrize("location", ["cpu", None])
def test_location_of_the_cpu_is_accepted(location: str | None) -> None:
    assert round_trip([1], map_location=location, weights_only=True) == [1]


def test_options_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(ValueError, match="map_location is 'cuda:0'"):
        round_trip([1], map_location="cuda:0")
    with pytest.raises(ValueError, match="code is never run"):
        round_trip([1], weights_only=False)


@pytest.mark.parametrize("function", [qrs.load, lambda file: qrs.save([1], file)])
def test_what_is_no_file_is_refused(function: Any) -> None:
    with pytest.raises(TypeError, match="came a int, expected a path"):
        function(3)


def test_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        qrs.load(tmp_path / "none")
