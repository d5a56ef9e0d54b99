"""HistogramObserver: counts, widening, the search, and its speed of growth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qrs
from qrs.quantization import HistogramObserver, MinMaxObserver


def seen(*batches: np.ndarray, **kwargs: object) -> HistogramObserver:
    observer = HistogramObserver(**kwargs)
    for batch in batches:
        observer(qrs.from_numpy(np.asarray(batch, np.float32)))
    return observer


@pytest.mark.parametrize(
    "data",
    [
        np.random.default_rng(1).uniform(0, 1.9, 10_000),
        np.linspace(-1.9, 1.9, 1000),
        np.linspace(0.1, 1.9, 1000),
        4 * np.sin(np.arange(1000)),
    ],
)
def test_every_value_is_counted(data: np.ndarray) -> None:
    assert seen(data).histogram.sum().item() == len(data)


def test_first_measured_batch() -> None:
    data = np.sin(np.arange(1000) + 1.0).astype(np.float32) * np.float32(0.9)
    observer = seen(data.astype(np.float64) ** 3)
    assert observer.min_val.item() == pytest.approx(-0.7289789319038391, abs=1e-6)
    scale, zero_point = observer.calculate_qparams()
    assert scale.item() == pytest.approx(0.005706316325813532, rel=1e-5)
    assert zero_point.item() == 128


def test_mass_is_kept_while_the_range_grows() -> None:
    rng = np.random.default_rng(2)
    batches = [rng.normal(0, 1 + k, 2000) for k in range(6)]
    observer = seen(*batches)
    assert observer.histogram.sum().item() == pytest.approx(12_000, rel=1e-5)
    assert observer.min_val.item() == np.float32(min(b.min() for b in batches))
    assert observer.max_val.item() >= np.float32(max(b.max() for b in batches))


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 999), max_size=6))
def test_documented_result_for_any_order_and_split(seed: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    data = (rng.standard_t(4, 1000) * rng.uniform(0.1, 10) + rng.normal()).astype(np.float32)
    observer = seen(*np.split(rng.permutation(data), sorted(set(cuts))))
    assert observer.histogram.sum().item() == pytest.approx(1000, rel=1e-4)
    assert observer.min_val.item() == data.min()
    assert observer.max_val.item() >= data.max()
    (whole, _), (scale, _) = seen(data).calculate_qparams(), observer.calculate_qparams()
    assert scale.item() == pytest.approx(whole.item(), rel=0.1)


def test_a_range_that_comes_again_stays() -> None:
    data = np.random.default_rng(4).normal(0, 1, 10_000).astype(np.float32)
    assert seen(*[data] * 10).max_val.item() == data.max()


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_batches_are_counted_too(value: float) -> None:
    observer = seen(np.full(10, value), np.full(5, value), [-1.0, 4.0, 0.5])
    assert observer.histogram.sum().item() == pytest.approx(18)


def test_tiny_first_range_does_not_take_memory() -> None:
    observer = seen([0.0, 1e-30], np.linspace(-1e30, 1e30, 100))
    assert observer.histogram.sum().item() == 102
    scale, _ = observer.calculate_qparams()
    assert np.isfinite(scale.item())


def test_constant_data_gives_the_range_of_minmax() -> None:
    data = np.full(100, 5.0)
    expected = MinMaxObserver()
    expected(qrs.from_numpy(data))
    for got, want in zip(
        seen(data, data).calculate_qparams(), expected.calculate_qparams(), strict=True
    ):
        assert got.item() == want.item()


def test_search_cuts_outliers() -> None:
    rng = np.random.default_rng(3)
    data = np.concatenate([rng.normal(0, 1, 100_000), [40.0]])
    scale, _ = seen(data).calculate_qparams()
    assert scale.item() < 20 / 255


def test_the_widest_floats_are_counted() -> None:
    data = np.float32([-3e38, 0.0, 1e38, 3e38])
    assert seen(data, data).histogram.sum().item() == 8


@pytest.mark.parametrize("kwargs", [{"bins": 1}, {"upsample_rate": 0}])
def test_bad_sizes_raise(kwargs: dict) -> None:
    with pytest.raises(ValueError, match="bins"):
        HistogramObserver(**kwargs)


def test_merge_of_other_bins_raises() -> None:
    with pytest.raises(ValueError, match="64 bins"):
        HistogramObserver().merge(HistogramObserver(bins=64))


@pytest.mark.parametrize("left", [[5.0], [], [1.0, 2.0]])
@pytest.mark.parametrize("right", [[5.0], [-3.0], [], [0.0, 9.0]])
def test_merge_keeps_mass_and_range(left: list[float], right: list[float]) -> None:
    merged = seen(left)
    merged.merge(seen(right))
    both = left + right
    assert merged.histogram.sum().item() == pytest.approx(len(both))
    if both:
        assert merged.min_val.item() == min(both)
        assert merged.max_val.item() == pytest.approx(max(both), rel=1e-4)


def test_state_dict_layout() -> None:
    shapes = {k: tuple(v.shape) for k, v in HistogramObserver().state_dict().items()}
    assert shapes == {"eps": (1,), "histogram": (2048,), "min_val": (), "max_val": ()}


def test_reads_states_of_before_the_first_batch_from_old_versions() -> None:
    observer = HistogramObserver()
    empty = np.empty(0, np.float32)
    observer.load_state_dict(
        {
            "eps": np.float32([2**-23]),
            "histogram": np.zeros(2048, np.float32),
            "min_val": empty,
            "max_val": empty,
        }
    )
    observer(qrs.tensor([1.0, 2.0]))
    assert observer.histogram.sum().item() == 2
