from pathlib import Path

import pytest

from osmo.agent.position import Position

BEFORE, BATCH = b"first\n", b"second\nthird\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def position(tmp_path: Path, log: Path) -> Position:
    """The output's bytes 100 to 200 are about to become `BATCH` behind `BEFORE`."""
    found = Position(tmp_path / "position", log)
    found.note(100, 200, len(BEFORE), len(BEFORE + BATCH))
    return found


@pytest.mark.parametrize(
    ("written", "go_on_at", "left"),
    [
        (BEFORE, 100, BEFORE),  # killed before the write
        (BEFORE + BATCH[:9], 100, BEFORE),  # in the middle of it
        (BEFORE + BATCH, 200, BEFORE + BATCH),  # after it
        (BEFORE + BATCH + b"ours\n", 200, BEFORE + BATCH + b"ours\n"),
        (b"", 100, b""),  # somebody has emptied the log
    ],
)
def test_where_to_go_on(position: Position, log: Path, written: bytes, go_on_at: int, left: bytes) -> None:
    log.write_bytes(written)
    assert position.recover() == go_on_at
    assert log.read_bytes() == left


def test_what_was_found_holds_though_more_is_logged_before_the_next_note(position: Position, log: Path) -> None:
    log.write_bytes(BEFORE)
    assert position.recover() == 100
    log.write_bytes(BEFORE + b"a long line of ours, longer than the batch would have been\n")
    assert position.recover() == 100


def test_nothing_was_noted(tmp_path: Path, log: Path) -> None:
    assert Position(tmp_path / "position", log).recover() is None
    (tmp_path / "position").write_bytes(b"half")
    assert Position(tmp_path / "position", log).recover() is None


def test_a_note_that_cannot_be_made_stops_nobody(tmp_path: Path, log: Path) -> None:
    Position(tmp_path / "no" / "position", log).note(0, 1, 0, 1)
