"""The example of a language model with weights of four bits, one pass long."""

import contextlib
import importlib
import io
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def example() -> ModuleType:
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        return importlib.import_module("char_lm_qat")
    finally:
        sys.path.remove(str(ROOT / "examples"))


@pytest.fixture(scope="module")
def run(example: ModuleType) -> tuple[dict[str, float], str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        results = example.main(["--passes", "1"])
    return results, printed.getvalue()


def test_one_pass_gives_back_a_third_of_what_four_bits_lost(run) -> None:
    bits = run[0]
    lost = bits["4 bits, not trained"] - bits["float"]
    assert lost > 0.2
    assert bits["4 bits, trained"] < bits["4 bits, not trained"] - lost / 3
    assert bits["8 bits"] < bits["float"] + 0.002


def test_progress_and_every_row_are_shown(run) -> None:
    results, printed = run
    assert "QAT, 4 bits    100%, " in printed
    for name, bits in results.items():
        assert f"{name:20} {bits:18.4f}" in printed


def test_readme_shows_what_needs_no_training(run) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("<!-- char_lm_qat -->")[2].split("```")[1]
    for name, bits in run[0].items():
        (line,) = (line for line in shown.splitlines() if line.startswith(f"{name} "))
        if "bits, trained" not in name:
            assert float(line[20:]) == pytest.approx(bits, abs=5e-4)


def test_stored_weights_have_four_bits(example: ModuleType) -> None:
    model, _ = example.load()
    prepared = example.prepare(model)
    prepared(example.qrs.tensor(np.zeros((1, 1), np.int64)))
    converted = example.Q.convert(prepared.eval())
    weights = [*converted.lstm.get_weight().values(), converted.fc.weight()]
    for weight in weights:
        assert weight.int_repr().abs().max().item() == 7
