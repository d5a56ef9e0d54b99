"""No hostile file is loaded, run, or allowed to take much time or memory."""

import ast
import io
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import qrs
from qrs.errors import FormatError

from .attacks import all_attacks, good_files, zipped_bomb

ATTACKS = all_attacks()
LIBRARY = Path(qrs.io.__file__).parent
MIB = 1 << 20


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_for_its_reason(name: str) -> None:
    data, error, message = ATTACKS[name]
    begin = time.thread_time()
    with pytest.raises(error, match=message) as caught:
        qrs.load(io.BytesIO(data))
    assert type(caught.value) is error
    # The slowest takes 0.3 s on a quiet machine.
    assert time.thread_time() - begin < 2.0


@pytest.mark.parametrize(
    "name",
    [
        "safetensors_length_2_63",
        "safetensors_shape_empty_huge",
        "tensor_expanded",
        "tensor_size_overflow",
        "tensor_copies_multiply",
        "zip_directory_size",
        "legacy_no_room",
    ],
)
def test_refused_file_takes_little_memory(name: str) -> None:
    _assert_refused_within(64 * MIB, ATTACKS[name][0])


def test_compressed_archive_is_not_inflated() -> None:
    _assert_refused_within(MIB, zipped_bomb())


def _assert_refused_within(peak: int, data: bytes) -> None:
    file = io.BytesIO(data)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            qrs.load(file)
        assert tracemalloc.get_traced_memory()[1] < peak + 2 * len(data)
    finally:
        tracemalloc.stop()


_events: list[tuple[str, object]] = []
_listening = [False]


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if _listening[0]:
        _events.append((event, arguments[0] if arguments else None))


@pytest.fixture(scope="module")
def audited() -> Iterator[list[tuple[str, object]]]:
    # An audit hook cannot be removed, so this one is silenced after the test.
    sys.addaudithook(_listen)
    yield _events
    _listening[0] = False


def test_loading_opens_the_file_and_does_nothing_else(
    audited: list[tuple[str, object]], tmp_path: Path
) -> None:
    files = {name: attack[0] for name, attack in ATTACKS.items()} | good_files()
    paths = []
    for name, data in files.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    for path in paths:
        _listening[0] = True
        try:
            qrs.load(path)
        except FormatError:
            pass
        finally:
            _listening[0] = False
    # `id` is audited too; the search for containers that hold themselves uses it.
    events = [(event, what) for event, what in audited if event != "builtins.id"]
    assert {event for event, _ in events} == {"open"}
    assert sorted(str(opened) for _, opened in events) == sorted(map(str, paths))


def test_package_has_no_means_to_run_a_file() -> None:
    allowed = set(sys.stdlib_module_names) - {
        *("pickle", "marshal", "ctypes", "importlib", "subprocess", "socket", "runpy", "shelve"),
        *("codeop", "code", "multiprocessing", "urllib", "http", "pickletools", "zipfile"),
    }
    for path in LIBRARY.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names):
                    modules = [name.name for name in names]
                case ast.ImportFrom(module=module):
                    modules = [module or ""]
                case ast.Name(id):
                    assert id not in {"eval", "exec", "compile", "__import__", "globals"}, path
                    continue
                case _:
                    continue
            for module in modules:
                assert module.split(".")[0] in allowed | {"numpy", "qrs"}, (path, module)


@pytest.mark.parametrize("name", good_files())
def test_every_truncation_is_refused(name: str) -> None:
    data = good_files()[name]
    for length in range(len(data)):
        with pytest.raises(FormatError):
            qrs.load(io.BytesIO(data[:length]))


@pytest.mark.parametrize("name", good_files())
def test_mutated_file_is_refused_with_a_format_error_or_loads(name: str) -> None:
    data = good_files()[name]
    random = np.random.default_rng(20260)
    refused = 0
    for _ in range(1500):
        mutated = bytearray(data)
        for _ in range(random.integers(1, 4)):
            mutated[random.integers(len(data))] = random.choice(
                [0, 1, 0x7F, 0x80, 0xFF, *b".]}(hRQ"]
            )
        try:
            qrs.load(io.BytesIO(mutated))
        except FormatError:
            refused += 1
    assert refused > 500
