"""Between qrs and the process around it: threads, forks, signals, memory, modes of arithmetic."""

import _thread
import ctypes
import gc
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import qrs
from qrs import _kernels, nn
from qrs import quantization as Q

LINUX = platform.system() == "Linux"
needs_linux = pytest.mark.skipif(not LINUX, reason="reads /proc or changes a limit of Linux")


def values(*shape: int, seed: int = 0) -> qrs.Tensor:
    return qrs.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(24, 40, num_layers=2, bidirectional=True)
        self.fc = nn.Linear(80, 10)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.fc(self.lstm(x)[0])


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        self.conv, self.relu = nn.Conv2d(3, 16, 3), nn.ReLU()
        self.fc = nn.Linear(16, 5)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        y = self.relu(self.conv(self.quant(x))).mean([2, 3])
        return self.dequant(self.fc(y))


def dynamic_model() -> tuple[nn.Module, list[qrs.Tensor]]:
    inputs = [values(7, 3, 24, seed=seed) for seed in range(8)]
    return Q.quantize_dynamic(Recurrent()).eval(), inputs


def static_model() -> tuple[nn.Module, list[qrs.Tensor]]:
    inputs = [values(2, 3, 12, 12, seed=seed) for seed in range(8)]
    model = Convolutional().eval()
    model.qconfig = Q.get_default_qconfig("qrs")
    prepared = Q.prepare(Q.fuse_modules(model, [["conv", "relu"]]))
    for x in inputs:
        prepared(x)
    return Q.convert(prepared), inputs


def float_model() -> tuple[nn.Module, list[qrs.Tensor]]:
    return Recurrent().eval(), [values(7, 3, 24, seed=seed) for seed in range(8)]


MODELS: dict[str, Callable[[], tuple[nn.Module, list[qrs.Tensor]]]] = {
    "dynamic": dynamic_model,
    "static": static_model,
    "float": float_model,
}


@pytest.mark.parametrize("kind", MODELS)
def test_many_threads_may_call_one_model(kind: str) -> None:
    model, inputs = MODELS[kind]()
    with qrs.no_grad():
        expected = [model(x) for x in inputs]
    wrong: list[int] = []

    def work(i: int) -> None:
        with qrs.no_grad():
            for _ in range(10):
                if not qrs.equal(model(inputs[i]), expected[i]):
                    wrong.append(i)

    threads = [threading.Thread(target=work, args=(i % len(inputs),)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_other_threads_run_during_a_long_call() -> None:
    packed = Q.quantize_dynamic(nn.Linear(1024, 1024))
    x = values(4000, 1024)
    packed(x)
    counts = [0]
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            counts[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    before, start = counts[0], time.perf_counter()
    packed(x)
    during = (counts[0] - before) / (time.perf_counter() - start)
    before, start = counts[0], time.perf_counter()
    time.sleep(0.2)
    alone = (counts[0] - before) / (time.perf_counter() - start)
    done.set()
    counter.join()
    # Had the call kept the GIL, nothing would have been counted; a busy machine takes its share.
    assert during > 0.1 * alone


FORKING = """
import os, sys
import numpy as np
import qrs
from qrs import nn, quantization
qrs.set_num_threads(3)
model = quantization.quantize_dynamic(nn.LSTM(64, 128, num_layers=2, bidirectional=True))
x = qrs.from_numpy(np.random.default_rng(0).standard_normal((9, 5, 64)).astype(np.float32))
expected = model(x)[0]
for _ in range(20):
    child = os.fork()
    same = all(qrs.equal(model(x)[0], expected) for _ in range(3))
    if child == 0:
        os._exit(0 if same else 1)
    if not same or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        sys.exit("another result")
"""

STARTING = """
import multiprocessing, sys
import numpy as np
import qrs
from qrs import nn, quantization

def answer(model, x):
    return model(x).numpy()

if __name__ == "__main__":
    qrs.set_num_threads(2)
    model = quantization.quantize_dynamic(nn.Linear(300, 400))
    x = qrs.from_numpy(np.random.default_rng(0).standard_normal((50, 300)).astype(np.float32))
    expected = model(x).numpy()
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(2) as pool:
            for got in pool.starmap(answer, [(model, x)] * 4):
                assert np.array_equal(got, expected), method
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to test without fork")
def test_a_forked_child_and_its_parent_go_on() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING], check=True, timeout=120)


def test_models_go_to_processes_that_are_started_in_any_way(tmp_path: Any) -> None:
    script = tmp_path / "starting.py"
    script.write_text(STARTING)
    subprocess.run([sys.executable, "-W", "ignore", str(script)], check=True, timeout=120)


@pytest.mark.parametrize("kind", MODELS)
def test_ctrl_c_stops_a_loop_of_calls_and_leaves_the_model_whole(kind: str) -> None:
    model, inputs = MODELS[kind]()
    with qrs.no_grad():
        expected = model(inputs[0])
        # The signal arrives at another place of the call each time.
        for delay in (0.02, 0.025, 0.031, 0.04):
            timer = threading.Timer(delay, _thread.interrupt_main)
            with pytest.raises(KeyboardInterrupt):
                timer.start()
                start = time.perf_counter()
                while time.perf_counter() - start < 30:
                    model(inputs[0])
            timer.join()
            assert qrs.equal(model(inputs[0]), expected)


@contextmanager
def flushing_to_zero() -> Iterator[Callable[[], int]]:
    """Subnormal numbers count as zero in this thread, as some libraries leave it."""
    library = ctypes.CDLL(None)
    # fenv_t of glibc: on x86-64 MXCSR is its last word, on aarch64 FPCR its first.
    at, bits = (7, 0x8040) if platform.machine() == "x86_64" else (0, 1 << 24)
    saved, changed = (ctypes.c_uint32 * 8)(), (ctypes.c_uint32 * 8)()
    library.fegetenv(saved)
    ctypes.memmove(changed, saved, ctypes.sizeof(saved))
    changed[at] |= bits

    def mode() -> int:
        now = (ctypes.c_uint32 * 8)()
        library.fegetenv(now)
        return now[at] & bits

    library.fesetenv(changed)
    try:
        assert mode() == bits
        yield mode
    finally:
        library.fesetenv(saved)


def subnormal_results() -> list[np.ndarray[Any, Any]]:
    x = qrs.from_numpy(_TINY)
    with qrs.no_grad():
        return [
            _LINEAR(x).numpy(),
            _LSTM(x.reshape(4, 10, 16))[0].numpy(),
            _kernels.tanh(_TINY),
            _kernels.gelu(_TINY),
            _kernels.exp(_LOW),
            _kernels.softmax(_LOW),
            qrs.quantize_per_tensor(x, 2e-38, 3, qrs.quint8).dequantize().numpy(),
        ]


# Made here, since NumPy's own arithmetic flushes what the thread flushes.
_TINY = (np.arange(-320, 320, dtype=np.float32) * np.float32(1e-41)).reshape(40, 16)
_LOW = np.linspace(-104, -80, 640, dtype=np.float32).reshape(40, 16)
_LINEAR = Q.quantize_dynamic(nn.Linear(16, 8, bias=False))
_LSTM = Q.quantize_dynamic(nn.LSTM(16, 8))


@pytest.mark.skipif(
    not LINUX or platform.machine() not in ("x86_64", "aarch64"), reason="knows glibc's fenv_t"
)
@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_flushing_to_zero(threads: int) -> None:
    before = qrs.get_num_threads()
    qrs.set_num_threads(threads)
    try:
        expected = subnormal_results()
        with flushing_to_zero() as mode:
            got = subnormal_results()
            # What the caller had set is set again.
            assert mode() != 0
    finally:
        qrs.set_num_threads(before)
    assert any(((a != 0) & (abs(a) < np.finfo(np.float32).tiny)).any() for a in expected)
    for a, b in zip(got, expected, strict=True):
        assert np.array_equal(a.view(np.uint32), b.view(np.uint32))


OUT_OF_MEMORY = """
import resource, sys
import numpy as np
import qrs
from qrs import nn, quantization
qrs.set_num_threads(1)
model = quantization.quantize_dynamic(nn.LSTM(256, 256))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + int(sys.argv[1]) * 2**20
unlimited = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (limit, unlimited[1]))
try:
    model(qrs.from_numpy(np.zeros((512, 64, 256), np.float32)))
    print("done")
except MemoryError:
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    model(qrs.from_numpy(np.zeros((2, 3, 256), np.float32)))
    print("MemoryError")
"""


@needs_linux
def test_no_room_is_a_memory_error_after_which_all_goes_on() -> None:
    found = []
    for mebibytes in (1, 20, 36, 44, 400):
        done = subprocess.run(
            [sys.executable, "-c", OUT_OF_MEMORY, str(mebibytes)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (mebibytes, done.stderr)
        found.append(done.stdout.strip())
    assert (found[0], found[-1]) == ("MemoryError", "done")


NO_ROOM_FOR_WEIGHTS = """
import resource, sys
import numpy as np
from qrs import _kernels
pack, shape = {
    "linear": (lambda w: _kernels.PackedLinear(w, np.ones(1, np.float32)), (8192, 32768)),
    "embedding": (
        lambda w: _kernels.PackedEmbedding(w.view(np.uint8), *2 * [np.ones(32, np.float32)], None),
        (32, 1 << 23),
    ),
}[sys.argv[1]]
weight = np.zeros(shape, np.int8)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
unlimited = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, unlimited[1]))
try:
    pack(weight)
except MemoryError as error:
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    print(error)
"""


@needs_linux
@pytest.mark.parametrize("layer", ["linear", "embedding"])
def test_no_room_for_packed_weights_is_a_memory_error(layer: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM_FOR_WEIGHTS, layer],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(
        f": {1 << 28} bytes were asked for and there is no room; free memory, or split the layer\n"
    )


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def use(model: nn.Module, x: qrs.Tensor) -> None:
    with qrs.no_grad():
        model(x)


def remake(model: nn.Module, x: qrs.Tensor) -> None:
    layer = Q.quantize_dynamic(nn.Linear(64, 64))
    layer.load_state_dict(layer.state_dict())
    use(layer, x)


@needs_linux
@pytest.mark.parametrize("kind", [*MODELS, "made anew", "refused"])
def test_no_memory_is_lost(kind: str) -> None:
    model, inputs = MODELS.get(kind, dynamic_model)()

    def once() -> None:
        if kind == "made anew":
            remake(model, values(3, 64))
        elif kind == "refused":
            with pytest.raises(qrs.ShapeError):
                use(model, values(7, 3, 25))
        else:
            use(model, inputs[0])

    rounds = 100
    for _ in range(rounds):
        once()
    before = resident()
    for _ in range(4 * rounds):
        once()
    # A kilobyte lost in each call would be 400 of them.
    assert resident() - before < 256 * 1024
