from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from osmo.agent.say import Narrator
from osmo.checkpoint.events import (
    Begun,
    Committed,
    Event,
    Failed,
    Finished,
    Holding,
    Looked,
    Progressed,
    Restored,
    Unchanged,
)
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import Table
from osmo.checkpoint.tree import Stat
from osmo.errors import NoBucket
from osmo.logs.write import LogWriter
from support.clock import FakeClock
from unit.checkpoint.records import checkpoint, file

MIB = 1024 * 1024
SAVED = Table.of([Saved(Stat(MIB, 1, 1, 1, 1), FileRecord("a", MIB, 1, 1, "d", "a", "e"))])


class Telling:
    def __init__(self, tmp_path: Path, path: str = "/ckpt") -> None:
        self.clock = FakeClock()
        self._log = tmp_path / "log"
        self._narrator = Narrator(path, "s3://b/x", LogWriter(self._log, "train", 0, self.clock), self.clock)

    def __call__(self, *events: Event) -> list[str]:
        """What is said of these events, without the beginning of each line."""
        self._log.write_text("")
        for event in events:
            self._narrator(event)
        return [line.partition("[osmo] ")[2] for line in self._log.read_text().splitlines()]


@pytest.fixture
def tell(tmp_path: Path) -> Telling:
    return Telling(tmp_path)


def committed(number: int = 1, **facts: object) -> Committed:
    usual = {
        "saved": SAVED,
        "sent_files": 1,
        "sent_size": MIB,
        "seconds": 0.5,
        "deferred": (),
        "left_out": (),
        "gone": 0,
        "unsent": (),
        "problems": {},
    }
    return Committed(number=number, **{**usual, **facts})  # type: ignore[arg-type]


def unchanged(
    files: int = 1, moving: int = 0, exists: bool = True, problems: Mapping[str, str] | None = None
) -> Unchanged:
    return Unchanged(SAVED, files, moving, exists, problems or {})


def test_a_checkpoint_is_said_in_the_four_lines_and_a_summary(tell: Telling) -> None:
    assert tell(Begun(), Progressed(MIB, MIB, 1.0, "/ckpt/a"), committed(), Finished()) == [
        "Checkpointing data from /ckpt to s3://b/x...",
        "100%| 1.00M/1.00M [00:01<00:00, 1.05MB/s, file_name=/ckpt/a]",
        "2025-04-22T23:57:13+0000 client [INFO] data: Data has been uploaded",
        "Checkpointing data from /ckpt to s3://b/x finished",
        "Checkpoint 1: 1 file, 1.0 MB; uploaded 1 file, 1.0 MB in 0.5 s",
    ]


def test_a_commit_that_uploaded_nothing_says_only_its_summary(tell: Telling) -> None:
    assert tell(committed(sent_files=0, sent_size=0, gone=2), Finished()) == [
        "Checkpoint 1: 1 file, 1.0 MB; uploaded 0 files, 0 B in 0.5 s; 2 files gone"
    ]


def test_an_upload_whose_commit_comes_only_in_a_later_cycle_is_said_to_its_end(tell: Telling) -> None:
    tell(Begun(), Failed(NoBucket("no bucket"), 1, 5.0))
    said = tell(committed(), Finished())
    assert said[0].endswith("Data has been uploaded")
    assert said[1].endswith("finished")
    assert len(said) == 3


def test_what_is_not_in_it_as_it_is_now_is_named(tell: Telling) -> None:
    [summary] = tell(committed(deferred=("a",), left_out=("b", "c", "d", "e")), Finished())
    assert "kept as before while being written: a;" in summary
    assert summary.endswith("left out while being written: b, c, d and 1 more")


def test_an_idle_cycle_is_silent_but_for_a_line_an_hour(tell: Telling) -> None:
    tell(Begun(), committed(), Finished())
    tell.clock.advance(3599)
    assert tell(unchanged()) == []
    tell.clock.advance(1)
    assert tell(unchanged()) == ["/ckpt: nothing has changed; checkpoint 1 is 1:00:00 old"]
    assert tell(unchanged()) == []


def test_a_checkpoint_of_a_machine_whose_clock_is_ahead_is_not_younger_than_new(tell: Telling) -> None:
    made = tell.clock.now() + timedelta(hours=5)
    tell(Restored(replace(checkpoint(1, files=(file("a", b"a"),)), committed=made), SAVED, 1, 0.1))
    tell.clock.advance(3600)
    assert tell(unchanged()) == ["/ckpt: nothing has changed; checkpoint 1 is 1:00:00 old"]


@pytest.mark.parametrize(
    ("event", "want"),
    [
        (unchanged(0, exists=False), "/ckpt is not there yet; nothing to checkpoint"),
        (unchanged(0), "/ckpt: no file to checkpoint yet"),
        (unchanged(2, moving=2), "/ckpt: 2 files being written; nothing to checkpoint yet"),
    ],
)
def test_the_first_cycle_says_why_it_has_nothing_to_do_and_the_next_ones_do_not(
    tell: Telling, event: Unchanged, want: str
) -> None:
    assert tell(event, event, event) == [want]


def test_a_failed_cycle_says_what_is_wrong_what_to_do_and_what_comes(tell: Telling) -> None:
    [said] = tell(Failed(NoBucket("s3://b/x: 404 NoSuchBucket"), 1, 4.6))
    assert said.startswith("Checkpointing data from /ckpt to s3://b/x failed: s3://b/x: 404 NoSuchBucket.")
    assert "Create it, or correct the url." in said
    assert "5 s" in said


def test_a_problem_is_said_once_and_again_when_it_came_back(tell: Telling) -> None:
    there = unchanged(problems={"d/a": "permission denied"})
    assert "Not in the checkpoint: /ckpt/d/a: permission denied" in tell(there)
    assert tell(there) == []
    tell(unchanged())
    assert tell(there) == ["Not in the checkpoint: /ckpt/d/a: permission denied"]


@pytest.mark.parametrize("path", ["/ckpt", "/ckpt/*"])
def test_a_root_that_cannot_be_read_is_said_by_its_own_name(tmp_path: Path, path: str) -> None:
    said = Telling(tmp_path, path)(unchanged(0, exists=False, problems={".": "permission denied"}))
    assert said == ["Not in the checkpoint: /ckpt: permission denied"]


def test_many_problems_are_no_flood(tell: Telling) -> None:
    said = tell(committed(problems={f"{number}": "a socket" for number in range(1000)}))
    assert len(said) == 10
    assert said[-1] == "Not in the checkpoint: 991 more"


def test_a_file_that_the_regex_does_not_match_is_said_once(tell: Telling) -> None:
    event = Looked(1, exists=True, misnamed=True)
    assert tell(event, event) == ["/ckpt is a file: it is checkpointed, though its name does not match the regex"]
    assert tell(event, Looked(1, exists=True)) == []


def test_a_commit_that_is_held_is_said_once_in_an_hour(tell: Telling) -> None:
    said = ["The next checkpoint of /ckpt waits up to 30 s for what is being rewritten: a, b"]
    assert tell(Holding(("a", "b"), 29.4), Holding(("a",), 30.0)) == said
    tell.clock.advance(3600)
    assert len(tell(Holding(("a",), 30.0))) == 1


def test_a_file_that_stays_open_is_said_once_and_with_what_a_person_can_do(tell: Telling) -> None:
    def looked(*names: str) -> list[str]:
        return tell(Looked(2, True), replace(unchanged(moving=len(names)), open=names))

    looked("a")
    [said] = looked("a", "b")
    assert said.startswith("Not stored while open for writing or mapped into memory: /ckpt/a. ")
    assert "osmo checkpoint now --wait" in said
    [said] = looked("a", "b")
    assert "/ckpt/b. " in said
    assert looked("a", "b") == []


def test_a_file_that_is_only_open_when_a_cycle_comes_by_chance_is_not_said(tell: Telling) -> None:
    first = replace(unchanged(moving=1), open=("a",))
    tell(first)
    assert tell(replace(unchanged(moving=1), open=()), first) == []
