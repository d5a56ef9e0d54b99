"""What MinMaxObserver and its kin record."""

import numpy as np
import pytest

import qrs
from qrs.errors import NotCalibratedError, ShapeError
from qrs.quantization import (
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
)


def wave(n: int, amplitude: float = 1.0, phase: float = 1.0) -> np.ndarray:
    return (amplitude * np.sin(np.arange(n) + phase)).astype(np.float32)


@pytest.mark.parametrize(
    ("kwargs", "scale", "zero_point"),
    [
        ({}, 0.023529184982180595, 106),
        ({"reduce_range": True}, 0.0472436398267746, 53),
        ({"dtype": qrs.qint8, "qscheme": qrs.per_tensor_symmetric}, 0.02745075523853302, 0),
        ({"dtype": qrs.qint8}, 0.023529184982180595, -22),
        ({"qscheme": qrs.per_tensor_symmetric}, 0.02745075523853302, 128),
        ({"quant_min": 0, "quant_max": 15}, 0.39999616146087646, 6),
    ],
)
def test_minmax_measured_values(kwargs: dict, scale: float, zero_point: int) -> None:
    observer = MinMaxObserver(**kwargs)
    observer(qrs.from_numpy(wave(1000, 3.0) + np.float32(0.5)))
    got_scale, got_zero_point = observer.calculate_qparams()
    assert (got_scale.item(), got_zero_point.item()) == (scale, zero_point)


def test_moving_average_measured_values() -> None:
    observer = MovingAverageMinMaxObserver()
    for k in range(5):
        observer(qrs.from_numpy(wave(100, 1.0 + k, 1.0) + np.float32(0.1 * k)))
    assert observer.min_val.item() == pytest.approx(-1.089093804359436, abs=1e-7)
    assert observer.max_val.item() == pytest.approx(1.1088086366653442, abs=1e-7)
    scale, zero_point = observer.calculate_qparams()
    assert scale.item() == pytest.approx(0.008619225583970547, rel=1e-6)
    assert zero_point.item() == 126


def test_moving_average_starts_with_the_first_batch() -> None:
    observer = MovingAverageMinMaxObserver(averaging_constant=0.25)
    observer(qrs.tensor([2.0, 4.0]))
    assert (observer.min_val.item(), observer.max_val.item()) == (2.0, 4.0)
    observer(qrs.tensor([0.0, 8.0]))
    assert (observer.min_val.item(), observer.max_val.item()) == (1.5, 5.0)


@pytest.mark.parametrize("constant", [0.0, -1.0, 1.5])
def test_bad_averaging_constant_raises(constant: float) -> None:
    for cls in (MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver):
        with pytest.raises(ValueError, match="averaging_constant"):
            cls(averaging_constant=constant)


def test_per_channel_measured_scales() -> None:
    rows = wave(24).reshape(4, 6) * np.float32([[1], [2], [0.1], [0]])
    observer = PerChannelMinMaxObserver(dtype=qrs.qint8, qscheme=qrs.per_channel_symmetric)
    observer(qrs.from_numpy(rows))
    scale, zero_point = observer.calculate_qparams()
    assert scale.tolist() == [
        0.007520975079387426,
        0.015686120837926865,
        0.0007769469521008432,
        1.1920928955078125e-07,
    ]
    assert zero_point.tolist() == [0, 0, 0, 0]


def test_per_channel_along_the_second_axis() -> None:
    observer = PerChannelMinMaxObserver(ch_axis=1)
    observer(qrs.from_numpy(wave(24).reshape(4, 6)))
    _, zero_point = observer.calculate_qparams()
    assert zero_point.tolist() == [0, 0, 0, 255, 255, 255]


def test_per_channel_takes_a_vector() -> None:
    observer = PerChannelMinMaxObserver()
    observer(qrs.tensor([1.0, -2.0]))
    assert observer.max_vals.tolist() == [1.0, -2.0]


def test_per_channel_refuses_what_has_no_such_axis() -> None:
    with pytest.raises(ShapeError, match="ch_axis"):
        PerChannelMinMaxObserver(ch_axis=2)(qrs.ones(3, 3))


def test_per_channel_refuses_another_number_of_channels() -> None:
    observer = PerChannelMinMaxObserver()
    observer(qrs.ones(3, 2))
    with pytest.raises(ShapeError, match="4 channels"):
        observer(qrs.ones(4, 2))
    other = PerChannelMinMaxObserver()
    other(qrs.ones(4, 2))
    with pytest.raises(ShapeError, match="4 channels"):
        observer.merge(other)


def test_channel_of_nothing_finite_is_not_calibrated() -> None:
    observer = PerChannelMinMaxObserver(nonfinite="ignore")
    observer(qrs.tensor([[1.0, 2.0], [float("nan"), float("inf")]]))
    with pytest.raises(NotCalibratedError):
        observer.calculate_qparams()
    observer(qrs.tensor([[0.0, 0.5], [3.0, -1.0]]))
    assert observer.min_vals.tolist() == [0.0, -1.0]


@pytest.mark.parametrize(
    ("cls", "scheme"),
    [(MinMaxObserver, qrs.per_channel_affine), (PerChannelMinMaxObserver, qrs.per_tensor_affine)],
)
def test_scheme_of_the_other_kind_raises(cls: type, scheme: qrs.qscheme) -> None:
    with pytest.raises(ValueError, match="qscheme"):
        cls(qscheme=scheme)


def test_symmetric_unsigned_seven_bits_raises() -> None:
    with pytest.raises(ValueError, match="reduce_range"):
        MinMaxObserver(qscheme=qrs.per_tensor_symmetric, reduce_range=True)


def test_merge_of_another_class_raises() -> None:
    with pytest.raises(TypeError, match="PerChannelMinMaxObserver"):
        MinMaxObserver().merge(PerChannelMinMaxObserver())


def test_a_refused_merge_changes_nothing() -> None:
    observer = PerChannelMinMaxObserver(nonfinite="ignore")
    observer(qrs.ones(2, 2))
    other = PerChannelMinMaxObserver(nonfinite="ignore")
    other(qrs.tensor([[1.0], [float("nan")], [2.0]]))
    with pytest.raises(ShapeError, match="merge with 3 channels was asked, expected 2"):
        observer.merge(other)
    assert observer.nonfinite_count == 0


def test_reset_forgets() -> None:
    for observer in (MinMaxObserver(), PerChannelMinMaxObserver()):
        observer(qrs.ones(2, 2))
        observer.reset_min_max_vals()
        with pytest.raises(NotCalibratedError):
            observer.calculate_qparams()


@pytest.mark.parametrize(
    ("observer", "keys"),
    [
        (MinMaxObserver(), {"eps": (1,), "min_val": (), "max_val": ()}),
        (PerChannelMinMaxObserver(), {"eps": (1,), "min_vals": (0,), "max_vals": (0,)}),
    ],
    ids=["MinMax", "PerChannel"],
)
def test_state_dict_layout(observer: qrs.nn.Module, keys: dict) -> None:
    assert {k: tuple(v.shape) for k, v in observer.state_dict().items()} == keys


def test_per_channel_reads_the_names_of_later_versions() -> None:
    observer = PerChannelMinMaxObserver()
    observer.load_state_dict(
        {"eps": np.float32([2**-23]), "min_val": np.float32([0, 1]), "max_val": np.float32([2, 3])}
    )
    assert observer.min_vals.tolist() == [0.0, 1.0]
