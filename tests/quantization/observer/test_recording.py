"""Placeholders, and the observer that keeps what it sees."""

import pytest

import qrs
from qrs.errors import QrsError
from qrs.quantization import NoopObserver, PlaceholderObserver, RecordingObserver


@pytest.mark.parametrize("cls", [NoopObserver, PlaceholderObserver, RecordingObserver])
def test_no_quantization_parameters(cls: type) -> None:
    with pytest.raises(QrsError, match="MinMaxObserver"):
        cls().calculate_qparams()


@pytest.mark.parametrize("cls", [NoopObserver, PlaceholderObserver])
def test_passes_anything_on(cls: type) -> None:
    thing = object()
    assert cls()(thing) is thing


@pytest.mark.parametrize("cls", [NoopObserver, PlaceholderObserver])
def test_shards_of_nothing_are_nothing(cls: type) -> None:
    cls().merge(cls())
    with pytest.raises(TypeError, match="merge with a RecordingObserver"):
        cls().merge(RecordingObserver())


def test_placeholder_carries_types() -> None:
    observer = PlaceholderObserver(dtype=qrs.float16, compute_dtype=qrs.quint8)
    assert (observer.dtype, observer.compute_dtype) == (qrs.float16, qrs.quint8)
    assert NoopObserver().dtype is qrs.float16


def test_state_dicts_are_empty() -> None:
    assert list(PlaceholderObserver().state_dict()) == []
    assert list(NoopObserver().state_dict()) == []
    assert list(RecordingObserver().state_dict()) == ["eps"]


def test_recording_keeps_copies() -> None:
    observer = RecordingObserver()
    x = qrs.ones(2)
    assert observer(x) is x
    x.fill_(7.0)
    other = RecordingObserver()
    other(qrs.zeros(1))
    other.nonfinite_count = 3
    observer.merge(other)
    assert observer.nonfinite_count == 3
    assert [t.tolist() for t in observer.get_tensor_value()] == [[1.0, 1.0], [0.0]]
