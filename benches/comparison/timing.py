"""Taking turns: every round runs each contender once, in shuffled order.

Neighbours and clocks change the speed of a machine from second to second. Contenders of one round
see the same machine, so the ratio inside a round says more than two times from different minutes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# A sample takes at least this long, so that the clock's own cost (30 ns) does not count, and as
# long as one call of the slowest: what runs for a shorter time pays more for the caches that others
# used (5 % of a layer of 2 ms beside a graph of 12 such).
SAMPLE = 200e-6
# With several threads: so long without work of this process means that its threads sleep.
NAP = 5e-3
# With several threads: the system takes so long to give each a CPU of its own after they slept.
WARM = 20e-3
RESAMPLES = 2000


@dataclass(frozen=True)
class Times:
    """Seconds of one call, a number a round; `least` where the shortest is known otherwise."""

    seconds: np.ndarray[Any, Any]
    least: float | None = None

    @property
    def best(self) -> float:
        """The shortest."""
        return float(self.seconds.min()) if self.least is None else self.least

    @property
    def median(self) -> float:
        """The middle one."""
        return float(np.median(self.seconds))

    def slope(self, less: Times, over: int) -> Times:
        """What one of `over` parts takes, by which this call does more than another.

        The shortest is the difference of the shortest: that of one round may be noise alone.
        """
        return Times((self.seconds - less.seconds) / over, (self.best - less.best) / over)

    def over(self, other: Times) -> tuple[float, float, float]:
        """How many times longer than another: median of the ratios, and its 95 % interval.

        The interval is that of resampled rounds (bootstrap).
        """
        ratios = self.seconds / other.seconds
        picks = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
        low, high = np.percentile(np.median(ratios[picks], axis=1), [2.5, 97.5])
        return float(np.median(ratios)), float(low), float(high)


def take_turns(
    calls: dict[str, Callable[[], Any]], rounds: int, threads: int, seed: int = 0
) -> dict[str, Times]:
    """Time each call once a round.

    Parameters
    ----------
    calls : dict of str to callable
    rounds : int
    threads : int
        How many each call uses.
    seed : int
        Of the order of the turns.

    Returns
    -------
    dict of str to Times
    """
    fastest = {name: _fastest(call) for name, call in calls.items()}
    sample = max(SAMPLE, *fastest.values())
    counts = {name: math.ceil(sample / call) for name, call in fastest.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    names, random = list(calls), np.random.default_rng(seed)
    for _ in range(rounds):
        for i in random.permutation(len(names)):
            name = names[i]
            if threads > 1:
                _let_threads_sleep()
            _warm(calls[name], WARM if threads > 1 else 0.0)
            samples[name].append(_sample(calls[name], counts[name]))
    return {name: Times(np.array(seconds)) for name, seconds in samples.items()}


def _let_threads_sleep() -> None:
    """Waits for the threads of the contender before.

    They spin on the cores that the next one needs: those of PyTorch for 5 to 10 ms after a call,
    those of ONNX Runtime for 60 ms.
    """
    for _ in range(200):
        before = time.process_time()
        time.sleep(NAP)
        if time.process_time() - before < NAP / 10:
            return
    raise RuntimeError(
        "take_turns: threads still run a second after a turn, expected them to sleep"
    )


def _warm(call: Callable[[], Any], seconds: float) -> None:
    """Wakes a call's threads and brings its weights into the cache."""
    end = time.perf_counter() + seconds
    call()
    while time.perf_counter() < end:
        call()


def _sample(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def _fastest(call: Callable[[], Any]) -> float:
    call()
    return min(_sample(call, 1) for _ in range(5))
