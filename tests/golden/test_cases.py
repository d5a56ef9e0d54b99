"""`QRS_GOLDEN_DIR` is honoured, and a folder that cannot be read is named in one sentence."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from . import cases

HERE = Path(__file__).parent


def run(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Run one file of golden tests on another folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / test)]
    environment = os.environ | {"QRS_GOLDEN_DIR": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_another_folder_is_what_runs(tmp_path: Path) -> None:
    shutil.copy(HERE / "tensor.npz", tmp_path)
    same = run(tmp_path, "test_tensor.py")
    assert same.returncode == 0, same.stdout
    with np.load(HERE / "tensor.npz") as arrays:
        changed = {
            name: array ^ 1 if array.dtype == np.uint8 else array for name, array in arrays.items()
        }
    np.savez(tmp_path / "tensor.npz", **changed)
    other = run(tmp_path, "test_tensor.py")
    assert other.returncode == 1
    assert "test_quantize[quantize_per_tensor-0]" in other.stdout


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_bad_folder_fails_with_a_sentence(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "tensor.npz").write_bytes(content)
    monkeypatch.setattr(cases, "FOLDER", tmp_path)
    with pytest.raises(pytest.fail.Exception) as caught:
        cases.load.__wrapped__("tensor")
    sentence = str(caught.value)
    assert f"{tmp_path}/tensor.npz cannot be read" in sentence
    assert "mend QRS_GOLDEN_DIR" in sentence
    assert "\n" not in sentence


def test_a_file_without_a_table_of_cases_fails_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "tensor.npz", other=np.zeros(1))
    monkeypatch.setattr(cases, "FOLDER", tmp_path)
    with pytest.raises(pytest.fail.Exception, match="spec"):
        cases.load.__wrapped__("tensor")
