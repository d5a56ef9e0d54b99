"""What `import qrs` does, and what it leaves alone."""

import importlib.metadata
import json
import os
import subprocess
import sys
from typing import Any

import pytest

import qrs

LATE = ["io", "nn", "optim", "quantization"]


def in_a_fresh_process(code: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_import_changes_nothing_else_and_says_nothing() -> None:
    code = """
import json, os, signal, sys, threading, warnings
import numpy
def facts():
    handlers = [str(signal.getsignal(s)) for s in signal.valid_signals()]
    return [dict(os.environ), threading.active_count(), len(warnings.filters), numpy.geterr(),
            sys.getswitchinterval(), sys.path[:], os.getcwd(), handlers]
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event.startswith(
    ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "ctypes.", "pickle.")) else None)
before = facts()
import qrs
print(json.dumps([before == facts(), opened]))
"""
    assert in_a_fresh_process(code) == [True, []]


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/task"), reason="counts threads as Linux lists them"
)
def test_import_starts_no_thread() -> None:
    code = """
import json, os, numpy
before = len(os.listdir("/proc/self/task"))
import qrs, qrs.nn, qrs.quantization
print(json.dumps(len(os.listdir("/proc/self/task")) - before))
"""
    assert in_a_fresh_process(code) == 0


def test_what_takes_long_is_imported_when_it_is_used() -> None:
    code = """
import json, sys
import qrs
first = list(sys.modules)
qrs.nn.Linear(2, 2)
print(json.dumps([first, list(sys.modules)]))
"""
    first, then = map(set, in_a_fresh_process(code))
    assert not first & {"numpy.random", "importlib.metadata", "hashlib"}
    assert not first & {f"qrs.{name}" for name in LATE}
    assert "qrs.nn" in then


@pytest.mark.parametrize("name", LATE)
def test_late_packages_are_reached_in_every_way(name: str) -> None:
    code = f"""
import json
import qrs
first = qrs.{name}
from qrs import {name}
import qrs.{name} as third
print(json.dumps([first is {name} is third, "{name}" in dir(qrs)]))
"""
    assert in_a_fresh_process(code) == [True, True]


def test_every_public_name_is_there() -> None:
    assert [name for name in qrs.__all__ if not hasattr(qrs, name)] == []
    assert dir(qrs) == sorted(qrs.__all__)
    assert dir(qrs.io) == ["Limits", "ScriptObject", "load", "read_metadata", "save"]


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tensr'"):
        qrs.tensr  # noqa: B018


def test_version_is_the_one_of_the_package() -> None:
    assert qrs.__version__ == importlib.metadata.version("qrs")
