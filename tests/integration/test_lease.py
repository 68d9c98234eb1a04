"""Files that another process has open for writing."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.checkpoint.lease import open_for_writing
from support.other import Other, other

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(bytes(8192))
    return path


@pytest.fixture
def writer(path: Path) -> Iterator[Other]:
    with other() as process:
        process.do(f"import mmap, os; path = {str(path)!r}")
        yield process


def asked(path: Path) -> bool:
    with path.open("rb") as file:
        return open_for_writing(file.fileno())


def test_a_writer_that_says_nothing_for_a_while_is_seen_until_it_closes(path: Path, writer: Other) -> None:
    writer.do("file = open(path, 'r+b')")
    assert asked(path)
    writer.do("file.close()")
    assert not asked(path)


@pytest.mark.parametrize("end", ["mapped.close()", None])
def test_a_map_is_seen_until_it_goes(path: Path, writer: Other, end: str | None) -> None:
    writer.do("file = open(path, 'r+b'); mapped = mmap.mmap(file.fileno(), 0); file.close()")
    assert asked(path)
    writer.do(end) if end else writer.kill()
    assert not asked(path)


@pytest.mark.parametrize(
    "opened",
    [
        "file = open(path, 'rb')",
        "file = open(path, 'rb'); mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)",
        "file = open(path, 'rb'); mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)",
    ],
)
def test_a_reader_is_no_writer(path: Path, writer: Other, opened: str) -> None:
    writer.do(opened)
    assert not asked(path)


def test_what_replaced_a_file_that_is_written_has_no_writer(path: Path, writer: Other) -> None:
    writer.do("file = open(path, 'r+b'); open(path + '.new', 'wb').close(); os.rename(path + '.new', path)")
    assert not asked(path)
