"""The example of static quantization, and what it promises."""

import contextlib
import importlib
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest

import qrs

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
    # README shows the same, but for the times in the last column.
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("<!-- static -->\n```\n")[2].partition("```")[0]
    assert [line[:22] for line in printed.getvalue().splitlines()] == [
        line[:22] for line in shown.splitlines()
    ]


def test_automatic_fusion_finds_what_the_network_lists(example: ModuleType) -> None:
    model = example.load_model()
    found = qrs.quantization.find_modules_to_fuse(model, qrs.zeros(1, 1, 8, 8))
    assert found == [list(group) for group in model.FUSE]
