"""calibrate: what it takes, when it stops, what it writes, and what Ctrl-C leaves."""

import re
import signal
import threading
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import QrsError, type_name


class Net(nn.Module):
    """The sum of two inputs, of which the second has a default, through a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.fc = Q.QuantStub(), nn.Linear(3, 2)

    def forward(self, x: qrs.Tensor, y: Any = 0.0) -> qrs.Tensor:
        return self.fc(self.quant(x + y))


def prepared(observer: Any = Q.MinMaxObserver) -> nn.Module:
    model = Net().eval()
    model.qconfig = Q.QConfig(activation=observer, weight=Q.default_weight_observer)
    return Q.prepare(model)


def highest(model: nn.Module) -> float:
    return model.quant.activation_post_process.max_val.item()


class Foreign:
    """A tensor of another library: it can do nothing but DLPack."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


ONES = np.ones((1, 3), np.float32)
Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (qrs.from_numpy(2 * ONES), 2.0),
        (2 * ONES, 2.0),
        (2.5 * ONES.astype(np.float64), 2.5),
        (2 * ONES.astype(np.int64), 2.0),
        (Foreign(3 * ONES), 3.0),
        (Foreign(3 * ONES.astype(np.float64)), 3.0),
        ((2 * ONES, Foreign(ONES)), 3.0),
        ([2 * ONES, 5.0], 7.0),
        (Pair(2 * ONES, ONES), 3.0),
        ({"x": 3 * ONES}, 3.0),
        ({"y": Foreign(ONES), "x": 3 * ONES}, 4.0),
    ],
)
def test_batches_of_every_kind(batch: Any, expected: float) -> None:
    model = prepared()
    assert Q.calibrate(model, [batch]) == 1
    assert highest(model) == expected


def test_tensors_of_pytorch_and_of_its_loader() -> None:
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.full((6, 3), 4.0), torch.arange(6.0)[:, None])
    model = prepared()
    loader = torch.utils.data.DataLoader(data, batch_size=2)
    assert Q.calibrate(model, loader) == 3
    assert highest(model) == 9.0
    assert Q.calibrate(model, loader, transform=lambda pair: 5 * pair[0], max_batches=1) == 1
    assert highest(model) == 20.0


def test_a_transform_and_a_limit_and_any_iterable() -> None:
    model = prepared()
    pairs: Iterator[Any] = iter([(4 * ONES, "label"), (5 * ONES, "label"), (6 * ONES, "label")])
    assert Q.calibrate(model, pairs, transform=lambda pair: pair[0], max_batches=2) == 2
    assert highest(model) == 5.0


def test_nothing_is_recorded_for_gradients() -> None:
    model = prepared()
    seen: list[bool] = []
    model.fc.register_forward_hook(lambda module, args, y: seen.append(y.requires_grad))
    Q.calibrate(model, [ONES])
    assert seen == [False]


def test_misuse_is_explained() -> None:
    with pytest.raises(ValueError, match="no batch came"):
        Q.calibrate(prepared(), [])
    with pytest.raises(QrsError, match=r"a Net without observers came.*call prepare"):
        Q.calibrate(Net(), [ONES])
    with pytest.raises(ValueError, match=r"tolerance=0\.0"):
        Q.calibrate(prepared(), [ONES], tolerance=0.0)
    with pytest.raises(ValueError, match="patience=0"):
        Q.calibrate(prepared(), [ONES], tolerance=0.1, patience=0)


@pytest.mark.parametrize("data", [ONES, qrs.from_numpy(ONES), Foreign(ONES), {"x": ONES}, "file"])
def test_one_batch_in_place_of_many_is_refused(data: Any) -> None:
    name = type_name(data)
    with pytest.raises(TypeError, match=rf"one {name} came as data.*pass \[data\]"):
        Q.calibrate(prepared(), data)


@pytest.mark.parametrize(
    ("batch", "came"),
    [((ONES, ONES, ONES), "3 inputs"), ([ONES] * 4, "4 inputs"), ({"image": ONES}, "inputs image")],
)
def test_inputs_that_the_model_does_not_take(batch: Any, came: str) -> None:
    what = r"'image'" if isinstance(batch, dict) else "0"
    words = rf"Net\.forward: a batch of {came} came, expected \(x, y\); .*batch: batch\[{what}\]"
    with pytest.raises(TypeError, match=words):
        Q.calibrate(prepared(), [batch])


def test_an_error_of_the_model_itself_is_passed_on() -> None:
    model = prepared()
    model.fc.register_forward_hook(lambda module, args, y: len(3))
    with pytest.raises(TypeError, match="has no len"):
        Q.calibrate(model, [ONES])


@pytest.mark.parametrize("observer", [Q.MinMaxObserver, Q.MSEObserver, Q.HistogramObserver])
def test_it_stops_when_ranges_have_settled(observer: type) -> None:
    growing = [(k + 1) * np.float32([[-1, 0, 1]]) for k in range(5)]
    model = prepared(observer)
    data = iter(growing + [growing[-1]] * 20)
    assert Q.calibrate(model, data, tolerance=0.01, patience=4) == 9
    assert len(list(data)) == 16
    assert Q.calibrate(prepared(observer), growing, tolerance=1e-6, patience=1) == 5
    assert Q.calibrate(prepared(observer), growing) == 5


def test_an_observer_that_never_runs_does_not_hold_up_the_rest() -> None:
    model = prepared()
    model.unused = Q.MinMaxObserver()
    assert Q.calibrate(model, [ONES] * 9, tolerance=0.01, patience=2) == 3


def test_ranges_of_channels_settle_one_by_one() -> None:
    observer = Q.PerChannelMinMaxObserver.with_args(ch_axis=1)
    data = [np.float32([[1, 1, 1]])] * 2 + [np.float32([[1, 1, 9]])] * 6
    assert Q.calibrate(prepared(observer), data, tolerance=0.01, patience=3) == 6


def test_progress_shows_batches_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    Q.calibrate(prepared(), [ONES] * 3)
    assert capsys.readouterr().err == ""
    Q.calibrate(prepared(), [ONES] * 3, progress=True)
    written = capsys.readouterr().err
    lines = [line.strip() for line in written.split("\r") if line]
    assert re.fullmatch(r"calibrate: 1 of 3 batches, \d+\.\d s, \d+\.\d s left", lines[0])
    assert re.fullmatch(r"calibrate: 3 of 3 batches, \d+\.\d s, 0\.0 s left", lines[-1])
    assert written.endswith("\n")
    Q.calibrate(prepared(), iter([ONES]), progress=True)
    assert "calibrate: 1 batches, 0" in capsys.readouterr().err
    Q.calibrate(prepared(), iter([ONES] * 5), progress=True, max_batches=2)
    assert "2 of 2 batches" in capsys.readouterr().err


def test_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    Q.calibrate(prepared(), [ONES])
    assert "1 of 1" in capsys.readouterr().err
    Q.calibrate(prepared(), [ONES], progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("place", ["quant", "fc"])
def test_ctrl_c_finishes_the_batch_and_leaves_a_model_to_convert(place: str) -> None:
    model = prepared()
    calls = 0

    def interrupt(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            signal.raise_signal(signal.SIGINT)

    getattr(model, place).register_forward_pre_hook(interrupt)
    data = iter([k * ONES for k in range(1, 9)])
    with pytest.raises(KeyboardInterrupt, match="stopped after 3 batches"):
        Q.calibrate(model, data)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert highest(model) == 3.0
    reference = prepared()
    reference.fc.load_state_dict(model.fc.state_dict())
    Q.calibrate(reference, [k * ONES for k in range(1, 4)])
    expected, converted = Q.convert(reference), Q.convert(model)
    assert (converted.fc.scale, converted.fc.zero_point) == (
        expected.fc.scale,
        expected.fc.zero_point,
    )
    assert Q.calibrate(model, data) == 5
    assert highest(model) == 8.0


def test_a_second_ctrl_c_stops_at_once() -> None:
    model = prepared()
    after: list[int] = []

    def interrupt(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        after.append(1)

    model.fc.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        Q.calibrate(model, [ONES])
    assert not after
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_s_own_handler_is_left_alone() -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        model = prepared()
        model.fc.register_forward_pre_hook(lambda *_: signal.raise_signal(signal.SIGINT))
        assert Q.calibrate(model, [ONES] * 2) == 2
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught == [signal.SIGINT] * 2


def test_it_runs_outside_of_the_main_thread() -> None:
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(Q.calibrate(prepared(), [ONES] * 2)))
    thread.start()
    thread.join()
    assert done == [2]


def test_an_error_in_the_model_leaves_the_signal_alone() -> None:
    with pytest.raises(QrsError):
        Q.calibrate(prepared(), [np.ones((1, 4), np.float32)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
