import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from osmo.checkpoint import pagecache
from osmo.checkpoint.reader import Reader
from osmo.checkpoint.tree import Stat

SIZE = 40 * 1024 * 1024


@contextmanager
def written(path: Path, size: int) -> Iterator[int]:
    """A file that is on the disk, and in memory."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.write(descriptor, os.urandom(1) * size)
        os.fsync(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[int]:
    with written(tmp_path / "other", SIZE) as other:
        pagecache.drop(other, 0, SIZE)
        if not pagecache.is_cold(other, SIZE):
            pytest.skip("this file system keeps all of it in memory, or does not say")
    with written(tmp_path / "model.pt", SIZE) as descriptor:
        yield descriptor


def read(descriptor: int) -> None:
    for _ in Reader(descriptor, "model.pt", Stat.of(os.fstat(descriptor)), SIZE).parts(8 * 1024 * 1024):
        pass


def test_what_had_to_come_from_the_disk_leaves_memory_again(opened: int) -> None:
    pagecache.drop(opened, 0, SIZE)
    read(opened)
    assert pagecache.is_cold(opened, SIZE)


def test_what_the_task_has_just_written_or_read_stays(opened: int) -> None:
    read(opened)
    assert not pagecache.is_cold(opened, SIZE)


def test_a_file_of_which_a_part_is_in_memory_stays_as_it_is(opened: int) -> None:
    pagecache.drop(opened, 0, SIZE // 4)
    read(opened)
    os.preadv(opened, [bytearray(1)], 0, os.RWF_NOWAIT)


def test_about_a_small_file_nobody_is_asked(tmp_path: Path) -> None:
    with written(tmp_path / "small", 4096) as small:
        pagecache.drop(small, 0, 4096)
        assert not pagecache.is_cold(small, 4096)
