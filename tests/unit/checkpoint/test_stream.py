import errno
import mmap
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osmo.checkpoint.epoch import Fenced
from osmo.checkpoint.events import Begun, Committed, Finished, Looked, Progressed, TakenOver, Unchanged
from osmo.checkpoint.manifest import Trigger, Writer
from osmo.checkpoint.tree import Stat
from osmo.errors import AccessDenied, NoCopy, StoreError, Unavailable
from osmo.store.base import Store
from support.stores import Flaky, Losing, Request, is_content, is_record
from support.trees import Fifo, Link
from unit.checkpoint.rig import WRITER, Rig

LOG = ".osmo/train.ckpt/log"
OBJECTS = ".osmo/train.ckpt/objects"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def deny(monkeypatch: pytest.MonkeyPatch, *denied: str) -> None:
    """Opening a file or folder of these names fails, as it does for a user who may not read it."""
    real = os.open

    def guarded(path: "int | str | os.PathLike[str]", *args: "int", **more: "int | None") -> int:
        if not isinstance(path, int) and os.path.basename(os.fspath(path)) in denied:
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", guarded)


# What a checkpoint holds


def writes(requests: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that change something."""
    return [(method, key) for method, key in requests if method not in ("list", "folders", "get", "head")]


def test_new_files_lie_at_their_keys_and_the_record_is_written_last(rig: Rig) -> None:
    rig.grow({"a.pt": "alpha", "deep/er/b.pt": "beta"})
    claim, *files, record = writes(rig.cycle())
    assert rig.contents == {"ckpt/a.pt": b"alpha", "ckpt/deep/er/b.pt": b"beta"}
    assert (claim, record) == (("put_new", f"{LOG}/00000001.json"), ("put_new", f"{LOG}/00000002.json"))
    assert sorted(files) == [("put_new", "ckpt/a.pt"), ("put_new", "ckpt/deep/er/b.pt")]
    assert (rig.names, rig.newest["prev"], rig.newest["trigger"]) == (["a.pt", "deep/er/b.pt"], None, "interval")
    rig.check()


def test_nothing_is_written_over_a_record(tmp_path: Path) -> None:
    rig = Rig(tmp_path, keep=2)
    rig.grow({"a": "1"})
    rig.cycle()
    before = rig.log
    rig.grow({"b": "2"})
    rig.cycle()
    assert rig.log[:-1] == before
    assert (rig.newest["log"], rig.newest["prev"], rig.names) == (3, [1, 2], ["a", "b"])


def test_new_content_of_a_file_gets_a_name_of_its_own_and_the_plain_file_follows(rig: Rig) -> None:
    rig.grow({"a": "old", "b": "1"})
    rig.cycle()
    rig.grow({"a": "new"})
    sent = f"{OBJECTS}/00000003-00000001-1"
    assert writes(rig.cycle())[:3] == [("put", sent), ("put_new", f"{LOG}/00000003.json"), ("copy", "ckpt/a")]
    assert {file["name"]: file["place"] for file in rig.newest["files"]} == {"a": sent, "b": "ckpt/b"}
    assert rig.contents == {"ckpt/a": b"new", "ckpt/b": b"1"}
    rig.check()


def test_what_no_checkpoint_needs_any_more_goes(rig: Rig) -> None:
    for content in ("1", "22", "333"):
        rig.grow({"a": content})
        rig.cycle()
    assert (rig.contents, rig.restorable, len(rig.records)) == ({"ckpt/a": b"333"}, {"a": b"333"}, 1)
    assert [key for key in rig.memory.objects if key.startswith(OBJECTS)] == [rig.newest["files"][0]["place"]]


@pytest.mark.parametrize("keep", [1, 2])
def test_of_what_is_sent_in_part_only_what_kept_checkpoints_need_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int
) -> None:
    monkeypatch.setattr("osmo.checkpoint.blocks.BLOCK", 2)
    monkeypatch.setattr("osmo.checkpoint.blocks.LEAST", 4)
    rig = Rig(tmp_path, keep=keep)
    requests: list[str] = []
    for content in ("aabbcc", "aaBBcc", "aaBBccdd", "aaBBccddee"):
        rig.grow({"a": content})
        requests = [method for method, _ in rig.cycle()]
    assert "splice" in requests
    assert rig.committed.copied_size == 8
    assert rig.committed.sent_size == 2
    assert rig.contents == {"ckpt/a": b"aaBBccddee"}
    rig.check()
    files = [file for record in rig.records for file in record["files"]]
    assert len(files) == keep
    named = {file[what] for file in files for what in ("place", "blocks")}
    assert {key for key in rig.memory.objects if key.startswith(OBJECTS)} == named


def test_another_run_goes_on_with_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osmo.checkpoint.blocks.BLOCK", 2)
    monkeypatch.setattr("osmo.checkpoint.blocks.LEAST", 4)
    rig = Rig(tmp_path)
    rig.grow({"a": "aabbcc"})
    rig.finish()
    rig.stream = rig.another(writer=replace(WRITER, run="other", id="0c0d"))
    rig.grow({"a": "aabbccdd"})
    requests = rig.finish()
    assert [method for method, key in requests if "objects" in key and method != "list"][:3] == [
        "stream",
        "splice",
        "put",
    ]
    rig.check()


def test_a_second_cycle_makes_no_request_and_no_checkpoint(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.cycle()
    rig.said()
    assert rig.cycle() == []
    assert rig.said() == ["Unchanged"]


def test_an_idle_cycle_gives_out_the_very_same_set(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.cycle()
    rig.cycle()
    assert rig.unchanged.saved is rig.committed.saved


def test_a_file_that_was_only_touched_is_not_sent_again(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.cycle()
    os.utime(rig.folder / "a", ns=(1, 1))
    assert rig.cycle() == []
    assert rig.newest["checkpoint"] == 1
    assert rig.cycle() == []


def test_a_new_mode_is_committed_without_sending_the_file(rig: Rig) -> None:
    rig.grow({"a": "1"})
    (rig.folder / "a").chmod(0o600)
    rig.cycle()
    (rig.folder / "a").chmod(0o640)
    assert writes(rig.cycle())[0] == ("put_new", f"{LOG}/00000003.json")
    assert (rig.newest["files"][0]["mode"], rig.newest["files"][0]["place"]) == (0o640, "ckpt/a")


def test_a_file_that_is_gone_leaves_the_next_checkpoint_but_not_the_store(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.cycle()
    (rig.folder / "a").unlink()
    rig.cycle()
    assert rig.names == ["b"]
    assert rig.committed.gone == 1
    assert rig.contents == {"ckpt/a": b"1", "ckpt/b": b"2"}


def test_an_empty_folder_makes_no_checkpoint(rig: Rig) -> None:
    rig.grow({})
    rig.cycle()
    assert rig.finish() == []
    rig.stream.close()
    assert rig.said() == ["Unchanged", "Unchanged"]
    assert rig.memory.objects == {}


def test_end_markers_are_sent_after_all_else(rig: Rig) -> None:
    rig.grow({".metadata": "m", "step/latest": "l", "z/1": "1", "z/2": "2"})
    assert set(rig.sent(rig.cycle())[:2]) == {"z/1", "z/2"}


def test_a_single_file_lies_at_its_own_name(tmp_path: Path) -> None:
    rig = Rig(tmp_path, path=str(tmp_path / "ckpt/model.pt"), regexes=(r"never",))
    rig.grow({"model.pt": "m", "other": "o"})
    rig.cycle()
    assert (rig.contents, rig.names) == ({"model.pt": b"m"}, ["model.pt"])


def test_the_last_cycle_of_a_single_file_does_not_list_the_whole_url(tmp_path: Path) -> None:
    rig = Rig(tmp_path, path=str(tmp_path / "ckpt/model.pt"))
    rig.grow({"model.pt": "m"})
    rig.cycle()
    assert ("list", "") not in rig.finish()
    rig.memory.delete("model.pt")
    rig.finish()
    assert rig.contents == rig.restorable == {"model.pt": b"m"}


def test_a_single_file_of_an_odd_name_is_found_where_it_lies(tmp_path: Path) -> None:
    rig = Rig(tmp_path, path=str(tmp_path / "ckpt/a\nb"))
    rig.grow({"a\nb": "1"})
    rig.cycle()
    assert (rig.contents, rig.sent(rig.finish())) == ({"a%0Ab": b"1"}, [])


def test_a_single_large_file_of_an_odd_name_is_not_sent_over_what_lies_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path, path=str(tmp_path / "ckpt/a\nb"))
    rig.grow({"a\nb": b"0" * 17 * 2**20})
    rig.memory.put("a%0Ab", b"somebody's")
    assert [key for method, key in rig.cycle() if method == "put_parts"] == [
        ".osmo/train.a%0Ab/objects/00000002-00000001-1"
    ]


def test_the_contents_of_a_folder_lie_without_its_name_and_osmos_own_part_is_left_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, path=str(tmp_path / "ckpt/*"))
    rig.grow({"a": "1", ".osmo/train._/log/00000001.json": "a trap", ".osmotic": "2"})
    rig.cycle()
    assert rig.contents == {"a": b"1", ".osmotic": b"2"}
    assert rig.newest["problems"] == {".osmo": "this name is osmo's own at the url"}
    assert b"a trap" not in rig.memory.objects.values()


def test_a_folder_that_is_itself_called_osmo_is_refused_as_a_whole(tmp_path: Path) -> None:
    rig = Rig(tmp_path, path=str(tmp_path / "ckpt/.osmo"))
    rig.grow({".osmo/train._/log/00000001.json": "a trap", ".osmo/a": "1"})
    rig.cycle()
    assert rig.names == []
    assert rig.newest["problems"] == {".": "this name is osmo's own at the url"}


def test_a_regex_picks_the_files_and_what_is_not_picked_is_no_problem(tmp_path: Path) -> None:
    rig = Rig(tmp_path, regexes=(r".*\.pt$",))
    rig.grow({"a.pt": "1", "b.txt": "2", "pipe": Fifo(), "pipe.pt": Fifo()})
    rig.cycle()
    assert rig.names == ["a.pt"]
    assert rig.newest["problems"] == {"pipe.pt": "a named pipe"}


@pytest.mark.parametrize("name", ["new\nline", "tab\t", os.fsdecode(b"\xff\xfe"), "n" * 255, "ü#%?*~ \\", "\x7f"])
def test_a_file_of_any_name_is_stored_and_named_in_the_record(rig: Rig, name: str) -> None:
    rig.grow({name: "x", "plain": "y"})
    rig.finish()
    assert rig.names == sorted([name, "plain"])
    rig.check()


@pytest.mark.parametrize("name", ["bad\nfolder", os.fsdecode(b"\xff")])
def test_a_folder_of_any_name_is_checkpointed_to_its_end(tmp_path: Path, name: str) -> None:
    rig = Rig(tmp_path, path=str(tmp_path / "ckpt" / name))
    rig.grow({f"{name}/a": "1"})
    rig.cycle()
    assert rig.sent(rig.finish()) == []
    assert (rig.newest["checkpoint"], rig.newest["trigger"], rig.names) == (2, "final", ["a"])
    rig.check()


def test_a_name_that_no_store_takes_costs_only_itself(rig: Rig) -> None:
    deep = "/".join(["d" * 250] * 5)
    rig.grow({deep: "x", "a": "1"})
    rig.cycle()
    assert rig.names == ["a"]
    assert rig.newest["problems"] == {deep: "its name in the store would have 1,259 bytes, 1,024 are possible"}
    rig.finish()  # nor does it fail the task


def test_the_last_cycle_is_not_done_while_the_store_refuses_a_file(rig: Rig) -> None:
    rig.wrap = lambda store: Flaky(
        store, 99, lambda asked: asked.method == "put" or asked.key.endswith("/bad"), StoreError
    )
    rig.grow({"bad": "x", "a": "1"})
    for _ in range(2):  # tried again: the others are in a checkpoint meanwhile, and in one only
        with pytest.raises(StoreError, match="refused for a test"):
            rig.finish()
    assert rig.names == ["a"]
    assert rig.newest["checkpoint"] == 1
    (rig.folder / "bad").unlink()
    rig.finish()
    assert rig.newest["problems"] == {}


def test_the_last_cycle_is_not_done_while_the_machine_is_short_of_something(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.grow({"a": "1", "deep/b": "2"})
    real = os.open

    def short(path: Any, *args: Any, **more: Any) -> int:
        if path == "b" or path == "deep":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, *args, **more)

    monkeypatch.setattr(os, "open", short)
    rig.cycle()
    assert rig.names == ["a"]
    with pytest.raises(StoreError, match="[Tt]oo many open files"):
        rig.finish()
    monkeypatch.undo()
    rig.finish()
    assert rig.names == ["a", "deep/b"]


def test_a_memory_map_that_stays_is_left_out_until_the_end(rig: Rig) -> None:
    rig.grow({"weights": "a" * 4096, "other": "b" * 4096})
    path = rig.folder / "weights"
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:1] = b"x"  # the page is dirty and writable from now on
        rig.cycle()
        before = Stat.of(path.stat())
        mapped[:1] = b"y"
        assert Stat.of(path.stat()) == before
        assert rig.names == ["other"]
        assert rig.committed.open == ("weights",)
    rig.finish()
    assert rig.restorable["weights"][:1] == rig.contents["ckpt/weights"][:1] == b"y"
    rig.check()


def test_every_cycle_says_what_it_looked_at_even_if_the_store_is_down(rig: Rig) -> None:
    rig.wrap = lambda store: Flaky(store, 100)
    rig.grow({"a": "1"})
    with pytest.raises(StoreError):
        rig.cycle()
    assert rig.looked == [Looked(files=1, exists=True)]


def test_of_two_files_with_one_key_one_is_stored_and_the_other_is_a_problem(rig: Rig) -> None:
    rig.grow({"a\n": "escaped", "a%0A": "plain", "b": "b"})
    rig.cycle()
    assert rig.names == ["a%0A", "b"]
    assert rig.newest["problems"] == {"a\n": "'a%0A' has its name in the store"}
    rig.check()


def test_a_file_whose_key_is_taken_over_by_another_leaves_the_checkpoint(rig: Rig) -> None:
    rig.grow({"a\n": "escaped"})
    rig.cycle()
    rig.grow({"a%0A": "plain"})
    rig.cycle()
    assert rig.names == ["a%0A"]
    rig.check()
    (rig.folder / "a%0A").unlink()
    rig.cycle()
    assert rig.names == ["a\n"]
    rig.check()


# Files that move, vanish, cannot be read


def test_a_new_file_that_is_being_written_is_left_out(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "0"})
    rig.clock.meanwhile = lambda: rig.grow({"b": "longer and longer" * len(rig.clock.waits)})
    assert rig.stream.cycle(rig.entries, Trigger.INTERVAL, rig.stop)
    assert (rig.names, rig.newest["left_out"], rig.contents) == (["a"], ["b"], {"ckpt/a": b"1"})


def test_a_file_that_is_being_rewritten_keeps_its_earlier_content(rig: Rig) -> None:
    rig.grow({"a": "old", "b": "1"})
    rig.cycle()
    rig.grow({"a": "new one", "b": "2"})
    rig.clock.meanwhile = lambda: rig.grow({"a": "newer one"})
    assert rig.stream.cycle(rig.entries, Trigger.INTERVAL, rig.stop)
    assert rig.contents == {"ckpt/a": b"old", "ckpt/b": b"2"}
    assert [file.get("flags", []) for file in rig.newest["files"]] == [["deferred"], []]
    assert rig.committed.deferred == ("a",)
    rig.clock.meanwhile = lambda: None
    rig.cycle()
    assert rig.contents["ckpt/a"] == b"newer one"
    assert "flags" not in rig.newest["files"][0]


def test_a_file_that_looks_the_same_since_the_last_cycle_is_not_waited_for(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.stop.set()
    rig.cycle()  # had no time to wait
    rig.stop.clear()
    rig.clock.waits.clear()
    rig.clock.advance(5)
    rig.cycle()
    assert rig.names == ["a"]
    assert rig.clock.waits == []


@pytest.mark.parametrize("size", [10, 9 * 2**20, 40 * 2**20])
def test_a_file_that_changes_while_it_is_read_shows_nothing_in_the_store(rig: Rig, size: int) -> None:
    rig.grow({"b": b"0" * size})

    real = os.pread

    def read(descriptor: int, count: int, at: int) -> bytes:
        data = real(descriptor, count, at)
        with open(rig.folder / "b", "r+b") as file:
            file.write(b"1")
        os.utime(rig.folder / "b", ns=(5, 5))
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("osmo.checkpoint.reader.os.pread", read)
        rig.cycle()
    assert rig.contents == {}
    assert rig.records == []
    assert [type(event) for event in rig.events if isinstance(event, (Committed, Finished))] == []
    assert all(event.done < event.total for event in rig.progress)
    assert rig.unchanged.moving == 1


def test_a_file_that_vanishes_before_it_is_read_costs_no_other(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.asked.then = lambda request: (rig.folder / "b").unlink(missing_ok=True)
    rig.clock.meanwhile = lambda: (rig.folder / "b").unlink(missing_ok=True)
    rig.cycle()
    assert (rig.names, rig.newest["problems"]) == (["a"], {})


def test_a_file_that_vanishes_between_rest_and_upload_is_no_problem(rig: Rig) -> None:
    rig.grow({"a": "1", "latest": "2"})
    rig.asked.then = lambda request: (rig.folder / "latest").unlink(missing_ok=True)
    rig.cycle()
    assert (rig.names, rig.newest["problems"]) == (["a"], {})


def test_an_unreadable_file_is_named_at_the_first_cycle_and_costs_no_other(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.grow({"a": "1", "b": "2"})
    deny(monkeypatch, "b")
    rig.cycle()
    assert (rig.names, rig.newest["problems"]) == (["a"], {"b": "permission denied"})
    assert rig.cycle() == []


def test_an_unreadable_file_keeps_its_earlier_content(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.cycle()
    rig.grow({"b": "changed"})
    deny(monkeypatch, "b")
    rig.cycle()
    assert (rig.names, rig.newest["problems"]) == (["a", "b"], {"b": "permission denied"})
    rig.check()


def test_files_in_a_folder_that_cannot_be_read_any_more_are_not_gone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.grow({"deep/a": "1", "b": "2"})
    rig.cycle()
    deny(monkeypatch, "deep")
    rig.cycle()
    assert (rig.names, rig.newest["problems"]) == (["b", "deep/a"], {"deep": "permission denied"})


def test_a_root_that_cannot_be_read_any_more_commits_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.grow({"deep/a": "1", "b": "2"})
    rig.cycle()
    deny(monkeypatch, "ckpt")
    assert rig.cycle() == []
    with pytest.raises(StoreError, match="permission denied"):  # nobody knows what is in it: not done
        rig.finish()
    assert rig.unchanged.problems == {".": "permission denied"}
    assert rig.names == ["b", "deep/a"]


def test_a_root_that_is_not_there_any_more_commits_no_empty_set(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.cycle()
    shutil.rmtree(rig.folder)
    assert rig.cycle() == []
    assert rig.finish() == []
    assert not rig.unchanged.exists
    assert rig.names == ["a"]


def test_a_mount_point_that_is_left_empty_commits_no_empty_set(rig: Rig, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second filesystem here (/dev/shm)")
    rig.grow({"a": "1"})
    rig.cycle()
    shutil.rmtree(rig.folder)
    empty = elsewhere / f"osmo-test-{os.getpid()}"
    empty.mkdir()
    try:
        rig.folder.symlink_to(empty)
        assert rig.cycle() == []
        assert rig.names == ["a"]
        (empty / "b").write_text("2")
        rig.cycle()
        assert rig.names == ["b"]
    finally:
        shutil.rmtree(empty)


def test_a_folder_that_is_emptied_is_an_empty_checkpoint(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.cycle()
    (rig.folder / "a").unlink()
    rig.cycle()
    assert rig.names == []


def test_what_is_no_file_is_named_and_costs_nothing(rig: Rig) -> None:
    rig.grow({"a": "1", "pipe": Fifo(), "out": Link("/etc/passwd"), "dangling": Link("nowhere"), "in": Link("a")})
    rig.cycle()
    assert rig.names == ["a", "in"]
    assert rig.newest["problems"] == {
        "pipe": "a named pipe",
        "out": "a link that leads out of the folder",
        "dangling": "a link to nothing",
    }
    assert rig.cycle() == []


# Several schedules


def test_only_the_files_of_the_entries_that_are_due_are_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, regexes=(r".*\.a$", r".*\.b$"))
    rig.grow({"1.a": "1", "1.b": "1", "1.c": "1"})
    rig.cycle(0)
    assert rig.names == ["1.a"]
    rig.cycle(1)
    assert rig.names == ["1.a", "1.b"]


def test_what_is_wrong_with_a_file_that_is_not_due_is_still_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, regexes=(r".*\.a$", r".*\.b$"))
    rig.grow({"1.a": "1", "1.b": "1"})
    deny(monkeypatch, "1.a")
    rig.cycle(0)
    rig.cycle(1)
    assert rig.newest["problems"] == {"1.a": "permission denied"}
    assert rig.cycle(0) == rig.cycle(1) == rig.cycle(0) == []


def test_a_deferred_file_that_is_not_due_stays_deferred(tmp_path: Path) -> None:
    rig = Rig(tmp_path, regexes=(r".*\.a$", r".*\.b$"))
    rig.grow({"1.a": "1", "1.b": "1"})
    rig.cycle()
    rig.grow({"1.a": "2222", "1.b": "2"})
    rig.clock.meanwhile = lambda: rig.grow({"1.a": "33333"})
    rig.cycle()
    rig.clock.meanwhile = lambda: None
    rig.grow({"2.b": "2"})
    rig.cycle(1)
    assert [file["name"] for file in rig.newest["files"] if "flags" in file] == ["1.a"]


# Stores that fail


def test_a_hiccup_is_passed_over_within_the_cycle(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.wrap = lambda store: Flaky(store, 3, is_content)
    rig.cycle()
    assert rig.restorable == {"a": b"1", "b": b"2"}
    assert rig.contents == {"ckpt/a": b"1", "ckpt/b": b"2"}
    rig.check()


@pytest.mark.parametrize("applied", [True, False])
def test_a_file_whose_upload_got_no_answer_is_sent_under_another_name(rig: Rig, applied: bool) -> None:
    """Whatever the first request does, and whenever, it meets nothing that a checkpoint names."""
    rig.grow({"a": "1", "b": "2"})

    def wrap(store: Store) -> Store:
        return (Losing if applied else Flaky)(store, 1, lambda request: request.key == "ckpt/a")

    rig.wrap = wrap
    rig.cycle()
    assert {file["name"]: file["place"] for file in rig.newest["files"]} == {
        "a": f"{OBJECTS}/00000002-00000001-1",
        "b": "ckpt/b",
    }
    assert rig.contents == {"ckpt/a": b"1", "ckpt/b": b"2"}
    rig.check()


def test_a_hiccup_at_the_commit_is_passed_over_within_the_cycle(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.wrap = lambda store: Flaky(store, 3, is_record)
    rig.cycle()
    assert rig.names == ["a"]


def test_a_store_that_is_down_fails_the_cycle_and_begins_no_other_file(rig: Rig) -> None:
    rig.grow({f"{number:03}": "x" for number in range(100)})
    tried: list[str] = []

    def which(request: Request) -> bool:
        tried.append(request.key)
        return is_content(request)

    rig.stream.claim()
    rig.wrap = lambda store: Flaky(store, 10**6, which)
    rig.reopen()
    rig.said()
    assert isinstance(rig.fail(), Unavailable)
    assert len({key for key in tried if key.startswith("ckpt/")}) <= 4
    assert rig.said() == []


def test_a_store_that_is_down_at_the_claim_is_sent_nothing(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.wrap = lambda store: Flaky(store, 10**6)
    assert isinstance(rig.fail(), Unavailable)
    assert (rig.said(), rig.memory.objects) == ([], {})


def test_trouble_is_told_though_the_file_moves_before_it_is_tried_again(rig: Rig) -> None:
    """A tree that changes all the time must not make an outage look like files that are being written."""
    rig.wrap = lambda store: Flaky(store, 1, is_content)
    rig.grow({"a": "1"})
    sent = len(rig.clock.waits)
    rig.clock.meanwhile = lambda: rig.grow({"a": "22"}) if len(rig.clock.waits) > sent + 1 else None
    assert isinstance(rig.fail(), Unavailable)
    rig.clock.meanwhile = lambda: None
    rig.cycle()
    assert rig.names == ["a"]
    rig.check()


def failing(*contents: str) -> Callable[[Request], bool]:
    """Picks what sends a file to one of these keys, or to any object."""
    return lambda request: is_content(request) and (request.key in contents or request.key.startswith(OBJECTS))


def test_plain_files_that_say_that_a_set_is_complete_follow_last(rig: Rig) -> None:
    names = ("a", "latest", "zz")
    rig.grow(dict.fromkeys(names, "1"))
    rig.cycle()
    rig.grow({name: f"now {name}" for name in names})
    copies = [key for method, key in rig.cycle() if method == "copy"]
    assert (copies[-1], len(copies)) == ("ckpt/latest", 3)


def test_what_a_failed_cycle_uploaded_is_not_sent_again(rig: Rig) -> None:
    rig.grow({f"{number:03}": "x" for number in range(50)} | {"latest": "l"})
    rig.wrap = lambda store: Flaky(store, 4, failing("ckpt/latest"))
    rig.fail()
    assert (rig.newest["count"], [*rig.newest["problems"]]) == (50, ["latest"])
    assert rig.sent(rig.cycle()) == ["latest"]
    assert rig.newest["count"] == 51
    assert (rig.committed.sent_files, rig.committed.sent_size) == (1, 1)


def test_one_file_that_the_store_gives_no_answer_for_costs_no_other(rig: Rig) -> None:
    rig.grow({f"{number:03}": f"x{number}" for number in range(50)})
    rig.wrap = lambda store: Flaky(store, 10**6, lambda ask: ask.key == "ckpt/025" or ask.method == "put")
    assert isinstance(rig.fail(), Unavailable)  # so it is tried again soon
    assert (rig.newest["count"], [*rig.newest["problems"]]) == (49, ["025"])
    rig.wrap = lambda store: store
    rig.reopen()
    assert rig.sent(rig.cycle()) == ["025"]
    assert (rig.newest["count"], rig.newest["problems"]) == (50, {})


def test_a_store_that_answers_no_more_is_not_asked_for_every_file(rig: Rig) -> None:
    rig.grow({f"{number:03}": "x" for number in range(50)})
    well = [f"ckpt/{number:03}" for number in range(10)]
    rig.wrap = lambda store: Flaky(store, 10**6, lambda ask: is_content(ask) and ask.key not in well)
    asked: set[str] = set()
    rig.asked.then = lambda request: asked.add(request.key)
    rig.fail()
    assert rig.records == []
    assert asked.isdisjoint({f"ckpt/{number:03}" for number in range(30, 50)})


def test_credentials_are_looked_for_again_after_they_were_refused(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.wrap = lambda store: Flaky(store, 1, error=AccessDenied)
    assert isinstance(rig.fail(), AccessDenied)
    rig.wrap = lambda store: store
    rig.cycle()
    assert (rig.opened, rig.names) == (2, ["a"])


def test_where_the_server_cannot_copy_a_plain_file_is_sent_with_new_credentials_too(rig: Rig) -> None:
    class Expiring(Flaky):
        """A server that cannot copy."""

        def copy(self, source: str, key: str, size: int) -> None:
            raise NoCopy(key)

    stores: list[Expiring] = []

    def wrap(store: Store) -> Store:
        stores.append(Expiring(store, 0, error=AccessDenied))
        return stores[-1]

    rig.wrap = wrap
    rig.grow({"a": "1"})
    rig.cycle()
    rig.grow({"a": "22"})
    rig.cycle()
    assert rig.contents == {"ckpt/a": b"22"}
    stores[0].failures = 10**6
    rig.grow({"a": "333"})
    rig.fail()
    rig.cycle()
    assert (len(stores), rig.contents) == (2, {"ckpt/a": b"333"})


def test_an_outage_keeps_the_open_store(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.wrap = lambda store: Flaky(store, 2)
    rig.fail()
    rig.fail()
    rig.cycle()
    assert (rig.opened, rig.names) == (1, ["a"])


def test_a_file_that_the_store_refuses_costs_no_other(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.wrap = lambda store: Flaky(store, 10, lambda request: request.key == "ckpt/b", StoreError)
    rig.cycle()
    assert (rig.names, list(rig.newest["problems"])) == (["a"], ["b"])


def test_a_file_that_the_store_refuses_every_time_makes_one_checkpoint(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.wrap = lambda store: Flaky(store, 99, failing("ckpt/b"), StoreError)
    rig.cycle()
    assert writes(rig.cycle()) == writes(rig.cycle()) == []
    assert list(rig.unchanged.problems) == ["b"]


def test_an_upload_without_an_answer_costs_nothing_of_what_is_committed(rig: Rig) -> None:
    """It may still arrive: the earlier content stays where it is, and stays in the checkpoint."""
    rig.grow({"a": "old", "b": "1"})
    rig.cycle()
    rig.grow({"a": "new"})
    rig.wrap = lambda store: Losing(store, 4, is_content)
    rig.reopen()
    rig.fail()
    assert rig.restorable == {"a": b"old", "b": b"1"}
    rig.check()
    rig.clock.meanwhile = lambda: rig.grow({"a": "newest of all"})
    rig.grow({"c": "3"})
    rig.cycle()
    assert rig.restorable == {"a": b"old", "b": b"1", "c": b"3"}
    assert rig.committed.deferred == ("a",)
    rig.check()


@pytest.mark.parametrize("applied", [True, False])
def test_a_commit_without_an_answer_is_settled_with_the_same_bytes(rig: Rig, applied: bool) -> None:
    rig.grow({"a": "1"})
    rig.stream.claim()
    offered: list[bytes] = []
    real = rig.memory.put_new

    def put_new(key: str, body: bytes) -> str:
        if not is_record(Request("put_new", key)):
            return real(key, body)
        offered.append(body)
        if len(offered) > 4:
            return real(key, body)
        if applied and key not in rig.memory.objects:
            real(key, body)
        raise Unavailable("no answer")

    rig.memory.put_new = put_new  # type: ignore[method-assign]
    rig.said()
    rig.fail()
    assert rig.said() == ["Begun", "Progressed"]
    rig.grow({"b": "2"})
    rig.cycle()
    assert len(set(offered[:5])) == 1
    assert [event.number for event in rig.events if isinstance(event, Committed)] == [1, 2]
    assert (rig.newest["log"], rig.newest["prev"], rig.newest["count"]) == (3, [1, 2], 2)


def test_a_commit_that_is_settled_later_is_reported_with_what_it_held(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.stream.claim()
    rig.wrap = lambda store: Losing(store, 1, is_record)
    rig.reopen()
    real = rig.memory.get
    rig.memory.get = lambda key: (_ for _ in ()).throw(Unavailable(key))  # type: ignore[method-assign]
    rig.fail()
    rig.memory.get = real  # type: ignore[method-assign]
    rig.said()
    rig.cycle()
    assert (rig.committed.number, rig.committed.sent_files, list(rig.committed.saved)) == (1, 1, ["a"])
    assert rig.said(Committed, Unchanged) == ["Committed", "Unchanged"]


def test_while_a_commit_is_open_nothing_else_is_sent(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.stream.claim()
    rig.wrap = lambda store: Flaky(store, 8, is_record)
    rig.reopen()
    rig.fail()
    rig.grow({"b": "2"})
    rig.fail()
    assert "ckpt/b" not in rig.memory.objects


OTHER = Writer("uuid-2", "run-2", "train", 0, "there", "0c0d")


def test_a_writer_whose_number_is_gone_is_fenced_and_writes_nothing_more(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.cycle()
    rig.grow({"b": "2"})
    rig.another(writer=OTHER).cycle(rig.entries, Trigger.INTERVAL, rig.stop)
    rig.asked.take()
    rig.said()
    rig.grow({"c": "3"})
    with pytest.raises(Fenced, match="fenced by run-2 on there"):
        rig.cycle()
    assert rig.said(TakenOver, Committed, Finished) == ["TakenOver"]
    assert rig.stream.lost_to == OTHER
    assert (rig.newest["writer"]["run"], rig.restorable) == ("uuid-2", {"a": b"1", "b": b"2"})
    before = dict(rig.memory.objects)
    rig.asked.take()
    for again in (rig.cycle, rig.finish):
        with pytest.raises(Fenced):
            again()
    rig.stream.close()
    assert (rig.asked.take(), rig.memory.objects) == ([], before)


def test_an_open_commit_whose_number_went_to_another_is_over(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.stream.claim()
    rig.wrap = lambda store: Flaky(store, 4, is_record)
    rig.reopen()
    rig.fail()
    rig.wrap = lambda store: store
    rig.another(writer=OTHER).claim()
    rig.said()
    with pytest.raises(Fenced):
        rig.cycle()
    assert rig.said(Committed) == []
    assert rig.records == []


def test_a_log_of_many_records_is_gone_on_with(rig: Rig) -> None:
    rig.grow({"a": "1"})
    for _ in range(5):
        rig.another().claim()
    rig.cycle()
    assert (rig.newest["epoch"], rig.newest["log"], rig.newest["checkpoint"]) == (6, 7, 1)


def test_files_of_a_failed_commit_are_committed_even_if_the_folder_is_gone(rig: Rig) -> None:
    rig.grow({"a": "1", "latest": "l"})
    rig.wrap = lambda store: Flaky(store, 4, failing("ckpt/latest"))
    rig.fail()
    shutil.rmtree(rig.folder)
    rig.finish()
    assert rig.names == ["a"]


# The end


def test_stop_in_mid_cycle_begins_nothing_new_and_keeps_what_was_sent(rig: Rig) -> None:
    rig.grow({f"{number:03}": "x" for number in range(100)})
    rig.asked.then = lambda request: rig.stop.set() if is_content(request) else None
    rig.cycle()
    sent = len(rig.contents)
    assert 1 <= sent <= 8
    assert rig.records == []
    assert rig.said(Committed, Unchanged, Finished) == []
    assert len(rig.sent(rig.finish())) == 100 - sent
    assert rig.newest["count"] == 100


def test_stop_while_a_file_settles_ends_the_wait(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.stream.claim()
    rig.asked.take()
    rig.clock.meanwhile = rig.stop.set
    before = rig.clock.monotonic()
    assert rig.cycle() == []
    assert rig.records == []
    assert rig.clock.monotonic() == before


def test_the_last_checkpoint_is_always_made_and_said(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.cycle()
    rig.said()
    requests = rig.finish(exit_code=3)
    assert requests[:3] == [("list", OBJECTS), ("list", "ckpt"), ("put_new", f"{LOG}/00000003.json")]
    assert rig.said() == ["Begun", "Committed", "Finished"]
    assert (rig.newest["trigger"], rig.newest["exit_code"], rig.newest["count"]) == ("final", 3, 1)


def test_the_last_cycle_waits_for_nobody_to_rest(rig: Rig) -> None:
    rig.grow({"a": "1"})
    rig.finish()
    assert rig.clock.waits == []
    assert rig.names == ["a"]


@pytest.mark.parametrize("harm", ["deleted", "overwritten"])
def test_an_object_that_somebody_else_harmed_is_sent_again_at_the_end(rig: Rig, harm: str) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.cycle()
    if harm == "deleted":
        rig.memory.delete("ckpt/a")
    else:
        rig.memory.put("ckpt/a", b"not ours")
    assert rig.sent(rig.finish()) == ["a"]
    assert rig.contents == {"ckpt/a": b"1", "ckpt/b": b"2"}
    assert rig.restorable == {"a": b"1", "b": b"2"}
    rig.check()


def test_a_last_cycle_that_failed_does_not_send_again_what_it_sent(rig: Rig) -> None:
    rig.grow({"a": "1", "latest": "2"})
    rig.wrap = lambda store: Flaky(store, 4, failing("ckpt/latest"))
    rig.fail(rig.finish)
    assert rig.sent(rig.finish()) == ["latest"]


def test_a_file_that_moves_after_the_end_is_waited_for_a_little(rig: Rig) -> None:
    rig.grow({"a": "1"})
    real = os.pread

    def read(descriptor: int, count: int, at: int) -> bytes:
        data = real(descriptor, count, at)
        if data and len(rig.clock.waits) < 2:
            rig.grow({"a": "1" * (2 + len(rig.clock.waits))})
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("osmo.checkpoint.reader.os.pread", read)
        rig.finish()
    assert len(rig.clock.waits) == 2
    assert rig.contents == {"ckpt/a": b"111"}
    assert "flags" not in rig.newest["files"][0]
    assert (rig.progress[-1].done, rig.progress[-1].total) == (3, 3)


def test_progress_counts_a_file_that_grew_between_two_tries_as_it_is_now(rig: Rig) -> None:
    size = 17 * 2**20
    rig.grow({"a": b"0" * (9 * 2**20)})
    real = os.pread

    def read(descriptor: int, count: int, at: int) -> bytes:
        rig.clock.advance(6)
        data = real(descriptor, count, at)
        if not rig.clock.waits:
            rig.grow({"a": b"0" * size})
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("osmo.checkpoint.reader.os.pread", read)
        rig.finish()
    assert [(said.done, said.total) for said in rig.progress] == [(2**23, size), (2**24, size), (size, size)]


def test_a_file_that_never_rests_after_the_end_is_taken_and_marked(rig: Rig) -> None:
    rig.grow({"a": "1"})
    real = os.pread

    def read(descriptor: int, count: int, at: int) -> bytes:
        data = real(descriptor, count, at)
        if data:
            rig.grow({"a": f"{len(rig.clock.waits)}"})
            os.utime(rig.folder / "a", ns=(0, len(rig.clock.waits)))
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("osmo.checkpoint.reader.os.pread", read)
        rig.finish()
    assert rig.newest["files"][0]["flags"] == ["torn_possible"]
    assert len(rig.clock.waits) == 3
    rig.check()


def test_a_hiccup_over_a_plain_file_does_not_leave_it_behind_for_a_whole_frequency(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.cycle()
    rig.wrap = lambda store: Flaky(store, 1, lambda asked: asked.method == "copy" and asked.key.endswith("/a"))
    rig.reopen()
    rig.grow({"a": "changed", "b": "changed, too"})
    rig.cycle()
    assert (rig.contents["ckpt/a"], rig.contents["ckpt/b"]) == (b"changed", b"changed, too")
    rig.check()


# What is said


def test_the_events_of_a_checkpoint_come_in_the_order_of_its_lines(rig: Rig) -> None:
    rig.grow({"a": "12345"})
    rig.cycle()
    [said] = rig.progress
    assert (said.done, said.total, said.path) == (5, 5, str(rig.folder / "a"))
    assert rig.said() == ["Claimed", "Begun", "Progressed", "Committed", "Finished"]


def test_a_commit_that_sent_nothing_says_no_begin_and_no_progress(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.cycle()
    rig.said()
    (rig.folder / "a").unlink()
    rig.cycle()
    assert rig.said(Begun, Progressed, Committed) == ["Committed"]


def test_no_descriptor_stays_open(rig: Rig) -> None:
    rig.grow({"a": "1", "d/e/f": "2", "in": Link("d"), "out": Link("/etc"), "pipe": Fifo(), "big": b"0" * 17 * 2**20})
    before = set(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else set()
    rig.cycle()
    rig.grow({"a": "22"})
    rig.finish()
    assert rig.names == ["a", "big", "d/e/f", "in/e/f"]
    assert not before or len(os.listdir("/proc/self/fd")) <= len(before)


def test_no_thread_stays_behind(rig: Rig) -> None:
    rig.grow({"a": "1"})
    before = threading.active_count()
    rig.cycle()
    assert threading.active_count() == before


# Clocks


@pytest.mark.parametrize("create_only", [True, False])
def test_a_wall_clock_that_is_set_changes_nothing_but_the_times_in_the_records(
    tmp_path: Path, create_only: bool
) -> None:
    """Neither what is the newest, nor who is alone, nor when a cycle is due goes by it. The store has its own."""
    rig = Rig(tmp_path, create_only=create_only, keep=9)
    days = (0, -400, 900, -7)
    for number, jump in enumerate(days):
        rig.clock.jump(jump * 86_400)
        rig.grow({"a": f"generation {number}", f"new-{number}": "new"})
        rig.cycle()
        assert rig.restorable["a"] == b"generation %d" % number
        assert rig.stream._archive.epoch.names.alone
    rig.stream.close()
    rig.clock.jump(-5000 * 86_400)
    rig.stream = rig.another(writer=replace(WRITER, run="uuid-2", run_id="run-2"))
    rig.grow({"a": "of the next run"})
    rig.cycle()
    assert rig.restorable["a"] == b"of the next run"
    assert rig.stream._archive.epoch.names.alone
    times = [record["committed"] for record in rig.records]
    assert times != sorted(times)
