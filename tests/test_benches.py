"""The parts of benches/comparison that need no other library."""

import importlib
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import qrs

BENCHES = Path(__file__).parent.parent / "benches"


@pytest.fixture
def part(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHES))
    yield lambda name: importlib.import_module(f"comparison.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "comparison"]:
        del sys.modules[name]


@pytest.mark.parametrize(("engine", "top"), [("qrs", 255), ("fbgemm", 127), ("qnnpack", 255)])
def test_oracle_of_sums_is_what_the_kernels_compute(part, monkeypatch, engine, top) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", engine)
    random = np.random.default_rng(0)
    x = random.standard_normal((7, 65), np.float32)
    small = qrs.quantization.quantize_dynamic(qrs.nn.Linear(65, 33))
    weight = small.weight()
    if weight.qscheme() is qrs.per_channel_affine:
        scales = weight.q_per_channel_scales().numpy()
    else:
        scales = np.array(weight.q_scale())
    exact = part("arithmetic").exact_linear(
        x,
        (weight.int_repr().numpy(), scales),
        small.bias().detach().numpy(),
        top,
        by_row=engine == "qrs",
        fused=engine == "fbgemm",
    )
    assert part("model").difference(small(qrs.from_numpy(x)).numpy(), exact) < 1e-6


def test_a_slope_is_the_difference_of_the_shortest_calls(part) -> None:
    times = part("timing").Times
    short, long = times(np.array([2.0, 5.0])), times(np.array([12.0, 11.0]))
    assert long.slope(short, 2).best == 4.5
    assert long.slope(short, 2).median == 4.0


def test_ratio_is_taken_inside_rounds(part) -> None:
    times = part("timing").Times
    # The machine slows down by the factor 10 half way; the ratio does not.
    own = times(np.array([1.0] * 20 + [10.0] * 20))
    other = times(2 * own.seconds)
    assert other.over(own) == (2.0, 2.0, 2.0)
    assert (own.best, own.median) == (1.0, 5.5)


def test_turns_run_every_contender_every_round(part) -> None:
    calls = {"a": lambda: None, "b": lambda: None}
    times = part("timing").take_turns(calls, rounds=3, threads=1)
    assert {name: len(time.seconds) for name, time in times.items()} == {"a": 3, "b": 3}


def test_a_turn_with_several_threads_begins_when_all_sleep(part, monkeypatch) -> None:
    timing = part("timing")
    now, spins_until = 0.0, 0.1

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    # A thread of the process spins until then.
    monkeypatch.setattr(timing.time, "sleep", sleep)
    monkeypatch.setattr(timing.time, "process_time", lambda: min(now, spins_until))
    timing._let_threads_sleep()
    assert spins_until < now < spins_until + 3 * timing.NAP
    spins_until = math.inf
    with pytest.raises(RuntimeError, match="still run a second after a turn"):
        timing._let_threads_sleep()


def test_roof_is_the_product_or_the_read_whichever_is_longer(part) -> None:
    model, roofs = part("model"), part("roofs")
    peak = {"name": "p", "level": "avx2", "exact": True, "rate": 100.0}
    facts = {"threads": 1, "peaks": [peak], "reads": [[1000, 50.0], [1_000_000, 10.0]]}
    roof = roofs.Roofs(facts)

    def least(stages) -> float:
        return roof.nanoseconds(model.Row("row", stages, None))

    assert least((model.Stage(1000, 1000),)) == pytest.approx(20.0)
    assert least((model.Stage(100_000, 1000),)) == pytest.approx(1000.0)
    assert least((model.Stage(1000, 500, 2),)) == pytest.approx(2 * 500 / roof.read_rate(500))
    assert least((model.Stage(1, 500_000), model.Stage(1, 500_000))) == pytest.approx(100_000.0)


MODELS = ["examples/digits_cnn.py", "tests/models/mobilenet.py", "tests/models/resnet.py"]


@pytest.mark.parametrize("file", MODELS)
def test_models_are_read_for_either_library(part, file: str) -> None:
    names = part("same_source").read(file, "qrs")
    assert names["nn"] is qrs.nn
    text = part("same_source").source(file, "torch")
    assert "import torch" in text
    assert not re.search(r"^(from|import) qrs", text, re.MULTILINE)


def test_steps_that_turn_around_have_a_roof_of_their_own(part) -> None:
    model, roofs = part("model"), part("roofs")
    peak = {"name": "p", "level": "avx2", "exact": True, "rate": 1e9}
    reads = [[1000, 50.0], [1_000_000, 10.0]]
    turning = [[1000, 50.0], [1_000_000, 20.0]]
    roof = roofs.Roofs({"threads": 1, "peaks": [peak], "reads": reads, "turning": turning})

    def least(stage) -> float:
        return roof.nanoseconds(model.Row("row", (stage,), None))

    assert least(model.Stage(1, 1_000_000)) == pytest.approx(100_000.0)
    assert least(model.Stage(1, 1_000_000, 3)) == pytest.approx(3 * 50_000.0)


def test_rows_measured_again_replace_those_kept_before(part) -> None:
    def results(date, *rows):
        rows = [{"row": name, "threads": threads, "date": date} for name, threads in rows]
        return {"date": date, "rows": rows}

    before = results("monday", ("a", 1), ("gone", 1), ("b", 1), ("a", 2))
    now = results("tuesday", ("b", 1), ("c", 1))
    merged = part("report").merged(before, now, ["a", "b", "c"])
    assert merged["date"] == "tuesday"
    assert [(row["row"], row["threads"], row["date"]) for row in merged["rows"]] == [
        ("a", 1, "monday"),
        ("b", 1, "tuesday"),
        ("c", 1, "tuesday"),
        ("gone", 1, "monday"),
        ("a", 2, "monday"),
    ]
