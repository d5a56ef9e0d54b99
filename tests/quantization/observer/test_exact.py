"""The exact histogram: the same state for any order, split and merge of the data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qrs
from qrs.quantization import EntropyObserver, MSEObserver, PercentileObserver

values = st.floats(-(2.0**100), 2.0**100, width=32)
batches = st.lists(st.lists(values, min_size=1, max_size=20), min_size=1, max_size=6)


def seen(data: list[list[float]], bins: int = 16) -> MSEObserver:
    observer = MSEObserver(bins=bins)
    for batch in data:
        observer(qrs.tensor(batch))
    return observer


def state(observer: MSEObserver) -> list[object]:
    return [observer.state_dict()[key].tolist() for key in observer.state_dict()]


@given(batches, st.randoms(use_true_random=False))
def test_order_and_split_do_not_matter(data: list[list[float]], random: object) -> None:
    flat = [value for batch in data for value in batch]
    random.shuffle(flat)
    assert state(seen(data)) == state(seen([flat]))


@given(batches, st.integers(0, 6))
def test_merge_equals_seeing_all(data: list[list[float]], cut: int) -> None:
    left, right = seen(data[:cut]), seen(data[cut:])
    left.merge(right)
    assert state(left) == state(seen(data))


@given(batches)
def test_every_value_lies_in_its_bin(data: list[list[float]]) -> None:
    observer = seen(data)
    flat = np.float32([value for batch in data for value in batch])
    width = 2.0 ** observer.exponent.item()
    index = np.floor(flat.astype(np.float64) / width).astype(np.int64) - observer.first.item()
    counts = np.bincount(index, minlength=16)
    assert counts.tolist() == observer.histogram.tolist()


def test_bins_are_fine_enough() -> None:
    observer = MSEObserver()
    observer(qrs.linspace(-3.0, 5.0, 1000))
    width = 2.0 ** observer.exponent.item()
    assert 1024 <= 8.0 / width <= 2048


@pytest.mark.parametrize("cls", [EntropyObserver, MSEObserver, PercentileObserver])
def test_bad_number_of_bins_raises(cls: type) -> None:
    with pytest.raises(ValueError, match="bins"):
        cls(bins=1)
    with pytest.raises(ValueError, match="64 bins"):
        cls().merge(cls(bins=64))
