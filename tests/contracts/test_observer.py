"""Runs the contract of observers on every class that computes quantization parameters."""

import inspect

import pytest

import qrs.quantization.observer as observers
from qrs.quantization.observer import RecordingObserver, UniformQuantizationObserverBase

from .observer import checks

ABSTRACT = {UniformQuantizationObserverBase, observers.ExactHistogramObserver}
CLASSES = [
    cls
    for name in observers.__all__
    if inspect.isclass(cls := getattr(observers, name))
    and issubclass(cls, UniformQuantizationObserverBase)
    and cls not in {*ABSTRACT, RecordingObserver}
]


def test_all_classes_are_found() -> None:
    assert len(CLASSES) == 8


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("check", list(checks()), ids=lambda check: check.__name__)
def test_contract(cls: type, check: object) -> None:
    check(cls)
