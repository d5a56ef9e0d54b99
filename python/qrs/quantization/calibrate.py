"""`calibrate`: showing data to the observers of a prepared model."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from qrs.autograd import no_grad
from qrs.errors import NotCalibratedError, QrsError
from qrs.nn.module import Module, check_module
from qrs.quantization.inputs import check_batches, run_batch
from qrs.quantization.observe import is_activation_post_process
from qrs.quantization.observer import UniformQuantizationObserverBase
from qrs.quantization.swaps import refuse_converted

__all__ = ["calibrate"]


def calibrate(
    model: Module,
    data: Iterable[Any],
    *,
    transform: Callable[[Any], Any] | None = None,
    max_batches: int | None = None,
    tolerance: float | None = None,
    patience: int = 3,
    progress: bool | None = None,
) -> int:
    """Run a prepared model on data, without recording gradients.

    Ctrl-C waits for the end of the batch, so that every observer has seen the same data, and then
    raises `KeyboardInterrupt`: the model can be converted, or calibrated further. A second Ctrl-C
    stops at once.

    Parameters
    ----------
    model : Module
        From `prepare`.
    data : iterable
        Batches, read one at a time: one input each, or a tuple of positional inputs, or a dict of
        keyword inputs. Inputs are tensors, NumPy arrays, or tensors of other libraries on the CPU,
        such as PyTorch's, through DLPack.
    transform : callable, optional
        Makes the inputs of a batch, for instance ``lambda pair: pair[0]`` to drop targets.
    max_batches : int, optional
        Stop after so many.
    tolerance : float, optional
        Stop when the range of no observer has moved by more than this share of its width in
        ``patience`` batches in a row. Default: use all data.
    patience : int
        See ``tolerance``.
    progress : bool, optional
        Write batches done, time and time left to the standard error stream. Default: if that is a
        terminal.

    Returns
    -------
    int
        How many batches were run.

    Raises
    ------
    QrsError
        If the model has no observer.
    TypeError
        If the model is none of `qrs.nn`, ``data`` is one tensor or dict, or a batch does not fit
        the inputs of the model.
    ValueError
        If there was no batch at all, or ``tolerance`` or ``patience`` is not above 0.

    Examples
    --------
    >>> import qrs
    >>> model = qrs.nn.Sequential(qrs.quantization.QuantStub(), qrs.nn.Linear(2, 2))
    >>> model.qconfig = qrs.quantization.get_default_qconfig()
    >>> prepared = qrs.quantization.prepare(model.eval())
    >>> qrs.quantization.calibrate(prepared, (qrs.randn(4, 2) for _ in range(3)))
    3
    """
    check_module("calibrate", model)
    if not any(is_activation_post_process(module) for module in model.modules()):
        refuse_converted("calibrate", model)
        raise QrsError(
            f"calibrate: a {type(model).__name__} without observers came, expected a prepared "
            "model; call prepare before"
        )
    if (tolerance is not None and not tolerance > 0) or patience < 1:
        raise ValueError(
            f"calibrate: tolerance={tolerance} and patience={patience} came, expected numbers "
            "above 0"
        )
    check_batches("calibrate", data)
    watch = None if tolerance is None else _Ranges(model, tolerance, patience)
    line = _Progress(_length(data, max_batches), progress)
    done = 0
    try:
        with no_grad(), _finishing_batches() as stopped:
            for batch in data:
                if done == max_batches:
                    break
                run_batch(model, batch if transform is None else transform(batch))
                done += 1
                line.show(done)
                if stopped():
                    raise KeyboardInterrupt(f"calibrate: stopped after {done} batches")
                if watch is not None and watch.have_settled():
                    break
    finally:
        line.close()
    if not done:
        raise ValueError(
            "calibrate: no batch came, expected at least one; pass an iterable of inputs"
        )
    return done


@contextmanager
def _finishing_batches() -> Iterator[Callable[[], bool]]:
    """Put off Ctrl-C; gives a function that says whether it came. A second one is not put off."""
    came = False

    def note(number: int, frame: Any) -> None:
        nonlocal came
        if came:
            signal.default_int_handler(number, frame)
        came = True

    # Only the main thread may set handlers, and a program's own handler is left alone.
    ours = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _length(data: Iterable[Any], most: int | None) -> int | None:
    """How many batches will come, if that can be known."""
    try:
        count = len(data)  # type: ignore[arg-type]  # some have one
    except TypeError:
        return most
    return count if most is None else min(count, most)


class _Progress:
    """One line on the terminal, rewritten ten times a second at most."""

    def __init__(self, total: int | None, wanted: bool | None) -> None:
        self.total = total
        self.on = sys.stderr.isatty() if wanted is None else wanted
        self.start = self.shown = time.monotonic()

    def show(self, done: int) -> None:
        now = time.monotonic()
        if not self.on or (now - self.shown < 0.1 and done != self.total and done > 1):
            return
        self.shown = now
        spent = now - self.start
        text = f"calibrate: {done} batches, {spent:.1f} s"
        if self.total is not None:
            left = spent / done * (self.total - done)
            text = f"calibrate: {done} of {self.total} batches, {spent:.1f} s, {left:.1f} s left"
        # Blanks cover what is left of a longer line.
        sys.stderr.write(f"\r{text:<64}")
        sys.stderr.flush()

    def close(self) -> None:
        if self.on:
            sys.stderr.write("\n")


class _Ranges:
    """Whether the ranges of a model's observers have stopped moving."""

    def __init__(self, model: Module, tolerance: float, patience: int) -> None:
        self.observers = [
            module
            for module in model.modules()
            if isinstance(module, UniformQuantizationObserverBase)
        ]
        self.tolerance = tolerance
        self.patience = patience
        self.quiet = 0
        self.last: list[Any] = [None] * len(self.observers)

    def have_settled(self) -> bool:
        """Look at the ranges after a batch."""
        now = [_range(observer) for observer in self.observers]
        pairs = zip(self.last, now, strict=True)
        calm = all(_moved(before, after) <= self.tolerance for before, after in pairs)
        self.quiet = self.quiet + 1 if calm else 0
        self.last = now
        return self.quiet >= self.patience


def _range(observer: UniformQuantizationObserverBase) -> Any:
    """The real numbers at both ends of the integers, per channel; None before the first data."""
    try:
        scale, zero_point = observer.calculate_qparams()
    except NotCalibratedError:
        return None
    ends = np.array([[observer.quant_min], [observer.quant_max]], np.float64)
    return (ends - zero_point.numpy()) * scale.numpy()


def _moved(before: Any, after: Any) -> float:
    """The largest move of an end, as a share of the width."""
    if before is None or after is None:
        return 0.0 if before is after else np.inf
    return float((np.abs(after - before) / (before[1] - before[0])).max())
