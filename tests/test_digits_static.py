"""The example of static quantization, and what it promises."""

import contextlib
import importlib
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("digits_static")
    finally:
        sys.path.remove(str(FOLDER))


def test_int8_loses_at_most_three_tenths_of_a_point(example: ModuleType) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        results = example.main()
    assert results["float"]["accuracy"] > 99
    assert results["int8"]["accuracy"] >= results["float"]["accuracy"] - 0.3
    assert results["int8"]["kilobytes"] < 0.5 * results["float"]["kilobytes"]
    assert f"{results['int8']['accuracy']:.2f}" in printed.getvalue()
