"""Runs the contract of observers on every class of qrs, and on one that a user might write."""

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import qrs
import qrs.quantization.observer as observers
from qrs.errors import NotCalibratedError, QrsError
from qrs.quantization import NoopObserver, PlaceholderObserver, RecordingObserver
from qrs.quantization.observer import Batch, ObserverBase, UniformQuantizationObserverBase

from .observer import check_returns_its_input, checks


class ThreeSigmaObserver(UniformQuantizationObserverBase):
    """A user's own: the mean, three standard deviations to either side."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_buffer("sums", qrs.zeros(3, dtype=qrs.float64))

    def _observe(self, batch: Batch) -> None:
        values = batch.values.astype(np.float64)
        self.sums += qrs.from_numpy(np.array([values.size, values.sum(), (values**2).sum()]))

    def calculate_qparams(self) -> tuple[qrs.Tensor, qrs.Tensor]:
        count, total, squares = self.sums.tolist()
        if not count:
            raise self._not_calibrated()
        mean = total / count
        reach = 3 * max(squares / count - mean**2, 0.0) ** 0.5
        return self._calculate_qparams(np.float32(mean - reach), np.float32(mean + reach))

    def merge(self, other: ObserverBase) -> None:
        self._check_same_kind(other)
        self.sums += other.sums


ABSTRACT = {UniformQuantizationObserverBase, ObserverBase, observers.ExactHistogramObserver}
# Some names stand for the same class.
ALL = list(
    dict.fromkeys(
        cls
        for name in observers.__all__
        if inspect.isclass(cls := getattr(observers, name))
        and issubclass(cls, ObserverBase)
        and cls not in ABSTRACT
    )
)
WITHOUT_RANGE = [NoopObserver, PlaceholderObserver, RecordingObserver]
WITH_RANGE = [*(cls for cls in ALL if cls not in WITHOUT_RANGE), ThreeSigmaObserver]


def test_all_classes_are_found() -> None:
    assert len(ALL) == 11
    assert set(WITHOUT_RANGE) < set(ALL)


@pytest.mark.parametrize("cls", WITH_RANGE, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("check", list(checks()), ids=lambda check: check.__name__)
def test_contract(cls: type, check: Any) -> None:
    check(cls)


@pytest.mark.parametrize("cls", WITHOUT_RANGE, ids=lambda cls: cls.__name__)
def test_contract_of_those_that_compute_no_range(cls: type) -> None:
    check_returns_its_input(cls)
    observer = cls()
    observer.owner = "block.conv1"
    observer(qrs.ones(2))
    for each in (observer, copy.deepcopy(observer), pickle.loads(pickle.dumps(observer))):
        with pytest.raises(QrsError, match=r"block\.conv1"):
            each.calculate_qparams()
    assert cls.with_args(dtype=qrs.quint8).with_args(dtype=qrs.qint8)().dtype is qrs.qint8


def test_an_observer_of_a_user_works_in_a_model() -> None:
    model = qrs.nn.Sequential(qrs.quantization.QuantStub(), qrs.nn.Linear(4, 4)).eval()
    model.qconfig = qrs.quantization.QConfig(
        activation=ThreeSigmaObserver, weight=qrs.quantization.default_weight_observer
    )
    prepared = qrs.quantization.prepare(model)
    with pytest.raises(NotCalibratedError, match=r"0\.ThreeSigmaObserver: no data"):
        qrs.quantization.convert(prepared)
    x = qrs.randn(100, 4)
    prepared(x)
    step = qrs.quantization.convert(prepared)[0].scale.item()
    assert step == pytest.approx(6 * x.numpy().std() / 255, rel=0.05)
