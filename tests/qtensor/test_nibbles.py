"""Two 4-bit integers in a byte."""

import numpy as np
import pytest

from qrs.qtensor.nibbles import pack_nibbles, unpack_nibbles


@pytest.mark.parametrize("shape", [(0,), (1,), (2,), (3, 5), (2, 3, 4), ()])
def test_unpacking_gives_back_what_was_packed(shape):
    values = np.random.default_rng(1).integers(0, 16, shape, np.uint8)
    packed = pack_nibbles(values)
    assert packed.size == (values.size + 1) // 2
    assert np.array_equal(unpack_nibbles(packed, shape), values)


def test_even_elements_are_in_the_low_half():
    assert pack_nibbles(np.array([1, 2, 3], np.uint8)).tolist() == [0x21, 0x03]


def test_packing_does_not_change_its_input():
    values = np.array([1, 2, 3], np.uint8)
    pack_nibbles(values)
    assert values.tolist() == [1, 2, 3]
