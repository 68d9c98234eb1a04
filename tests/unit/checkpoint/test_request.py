"""Checkpoints that somebody asked for."""

import mmap
import sys
from pathlib import Path

import pytest

from osmo.checkpoint.manifest import Trigger
from osmo.errors import StoreError
from support.stores import Flaky
from unit.checkpoint.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


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


def test_who_asks_is_told_if_the_store_refuses_a_file_and_the_others_are_there(rig: Rig) -> None:
    rig.grow({"a": b"1", "b": b"2"})
    refusing = Flaky(rig.asked, 1, lambda asked: asked.key.endswith("/b"), StoreError)
    rig.wrap = lambda _: refusing
    error = rig.fail(lambda: request(rig, at_rest=True))
    assert "refused for a test" in str(error)
    assert rig.names == ["a"]
    request(rig, at_rest=True)
    assert rig.names == ["a", "b"]


def test_a_request_of_an_idle_tree_makes_no_record(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.grow({"a": b"1"})
    request(rig, at_rest=True)
    request(rig, at_rest=True)
    assert len(rig.records) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")
def test_a_memory_map_is_stored_at_the_moments_that_the_task_chooses_and_at_the_end(rig: Rig) -> None:
    rig.grow({"weights": "a" * 4096})
    with (rig.folder / "weights").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        for letter in (b"x", b"y"):  # after the first one, no time of the file changes any more
            mapped[:1] = letter
            request(rig, at_rest=True)
            assert rig.restorable["weights"][:1] == letter
            assert "flags" not in rig.newest["files"][0]
        mapped[:1] = b"z"
        rig.cycle()
        assert rig.restorable["weights"][:1] == b"y"
    rig.finish()
    assert rig.restorable["weights"][:1] == b"z"


@pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")
def test_a_log_that_the_task_holds_is_stored_to_its_last_byte_if_the_task_asks(rig: Rig) -> None:
    rig.grow({"other": "1"})
    with (rig.folder / "train.log").open("wb", buffering=0) as file:
        file.write(b"one\ntw")
        rig.cycle()
        assert rig.restorable["train.log"] == b"one\n"
        request(rig, at_rest=True)
        assert rig.restorable["train.log"] == b"one\ntw"
