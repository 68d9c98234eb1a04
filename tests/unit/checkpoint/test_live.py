import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint import live
from osmo.checkpoint.live import LiveNames, Prefix
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.tree import Stat
from osmo.errors import FileMoved

EVENTS = "runs/a/events.out.tfevents.1700000000.host"


def event(data: bytes) -> bytes:
    """A record as TensorFlow frames it; the checksums are not looked at."""
    return len(data).to_bytes(8, "little") + b"crc1" + data + b"crc2"


def stored(content: bytes, *, is_live: bool = True) -> FileRecord:
    return FileRecord("f", len(content), 0o600, 1, blake3(content).hexdigest(), "k", "e", live=is_live)


class Open:
    """A file with a descriptor for reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self.descriptor = os.open(path, os.O_RDONLY)

    def holds(self, content: bytes) -> None:
        self.path.write_bytes(content)

    def whole(self, name: str, known: FileRecord | None = None) -> int:
        return live.whole(self.descriptor, name, self.path.stat().st_size, known)

    def prefix(self, size: int, known: FileRecord | None = None) -> Prefix:
        return Prefix(self.descriptor, "a.log", Stat.of(os.fstat(self.descriptor)), size, known)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Open]:
    opened = Open(tmp_path / "file")
    yield opened
    os.close(opened.descriptor)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("train.log", True),
        ("deep/down/metrics.jsonl", True),
        (EVENTS, True),
        ("slurm-17.out", True),
        ("slurm-17.err", True),
        ("a.ndjson", True),
        ("model.pt", False),
        ("a.log.gz", False),
        ("train.log/model.pt", False),
        ("progress.csv", False),
    ],
)
def test_live_files_go_by_the_last_part_of_their_name(name: str, want: bool) -> None:
    assert LiveNames()(name) == want


def test_a_setting_adds_names() -> None:
    assert LiveNames(["*.csv"])("deep/progress.csv")


@pytest.mark.parametrize(
    ("content", "want"),
    [(b"", 0), (b"half", 0), (b"one\n", 4), (b"one\ntw", 4), (b"one\ntwo\n", 8), (b"\n", 1), (b"\0\xff\nx", 3)],
)
def test_a_log_ends_with_its_last_whole_line(file: Open, content: bytes, want: int) -> None:
    file.holds(content)
    assert file.whole("a.log") == want


def test_behind_what_is_stored_no_line_may_have_ended(file: Open) -> None:
    file.holds(b"one\nno newline")
    assert file.whole("a.log", stored(b"one\nno")) == len(b"one\nno")


def test_a_line_longer_than_one_look_is_found(file: Open) -> None:
    file.holds(b"one\n" + bytes(3 * 1024 * 1024 + 17))
    assert file.whole("a.log") == 4


@pytest.mark.parametrize("cut", range(len(event(b"three")) + 1))
def test_an_event_file_ends_with_its_last_whole_event(file: Open, cut: int) -> None:
    whole = event(b"one") + event(b"two\ntwo")
    third = event(b"three")
    file.holds(whole + third[:cut])
    assert file.whole(EVENTS) == len(whole) + (len(third) if cut == len(third) else 0)


def test_events_larger_than_one_look_are_skipped_by_their_length(file: Open) -> None:
    content = b"".join(event(os.urandom(size)) for size in (5, 3 * 1024 * 1024, 2**20 - 16, 1, 2**20 - 12, 7))
    file.holds(content + event(b"more")[:-1])
    assert file.whole(EVENTS) == len(content)


def test_space_that_was_only_reserved_holds_no_events(file: Open) -> None:
    file.holds(event(b"one") + bytes(4096))
    assert file.whole(EVENTS) == len(event(b"one"))


def test_events_are_counted_from_what_is_stored_if_that_ended_with_one(file: Open) -> None:
    one, two = event(b"one"), event(b"two")
    file.holds(b"?" * len(one) + two)  # the beginning is not read again
    assert file.whole(EVENTS, stored(one)) == len(one + two)
    file.holds(one + two)
    assert file.whole(EVENTS, stored(one + two[:3], is_live=False)) == len(one + two)


@given(
    old=st.binary(max_size=50),
    new=st.binary(max_size=50),
    later=st.binary(max_size=9),
    part_size=st.integers(1, 60),
)
def test_the_prefix_goes_up_in_parts_with_its_digest(
    tmp_path_factory: pytest.TempPathFactory, old: bytes, new: bytes, later: bytes, part_size: int
) -> None:
    file = Open(tmp_path_factory.getbasetemp() / "growing")
    try:
        file.holds(old + new + later)
        prefix = file.prefix(len(old + new), stored(old))
        parts = list(prefix.parts(part_size))
        assert b"".join(parts) == old + new
        assert {len(part) for part in parts[:-1]} <= {part_size}
        assert prefix.digest == blake3(old + new).hexdigest()
    finally:
        os.close(file.descriptor)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (b"one\ntwo\n", b"new\n"),  # rotated: shorter
        (b"one\ntwo\n", b"ONE\ntwo\nthree\n"),  # rewritten
        (b"one\ntwo\n", b"ONE\ntwo\n"),  # rewritten, just as long
    ],
)
def test_what_does_not_go_on_from_what_is_stored_is_no_live_file_any_more(
    file: Open, before: bytes, now: bytes
) -> None:
    file.holds(now)
    with pytest.raises(FileMoved):
        list(file.prefix(len(now), stored(before)).parts(3))


def test_of_a_rewritten_file_no_part_beyond_the_stored_ones_is_given(file: Open) -> None:
    file.holds(b"ONE\ntwo\nthree\nfour\n")
    parts = file.prefix(19, stored(b"one\ntwo\n")).parts(4)
    assert next(parts) == b"ONE\n"
    with pytest.raises(FileMoved):
        next(parts)


@pytest.mark.parametrize("kept", [0, 3, 6])
def test_a_file_that_is_cut_while_it_is_read_is_not_stored(file: Open, kept: int) -> None:
    file.holds(b"one\ntwo\n")
    parts = file.prefix(8).parts(4)
    next(parts)
    os.truncate(file.path, kept)
    with pytest.raises(FileMoved):
        list(parts)


def test_a_file_that_is_cut_after_its_last_byte_was_read_is_not_stored(file: Open) -> None:
    file.holds(b"one\ntwo\n")
    parts = file.prefix(8).parts(8)
    next(parts)
    file.holds(b"")
    with pytest.raises(FileMoved):
        next(parts)
