import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from osmo.checkpoint.reader import Reader, Whole
from osmo.checkpoint.tree import Stat
from osmo.errors import FileMoved

CONTENT = bytes(range(100))


class Open:
    """A file at rest, open for reading. written: what is said of writers, one answer after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(CONTENT)
        self.descriptor = os.open(path, os.O_RDONLY)
        self.stat = Stat.of(os.fstat(self.descriptor))
        self.written: list[bool] = []

    def whole(self, *, tolerant: bool = False) -> Whole:
        return Whole(
            self.descriptor,
            "f",
            self.stat,
            lambda: self.written.pop(0) if self.written else False,
            tolerant=tolerant,
        )


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Open]:
    opened = Open(tmp_path / "f")
    yield opened
    os.close(opened.descriptor)


@pytest.mark.parametrize(("part_size", "want"), [(1000, [100]), (100, [100]), (30, [30, 30, 30, 10])])
def test_a_file_comes_in_parts_again_and_again(file: Open, part_size: int, want: list[int]) -> None:
    reader = file.whole()
    for _ in range(2):
        parts = list(reader.parts(part_size))
        assert [len(part) for part in parts] == want
        assert b"".join(parts) == CONTENT
        assert (reader.digest, reader.size, reader.torn) == (blake3(CONTENT).hexdigest(), 100, False)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x")
    os.utime(path, ns=(1, 1))


def cut(path: Path) -> None:
    os.truncate(path, 35)


@pytest.mark.parametrize("change", [append, rewrite, cut])
@pytest.mark.parametrize("after", [0, 1, 3, 4])
def test_whatever_is_done_to_a_file_ends_the_pass(file: Open, change: object, after: int) -> None:
    parts = file.whole().parts(30)
    for _ in range(after):
        next(parts)
    assert callable(change)
    change(file.path)
    with pytest.raises(FileMoved):
        list(parts)


@pytest.mark.parametrize("answers", [[True], [False, True]])
def test_a_writer_before_the_first_byte_or_after_the_last_ends_the_pass(file: Open, answers: list[bool]) -> None:
    file.written = answers
    with pytest.raises(FileMoved):
        list(file.whole().parts(30))


def unlink(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(b"new")
    path.with_name("new").rename(path)


def link(path: Path) -> None:
    os.link(path, path.with_name("another"))


@pytest.mark.parametrize("change", [unlink, replace, link])
@pytest.mark.parametrize("after", [0, 1, 3, 4])
def test_names_that_come_and_go_do_not_disturb_the_file_that_is_open(file: Open, change: object, after: int) -> None:
    parts = file.whole().parts(30)
    got = b"".join(next(parts) for _ in range(after))
    assert callable(change)
    change(file.path)
    assert got + b"".join(parts) == CONTENT


def test_a_rewrite_after_a_rename_ends_the_pass(file: Open) -> None:
    with file.path.open("r+b") as writer:
        parts = file.whole().parts(30)
        next(parts)
        replace(file.path)
        next(parts)
        writer.write(b"x")
        writer.flush()
        os.utime(writer.fileno(), ns=(1, 1))
        with pytest.raises(FileMoved):
            list(parts)


@pytest.mark.parametrize("change", [append, rewrite, cut])
def test_when_there_is_no_later_what_is_there_is_taken_and_called_torn(file: Open, change: object) -> None:
    reader = file.whole(tolerant=True)
    parts = reader.parts(30)
    got = next(parts)
    assert callable(change)
    change(file.path)
    got += b"".join(parts)
    assert reader.torn
    assert got == CONTENT[: 35 if change is cut else 100]
    assert (reader.size, reader.digest) == (len(got), blake3(got).hexdigest())


def test_when_there_is_no_later_a_writer_makes_it_torn(file: Open) -> None:
    file.written = [False, True]
    reader = file.whole(tolerant=True)
    assert b"".join(reader.parts(30)) == CONTENT
    assert reader.torn


def test_a_copy_of_ours_is_read_as_it_is(file: Open) -> None:
    reader = Reader(file.descriptor, "f", file.stat, 100)
    parts = reader.parts(60)
    got = next(parts)
    append(file.path)
    assert got + b"".join(parts) == CONTENT
