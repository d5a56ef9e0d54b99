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
from qrs.quantization import (
    HistogramObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    NoopObserver,
    PlaceholderObserver,
    RecordingObserver,
)
from qrs.quantization.observer import Batch, ObserverBase, UniformQuantizationObserverBase

from .observer import (
    assert_same,
    batches,
    check_returns_its_input,
    checks,
    depends_on_order,
    fed,
)


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
        self.nonfinite_count += other.nonfinite_count
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


EXACT = [cls for cls in WITH_RANGE if cls not in (HistogramObserver, ThreeSigmaObserver)]
EXACT = [cls for cls in EXACT if not depends_on_order(cls)]


def test_what_depends_on_the_order_is_known() -> None:
    averages = {cls for cls in WITH_RANGE if depends_on_order(cls)}
    assert averages == {MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver}


@pytest.mark.parametrize("cls", EXACT, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_any_split_order_and_tree_of_merges_gives_the_same_bits(cls: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = np.concatenate(batches(), axis=2)
    whole = fed(cls, [columns])
    shuffled = rng.permutation(columns, axis=2)
    parts = np.split(shuffled, np.sort(rng.integers(1, shuffled.shape[2], 5)), axis=2)
    one = fed(cls, parts)
    shards = [fed(cls, [part]) for part in parts]
    while len(shards) > 1:
        taken = shards.pop(rng.integers(len(shards)))
        shards[rng.integers(len(shards))].merge(taken)
    for observer in (one, shards[0]):
        for key, value in whole.state_dict().items():
            np.testing.assert_array_equal(observer.state_dict()[key].numpy(), value.numpy())
        assert_same(observer, whole)


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
