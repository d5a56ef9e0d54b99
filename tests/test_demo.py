"""`make demo`: what it prints is measured here once, and held to what README says of it."""

import contextlib
import importlib.util
import io
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import qrs

SCRIPT = Path(__file__).parent.parent / "examples" / "char_lm_demo.py"


def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("char_lm_demo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run() -> tuple[dict[str, Any], str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        results = demo().main()
    return {row.name: row for row in results}, printed.getvalue()


def test_float_model_scores_what_it_scored_in_pytorch(run) -> None:
    assert run[0]["float"].bits == pytest.approx(1.8583, abs=5e-5)


def test_int8_loses_at_most_two_thousandths_of_a_bit(run) -> None:
    assert run[0]["int8 qrs"].bits - run[0]["float"].bits < 0.002


def test_profile_of_pytorch_loses_what_pytorch_lost(run) -> None:
    assert run[0]["int8 fbgemm"].bits - run[0]["float"].bits == pytest.approx(0.0062, abs=0.001)


@pytest.mark.parametrize("name", ["int8 qrs", "int8 fbgemm"])
def test_int8_file_has_at_most_28_percent_of_the_float_file(run, name: str) -> None:
    assert run[0][name].size <= 0.28 * run[0]["float"].size


def test_table_and_progress_name_every_model(run) -> None:
    results, printed = run
    for row in results.values():
        assert f"{row.name:12} 100% read, {row.bits:.4f} bits per character" in printed
        assert f"{row.name:12} {row.size:11,} {row.bits:19.4f}" in printed
        assert f"{row.name:12} Return " in printed


def test_readme_shows_these_sizes_and_bits(run) -> None:
    readme = (SCRIPT.parent.parent / "README.md").read_text(encoding="utf-8")
    for row in run[0].values():
        assert f"{row.name:12} {row.size:11,} {row.bits:19.4f} " in readme


def test_profile_in_force_is_what_it_was(run) -> None:
    assert qrs.backends.quantized.engine == "qrs"


def test_files_that_differ_are_reported(tmp_path: Path, monkeypatch) -> None:
    module = demo()
    shutil.copytree(module.FOLDER, tmp_path / "model")
    weights = qrs.load(module.FOLDER / "char_lm.safetensors")
    weights["fc.bias"] = weights["fc.bias"] + 1
    qrs.save(weights, tmp_path / "model" / "char_lm.safetensors")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "model")
    with pytest.raises(SystemExit, match="differ"):
        module.load()
