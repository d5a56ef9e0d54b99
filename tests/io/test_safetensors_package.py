"""Why qrs reads and writes the container itself: what the package safetensors does not do.

A failure here is good news: a reason has gone, and ARCHITECTURE.md's decision may be taken again.
"""

import io

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import qrs
from qrs.errors import FormatError, IntegrityError

from .attacks import all_attacks, entry
from .attacks import safetensors as container


@pytest.mark.parametrize("name", ["duplicate_key", "boolean_two"])
def test_it_takes_what_qrs_refuses(name: str) -> None:
    data, error, message = all_attacks()[f"safetensors_{name}"]
    assert len(safetensors.deserialize(data)) == 1
    with pytest.raises(error, match=message):
        qrs.load(io.BytesIO(data))


def test_it_takes_a_changed_byte() -> None:
    file = io.BytesIO()
    qrs.save({"w": qrs.tensor([1.0, 2.0])}, file)
    damaged = file.getvalue()[:-1] + b"\x41"
    assert safetensors.numpy.load(damaged)["w"][1] != 2.0
    with pytest.raises(IntegrityError, match="'w': its bytes have checksum"):
        qrs.load(io.BytesIO(damaged))


def test_it_writes_one_value_in_many_ways() -> None:
    metadata = {str(i): "" for i in range(8)}
    arrays = {"w": np.zeros(1, np.float32)}
    assert len({safetensors.numpy.save(arrays, metadata) for _ in range(20)}) > 1


def test_it_does_not_read_bfloat16_into_numpy() -> None:
    data = container({"w": entry([2], 0, 4, "BF16")}, b"\xc0\x3f\x00\xc0")
    with pytest.raises(KeyError, match="BF16"):
        safetensors.numpy.load(data)
    assert qrs.load(io.BytesIO(data))["w"].tolist() == [1.5, -2.0]


def test_it_takes_more_than_the_limits_of_qrs() -> None:
    data = container(b"{}".ljust(17 << 20))
    assert safetensors.deserialize(data) == []
    with pytest.raises(FormatError, match=r"limits\.header_bytes"):
        qrs.load(io.BytesIO(data))
