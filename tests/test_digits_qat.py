"""The example of quantization-aware training, one pass long, and what README says of it."""

import contextlib
import importlib
import io
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import qrs

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def example() -> ModuleType:
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        return importlib.import_module("digits_qat")
    finally:
        sys.path.remove(str(ROOT / "examples"))


@pytest.fixture(scope="module")
def run(example: ModuleType) -> tuple[dict[str, Any], str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        rows = example.main(["--passes", "1"])
    return rows, printed.getvalue()


def test_training_gives_back_what_static_quantization_lost(run) -> None:
    rows = run[0]
    assert rows["static, 3 bits"].accuracy < 95
    assert rows["static, 2 bits"].accuracy < 50
    for bits, most in ((8, 1.0), (4, 1.0), (3, 1.5), (2, 10.0)):
        assert rows[f"QAT, {bits} bits"].accuracy > rows["float"].accuracy - most
    for bits in (3, 2):
        assert rows[f"QAT, {bits} bits"].to_static.low > 0


def test_eight_bits_lose_nothing_without_training(run) -> None:
    for name in ("dynamic, 8 bits", "static, 8 bits"):
        difference = run[0][name].to_float
        assert difference.low < 0 < difference.high


def test_progress_and_every_row_are_shown(run) -> None:
    rows, printed = run
    for name, row in rows.items():
        assert f"{name:16}{row.accuracy:8.2f}" in printed
    for bits in (8, 4, 3, 2):
        assert re.search(rf"QAT, {bits} bits +100%, loss \d.*  0 s left", printed)


def test_readme_shows_what_needs_no_training(run) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("<!-- digits -->")[2].split("```")[1]
    for name, row in run[0].items():
        (line,) = (line for line in shown.splitlines() if line.startswith(f"{name} "))
        if "QAT" not in name:
            assert float(line[16:24]) == pytest.approx(row.accuracy, abs=0.5)


def test_code_of_readme_trains_and_converts(example: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = readme.partition("<!-- training -->")[2].split("```")[1].removeprefix("python\n")
    (images, labels), test = example.load_data()
    space = {"qrs": qrs, "model": example.load_model(), "images": images, "labels": labels}
    exec(compile(code, "README.md", "exec"), space)
    assert isinstance(space["small"].fc, qrs.nn.quantized.Linear)
    assert space["small"].fc.weight().int_repr().abs().max().item() == 7
    assert example.percent(example.right(space["small"], *test)) > 97


class TestInterval:
    def test_formula_by_hand(self, example: ModuleType) -> None:
        new = np.array([1] * 7 + [0] * 1 + [1] * 90 + [0] * 2, bool)
        old = np.array([0] * 7 + [1] * 1 + [1] * 90 + [0] * 2, bool)
        found = example.compare(new, old)
        # b = 7.5, c = 1.5, n = 102: 6 / 102 -+ 1.96 sqrt(9 - 36 / 102) / 102
        assert found.points == pytest.approx(6.0)
        assert (found.low, found.high) == pytest.approx((0.2328, 11.5319), abs=1e-3)

    def test_equal_models_are_not_certain_to_be_equal(self, example: ModuleType) -> None:
        same = np.ones(100, bool)
        found = example.compare(same, same)
        assert found.points == 0
        assert found.low < -1
        assert found.high > 1

    def test_it_holds_the_truth_in_95_of_100_samples(self, example: ModuleType) -> None:
        rng = np.random.default_rng(1)
        # Both right, only new, only old, neither: a true difference of 3 points.
        cells = rng.choice(4, p=[0.88, 0.06, 0.03, 0.03], size=(1000, 797))
        found = [example.compare(row <= 1, row % 2 == 0) for row in cells]
        held = sum(one.low < 3 < one.high for one in found)
        assert 930 <= held <= 970
