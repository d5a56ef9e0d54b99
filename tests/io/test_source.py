"""Reading exact ranges of a file."""

import io

import numpy as np
import pytest

from qrs.errors import FormatError
from qrs.io.source import Source, open_source


class Dribble(io.BytesIO):
    """Gives one byte at a time into a buffer, as a pipe may."""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return super().readinto(buffer[:1])


class Shrunk(io.BytesIO):
    """Says it is longer than it is, as a file that another process cuts."""

    def seek(self, offset: int, whence: int = 0) -> int:
        return super().seek(offset, whence) + (10 if whence == 2 else 0)


def test_array_is_read_from_a_file_that_gives_little_at_a_time() -> None:
    data = np.arange(5, dtype=np.int32)
    source = Source(Dribble(data.tobytes()), "file")
    assert source.read_array(4, (2, 2), np.dtype("<i4")).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(("offset", "count"), [(-1, 1), (0, 4), (3, 1), (2**63, 1), (0, -1)])
def test_range_outside_of_the_file_is_refused(offset: int, count: int) -> None:
    with pytest.raises(FormatError, match="came 3 bytes"):
        Source(io.BytesIO(b"abc"), "file").read(offset, count)


def test_array_outside_of_the_file_is_refused_before_it_is_allocated() -> None:
    with pytest.raises(FormatError, match="cut short"):
        Source(io.BytesIO(b"abc"), "file").read_array(0, (2**40, 2**20), np.dtype("f4"))


def test_file_that_shrinks_while_it_is_read_is_refused() -> None:
    source = Source(Shrunk(b"abc"), "file")
    with pytest.raises(FormatError, match="cut short"):
        source.read(0, 8)
    with pytest.raises(FormatError, match="cut short"):
        source.read_array(0, (8,), np.dtype("u1"))


def test_text_file_is_refused() -> None:
    with pytest.raises(TypeError, match="came a StringIO"), open_source(io.StringIO("a")):  # type: ignore[arg-type]
        pass


def test_name_of_the_file_begins_the_message() -> None:
    with open_source(io.BytesIO(b"")) as source:
        assert str(source.fail("problem")) == "qrs.load: BytesIO: problem"
