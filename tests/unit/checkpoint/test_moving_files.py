"""What becomes of files that are being written when a cycle comes."""

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from osmo.checkpoint.events import Holding
from osmo.checkpoint.manifest import Trigger
from support.stores import Request
from unit.checkpoint.rig import Rig

linux = pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def stored(rig: Rig) -> dict[str, bytes]:
    """What the newest checkpoint holds."""
    rig.check()
    return {file["name"]: rig.memory.objects[file["place"]] for file in rig.newest["files"]}


def flags(rig: Rig) -> dict[str, list[str]]:
    """The files of the newest checkpoint that have any."""
    return {file["name"]: file["flags"] for file in rig.newest["files"] if "flags" in file}


class Busy:
    """Somebody who writes whenever we wait, `times` times. Then, `after`."""

    def __init__(self, rig: Rig, name: str, times: int, after: Callable[[], None] = lambda: None) -> None:
        self.rig = rig
        self.name = name
        self.left = times
        self.after = after
        rig.clock.meanwhile = self

    def __call__(self) -> None:
        if self.left:
            self.left -= 1
            self.rig.grow({self.name: f"{self.name} unfinished {self.left}"})
            return
        self.after()


def of(*events: Any) -> list[Holding]:
    return [event for event in events if isinstance(event, Holding)]


def test_a_file_of_the_last_checkpoint_that_is_rewritten_holds_the_commit_until_it_rests(rig: Rig) -> None:
    rig.grow({"model": "1", "optimizer": "1"})
    rig.cycle()
    rig.grow({"model": "unfinished", "optimizer": "2"})
    Busy(rig, "model", 4)
    rig.cycle()
    assert rig.newest["checkpoint"] == 2
    assert stored(rig) == {"model": b"model unfinished 0", "optimizer": b"2"}
    assert flags(rig) == {}
    assert of(*rig.events) == [Holding(("model",), 8.0)]
    assert rig.clock.waits[-4:] == [1.0] * 4  # three writes, and two looks that are the same


def test_while_the_commit_is_held_the_others_are_sent(rig: Rig) -> None:
    rig.grow({"model": "1", "optimizer": "1"})
    rig.cycle()
    rig.grow({"model": "unfinished", "optimizer": "2", "new": "2"})
    seen: list[bool] = []

    def write() -> None:
        seen.append(b"2" in rig.memory.objects.values())
        rig.grow({"model": "x" * len(seen)})

    rig.clock.meanwhile = write
    rig.cycle()
    assert (seen[0], seen[-1]) == (False, True)
    assert rig.newest["checkpoint"] == 2


def test_patience_ends_and_the_commit_is_made_without_it(rig: Rig) -> None:
    rig.grow({"model": "1", "optimizer": "1"})
    rig.cycle()
    began = rig.clock.monotonic()
    rig.grow({"model": "unfinished", "optimizer": "2"})
    Busy(rig, "model", 1000)
    assert rig.stream.cycle(rig.entries, Trigger.INTERVAL, rig.stop)
    assert rig.clock.monotonic() - began == rig.entries[0].frequency_s
    assert stored(rig) == {"model": b"1", "optimizer": b"2"}
    assert flags(rig) == {"model": ["deferred"]}
    assert rig.committed.deferred == ("model",)


def test_a_file_that_had_its_time_does_not_hold_the_next_commit(rig: Rig) -> None:
    rig.grow({"model": "1", "optimizer": "1"})
    rig.cycle()
    rig.grow({"model": "unfinished"})
    busy = Busy(rig, "model", 1000)
    rig.cycle()
    rig.grow({"optimizer": "3"})
    rig.events.clear()
    rig.cycle()
    assert of(*rig.events) == []
    assert stored(rig) == {"model": b"1", "optimizer": b"3"}
    busy.left = 0
    rig.cycle()
    assert flags(rig) == {}
    rig.grow({"model": "unfinished again"})
    Busy(rig, "model", 3)
    rig.cycle()
    assert len(of(*rig.events)) == 1  # since then it was whole, so it holds again


def test_nobody_waits_for_a_new_file(rig: Rig) -> None:
    rig.grow({"model": "1"})
    rig.cycle()
    rig.grow({"model": "2", "new": "unfinished"})
    Busy(rig, "new", 1000)
    assert rig.stream.cycle(rig.entries, Trigger.INTERVAL, rig.stop)
    assert of(*rig.events) == []
    assert stored(rig) == {"model": b"2"}
    assert rig.newest["left_out"] == ["new"]


def test_after_a_hold_the_folder_is_committed_as_it_is_then(rig: Rig) -> None:
    """The writer saved one step while the cycle began, and another one before it could commit."""
    rig.grow({"model": "1", "optimizer": "1", "old": "1"})
    rig.cycle()
    rig.grow({"model": "unfinished", "optimizer": "2"})

    def another_step() -> None:
        if (rig.folder / "old").exists():
            (rig.folder / "old").unlink()
            rig.grow({"optimizer": "3", "newest": "3"})

    Busy(rig, "model", 3, another_step)
    rig.cycle()
    assert stored(rig) == {"model": b"model unfinished 0", "optimizer": b"3", "newest": b"3"}


def test_a_file_that_is_deleted_while_it_holds_the_commit_is_gone(rig: Rig) -> None:
    rig.grow({"model": "1", "optimizer": "1"})
    rig.cycle()
    rig.grow({"model": "unfinished", "optimizer": "2"})
    Busy(rig, "model", 3, lambda: (rig.folder / "model").unlink(missing_ok=True))
    rig.cycle()
    assert stored(rig) == {"optimizer": b"2"}


@pytest.mark.parametrize("deadline_s", [5000.0, 1003.0])
def test_under_a_deadline_nothing_is_held(rig: Rig, deadline_s: float) -> None:
    rig.grow({"model": "1", "optimizer": "1"})
    rig.cycle()
    rig.grow({"model": "unfinished", "optimizer": "2"})
    Busy(rig, "model", 1000)
    rig.stream.deadline_s = rig.clock.monotonic() + deadline_s
    rig.cycle()
    assert of(*rig.events) == []
    assert stored(rig) == {"model": b"1", "optimizer": b"2"}


def test_a_deadline_that_comes_ends_the_hold(rig: Rig) -> None:
    rig.grow({"model": "1", "optimizer": "1"})
    rig.cycle()
    rig.grow({"model": "unfinished", "optimizer": "2"})
    busy = Busy(rig, "model", 4, lambda: None)

    def hurry() -> None:
        busy()
        if len(of(*rig.events)) == 1:
            rig.stream.deadline_s = rig.clock.monotonic() + 100

    rig.clock.meanwhile = hurry
    rig.cycle()
    assert flags(rig) == {"model": ["deferred"]}


def test_the_end_of_the_command_ends_the_hold_without_a_commit(rig: Rig) -> None:
    rig.grow({"model": "1", "optimizer": "1"})
    rig.cycle()
    rig.grow({"model": "unfinished", "optimizer": "2"})
    busy = Busy(rig, "model", 1000)

    def stop() -> None:
        busy()
        if of(*rig.events):
            rig.stop.set()

    rig.clock.meanwhile = stop
    rig.cycle()
    assert rig.newest["checkpoint"] == 1
    rig.clock.meanwhile = lambda: None
    rig.finish()
    assert stored(rig)["optimizer"] == b"2"
    assert flags(rig) == {}


@linux
def test_a_file_that_rests_half_written_waits_for_its_writer_to_close_it(rig: Rig) -> None:
    rig.grow({"other": "1"})
    with (rig.folder / "model").open("wb") as writer:
        writer.write(b"half")
        writer.flush()
        for _ in range(3):
            rig.cycle()
            rig.clock.advance(100)
        assert stored(rig) == {"other": b"1"}
        assert rig.contents.keys() == {"ckpt/other"}
        writer.write(b" and half")
    rig.cycle()
    assert stored(rig)["model"] == b"half and half"


@linux
def test_a_file_that_is_held_open_is_waited_for_without_walking_the_folder_again(rig: Rig) -> None:
    rig.grow({"model": "1"})
    rig.cycle()
    walks = len(rig.looked)
    with (rig.folder / "model").open("wb") as writer:
        writer.write(b"half")
        writer.flush()
        rig.cycle()
    assert len(rig.looked) == walks + 1
    assert rig.clock.waits[-3:] == [1.0] * 3


@linux
def test_a_writer_that_comes_while_the_file_is_sent_ends_the_upload(rig: Rig) -> None:
    rig.grow({"model": b"0" * (9 * 2**20)})
    writers: list[BinaryIO] = []

    def open_it(_request: Request) -> None:
        if not writers:
            writers.append((rig.folder / "model").open("r+b"))

    rig.asked.then = open_it
    rig.cycle()
    assert writers
    assert rig.contents == {}
    writers[0].close()
    rig.cycle()
    assert rig.contents.keys() == {"ckpt/model"}


@linux
def test_a_file_that_was_replaced_by_rename_is_read_to_its_end_and_its_successor_later(rig: Rig) -> None:
    old, new = b"0" * (17 * 2**20), b"1" * (17 * 2**20)
    rig.grow({"model": old})

    def replace(request: Request) -> None:
        if request.method == "put_parts":
            rig.grow({"model.new": new})
            (rig.folder / "model.new").rename(rig.folder / "model")
            rig.asked.then = lambda request: None

    rig.asked.then = replace
    rig.cycle()
    assert stored(rig) == {"model": old}
    rig.cycle()
    assert stored(rig) == {"model": new}


@linux
def test_a_live_file_is_stored_up_to_its_last_whole_line_while_it_is_open(rig: Rig) -> None:
    rig.grow({"model": "1"})
    with (rig.folder / "train.log").open("wb", buffering=0) as writer:
        for line in ("one\ntw", "o\nthree\nf", "our"):
            writer.write(line.encode())
            rig.cycle()
        assert stored(rig)["train.log"] == b"one\ntwo\nthree\n"
        assert flags(rig) == {"train.log": ["live"]}
        assert rig.newest["checkpoint"] == 2  # the last piece of a line was none
        rig.cycle()
        assert rig.newest["checkpoint"] == 2
    rig.clock.advance(5)
    rig.cycle()  # closed: it is a file like any other
    assert stored(rig)["train.log"] == b"one\ntwo\nthree\nfour"
    assert flags(rig) == {}


def test_a_live_file_that_grows_all_the_time_holds_nothing_and_is_not_waited_for(rig: Rig) -> None:
    lines = 0

    def grow() -> None:
        nonlocal lines
        lines += 1
        rig.grow({"metrics.jsonl": "{}\n" * lines})

    grow()
    rig.clock.meanwhile = grow
    for _ in range(3):
        rig.cycle()
        grow()
    assert rig.clock.waits == []
    assert stored(rig)["metrics.jsonl"] == b"{}\n" * (lines - 1)
    assert rig.newest["checkpoint"] == 3


def test_a_live_file_that_was_rewritten_waits_like_any_file(rig: Rig) -> None:
    rig.grow({"train.log": "one\ntwo\n"})
    rig.cycle()
    rig.grow({"train.log": "ONE\ntwo\nthree\n"})
    rig.clock.meanwhile = lambda: rig.grow({"train.log": (rig.folder / "train.log").read_bytes() + b"more\n"})
    rig.cycle()
    assert of(*rig.events) == []
    rig.grow({"model": "1"})
    rig.cycle()
    assert stored(rig) == {"train.log": b"one\ntwo\n", "model": b"1"}
    assert "deferred" in flags(rig)["train.log"]
    rig.clock.meanwhile = lambda: None
    rig.cycle()
    rig.clock.advance(5)
    rig.cycle()
    assert stored(rig)["train.log"] == (rig.folder / "train.log").read_bytes()


def test_the_last_checkpoint_has_the_last_piece_of_a_line_too(rig: Rig) -> None:
    rig.grow({"train.log": "one\ntw"})
    rig.cycle()
    assert stored(rig) == {"train.log": b"one\n"}
    rig.finish()
    assert stored(rig) == {"train.log": b"one\ntw"}
    assert flags(rig) == {}


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
@linux
def test_a_database_in_use_is_in_every_checkpoint(rig: Rig, tmp_path: Path, mode: str) -> None:
    rig.folder.mkdir()
    with closing(sqlite3.connect(rig.folder / "study.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE t (a)")
        for row in range(3):
            connection.execute("INSERT INTO t VALUES (?)", [row])
            rig.cycle()
            assert rig.names == ["study.db"]
            assert flags(rig) == {}
            (tmp_path / "restored.db").write_bytes(stored(rig)["study.db"])
            with closing(sqlite3.connect(tmp_path / "restored.db")) as restored:
                assert restored.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert restored.execute("SELECT max(a) FROM t").fetchone() == (row,)
        records = rig.newest["checkpoint"]
        assert rig.cycle() == []
        assert rig.newest["checkpoint"] == records
    rig.finish()
    assert rig.names == ["study.db"]
    assert not list(tmp_path.glob("scratch/*"))
