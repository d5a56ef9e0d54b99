"""Profiles, instruction sets and threads."""

import os
import subprocess
import sys

import numpy as np
import pytest

import qrs


@pytest.fixture
def engine():
    before = qrs.backends.quantized.engine
    yield qrs.backends.quantized
    qrs.backends.quantized.engine = before


@pytest.fixture
def threads():
    before = qrs.get_num_threads()
    yield
    qrs.set_num_threads(before)


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_engine_can_be_chosen(engine):
    assert engine.engine == "qrs"
    for name in engine.supported_engines:
        engine.engine = name
        assert engine.engine == name


@pytest.mark.parametrize("name", ["foo", "none", "FBGEMM", "", None])
def test_an_unknown_engine_is_refused(engine, name):
    with pytest.raises(ValueError, match="expected one of 'qrs', 'fbgemm', 'qnnpack'"):
        engine.engine = name
    assert engine.engine == "qrs"


def test_a_misspelt_setting_is_refused(engine):
    with pytest.raises(AttributeError):
        engine.engin = "fbgemm"


def test_the_level_is_one_of_this_cpu():
    levels = qrs.backends.cpu.available_levels
    assert levels[0] == "scalar"
    assert qrs.backends.cpu.get_cpu_capability() in levels


def test_every_level_can_be_forced():
    code = "import qrs; print(qrs.backends.cpu.get_cpu_capability())"
    for name in qrs.backends.cpu.available_levels:
        assert run(code, QRS_ISA=name).stdout.strip() == name
    best = run(code, QRS_ISA="").stdout.strip()
    assert best == qrs.backends.cpu.available_levels[-1]
    assert run(code, QRS_ISA=" Scalar ").stdout.strip() == "scalar"


def test_an_unknown_level_is_an_error_that_lists_the_others():
    done = run("import qrs; qrs.backends.cpu.get_cpu_capability()", QRS_ISA="foo")
    assert "RuntimeError: QRS_ISA: level `foo` is unknown" in done.stderr
    assert "scalar" in done.stderr


def test_threads_can_be_chosen(threads):
    for n in (1, 2, 5):
        qrs.set_num_threads(n)
        assert qrs.get_num_threads() == n


@pytest.mark.parametrize("n", [0, -1, 10**6, 1.5, "2", None])
def test_a_wrong_number_of_threads_is_refused(threads, n):
    before = qrs.get_num_threads()
    with pytest.raises(ValueError, match="set_num_threads"):
        qrs.set_num_threads(n)
    assert qrs.get_num_threads() == before


def test_the_environment_sets_the_number_of_threads():
    code = "import qrs; print(qrs.get_num_threads())"
    assert run(code, QRS_NUM_THREADS="3", OMP_NUM_THREADS="2").stdout.strip() == "3"
    assert run(code, QRS_NUM_THREADS="", OMP_NUM_THREADS="2").stdout.strip() == "2"
    assert run(code, QRS_NUM_THREADS="", OMP_NUM_THREADS="3,2").stdout.strip() == "3"


@pytest.mark.parametrize("text", ["abc", "0", "-1", "257", "2.0"])
def test_a_number_of_threads_that_cannot_be_is_refused_at_import(text):
    done = run("import qrs", QRS_NUM_THREADS=text)
    assert done.returncode == 1
    expected = f"QRS_NUM_THREADS: `{text}` came, expected a number from 1 to 256; correct or unset"
    assert f"ValueError: {expected}" in done.stderr


def test_results_do_not_depend_on_the_number_of_threads(threads):
    x = qrs.from_numpy(np.random.default_rng(1).standard_normal(300_000).astype(np.float32))
    results = []
    for n in (1, 2, 3, 8):
        qrs.set_num_threads(n)
        results.append(qrs.quantize_per_tensor(x, 0.02, 3, qrs.quint8))
    assert all(q.equal(results[0]) for q in results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to test without fork")
def test_a_forked_child_computes_too():
    code = """
import os, numpy as np, qrs
qrs.set_num_threads(2)
x = qrs.from_numpy(np.linspace(-1, 1, 500_000, dtype=np.float32))
expected = qrs.quantize_per_tensor(x, 0.01, 3, qrs.quint8)
child = os.fork()
same = qrs.quantize_per_tensor(x, 0.01, 3, qrs.quint8).equal(expected)
if child == 0:
    os._exit(0 if same else 1)
assert same and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
