"""The ranges that the percentile, squared-error and entropy observers choose."""

import numpy as np
import pytest

import qrs
from qrs.quantization import EntropyObserver, MinMaxObserver, MSEObserver, PercentileObserver


def seen(cls: type, data: np.ndarray, **kwargs: object) -> tuple[float, int]:
    observer = cls(**kwargs)
    observer(qrs.from_numpy(np.asarray(data, np.float32)))
    scale, zero_point = observer.calculate_qparams()
    return scale.item(), zero_point.item()


def mean_squared_error(data: np.ndarray, scale: float, zero_point: int) -> float:
    q = np.clip(np.rint(data / scale) + zero_point, 0, 255)
    return float(np.mean((data - (q - zero_point) * scale) ** 2))


@pytest.mark.parametrize("percentile", [50.0, 90.0, 99.0, 99.9])
def test_percentile_lies_within_one_bin_of_brute_force(percentile: float) -> None:
    data = np.random.default_rng(5).normal(0, 1, 20_000).astype(np.float32)
    tail = (100 - percentile) / 2
    lo, hi = np.percentile(data, [tail, 100 - tail])
    bin_width = 2.0**-7
    scale, _ = seen(PercentileObserver, data, percentile=percentile)
    assert abs(scale * 255 - (hi - lo)) <= 2 * bin_width


@pytest.mark.parametrize("cls", [PercentileObserver, MSEObserver, EntropyObserver])
@pytest.mark.parametrize("data", [[0.0], [5.0], [-5.0], [0.0, 1e-30], [-3.0, 3.0]])
def test_few_values_give_the_whole_range(cls: type, data: list[float]) -> None:
    expected, _ = seen(MinMaxObserver, data)
    kwargs = {"percentile": 100.0} if cls is PercentileObserver else {}
    scale, _ = seen(cls, data, **kwargs)
    assert scale == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("percentile", [0.0, 101.0])
def test_bad_percentile_raises(percentile: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        PercentileObserver(percentile=percentile)


@pytest.mark.parametrize("shape", ["normal", "outlier", "skewed", "shifted", "uniform"])
def test_squared_error_is_within_two_per_cent_of_a_fine_search(shape: str) -> None:
    rng = np.random.default_rng(6)
    data = {
        "normal": rng.normal(0, 1, 20_000),
        "outlier": np.concatenate([rng.normal(0, 1, 20_000), [60.0]]),
        "skewed": rng.exponential(1, 20_000),
        "shifted": rng.normal(5, 0.5, 20_000),
        "uniform": rng.uniform(-1, 2, 20_000),
    }[shape].astype(np.float32)
    got = mean_squared_error(data, *seen(MSEObserver, data))
    lo, hi = min(data.min(), 0), max(data.max(), 0)
    best = np.inf
    for a in np.linspace(0.05, 1, 40) if lo < 0 else [1.0]:
        for b in np.linspace(0.05, 1, 60):
            scale = (hi * b - lo * a) / 255
            best = min(best, mean_squared_error(data, scale, round(-lo * a / scale)))
    assert got <= best * 1.02


def test_squared_error_is_never_above_minmax() -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        data = (rng.standard_t(3, 3000) * rng.uniform(0.1, 9) + rng.normal()).astype(np.float32)
        assert mean_squared_error(data, *seen(MSEObserver, data)) <= 1.02 * mean_squared_error(
            data, *seen(MinMaxObserver, data)
        )


def test_entropy_is_not_led_astray_by_the_zeros_of_relu() -> None:
    data = np.maximum(np.random.default_rng(10).normal(0, 1, 50_000), 0)
    scale, zero_point = seen(EntropyObserver, data)
    assert zero_point == 0
    assert 3 / 255 < scale < 5 / 255


def test_entropy_cuts_a_far_outlier_and_keeps_a_plain_range() -> None:
    rng = np.random.default_rng(9)
    data = rng.normal(0, 1, 50_000)
    plain, _ = seen(EntropyObserver, data)
    cut, _ = seen(EntropyObserver, np.concatenate([data, [100.0]]))
    assert 3 / 127 < plain < 9 / 255
    assert cut < 0.1
