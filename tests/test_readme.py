"""README does what it says: its example runs and prints what it shows, its table is the code's."""

import contextlib
import importlib.util
import io
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(after: str) -> str:
    """The first fenced block after a marker."""
    found = re.search(r"```\w*\n(.*?)```", README.partition(after)[2], re.DOTALL)
    assert found is not None, f"README has no block after {after}"
    return found[1]


def without_times(text: str) -> str:
    return re.sub(r" +\d+ ms", " ... ms", text)


def table_writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_table", ROOT / "dev" / "readme_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("code", "output"),
    [("<!-- example -->", "<!-- output -->"), ("<!-- diagnosis -->", "<!-- diagnosed -->")],
)
def test_example_prints_what_readme_shows(
    code: str, output: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block(code), "README.md", "exec"), {"__name__": "readme"})
    assert without_times(printed.getvalue()) == without_times(block(output))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("sed") is None, reason="runs sed")
def test_code_is_renamed_as_readme_says() -> None:
    code = """
import torch
import torch.nn as nn
from torch import nn, optim
import torch.nn.functional as F
from torch.ao.quantization import get_default_qconfig
import torch.ao.ns._numeric_suite as ns
def f():
    import torch
    model.qconfig = torch.ao.quantization.get_default_qconfig()
from torch.utils.data import DataLoader
import torchvision
"""
    expected = """
import qrs as torch
import qrs.nn as nn
from qrs import nn, optim
import qrs.nn.functional as F
from qrs.quantization import get_default_qconfig
import qrs.quantization._numeric_suite as ns
def f():
    import qrs as torch
    model.qconfig = torch.quantization.get_default_qconfig()
from torch.utils.data import DataLoader
import torchvision
"""
    command = ["sh", "-c", block("<!-- sed -->")]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=True)
    assert done.stdout == expected


@pytest.mark.parametrize("page", ["README.md", "benches/README.md"])
def test_tables_are_those_of_the_code_and_the_results(page: str) -> None:
    written = (ROOT / page).read_text(encoding="utf-8")
    assert table_writer().updated(page) == written, "run: python dev/readme_table.py"


def test_pages_that_readme_names_exist() -> None:
    targets = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_pages_name_files_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:rust|python|tests|benches)/[\w./-]+\.(?:rs|py|md|toml)", text))
    assert named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
