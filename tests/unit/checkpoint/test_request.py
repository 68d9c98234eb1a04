"""Checkpoints that somebody asked for."""

from pathlib import Path

from osmo.checkpoint.manifest import Trigger
from unit.checkpoint.rig import Rig


def request(rig: Rig, *, at_rest: bool) -> None:
    rig.stream.cycle(rig.entries, Trigger.REQUEST, rig.stop, at_rest=at_rest)


def test_files_of_which_the_task_says_that_they_are_closed_need_not_settle(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.grow({"a": b"1", "b": b"2"})
    request(rig, at_rest=True)
    assert rig.newest["trigger"] == "request"
    assert rig.names == ["a", "b"]
    assert rig.clock.waits == []


def test_a_request_from_outside_lets_files_settle(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.grow({"a": b"1"})
    rig.clock.meanwhile = lambda: rig.grow({"a": b"12"})
    request(rig, at_rest=False)
    assert rig.records == []


def test_a_request_of_an_idle_tree_makes_no_record(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.grow({"a": b"1"})
    request(rig, at_rest=True)
    request(rig, at_rest=True)
    assert len(rig.records) == 1
