"""Who comes after another writer: what it learns, whom it spares, and whose stream it does not take back."""

from dataclasses import replace
from pathlib import Path

import pytest

from osmo.checkpoint.archive import Earlier
from osmo.checkpoint.epoch import Fenced
from osmo.checkpoint.events import Claimed
from osmo.checkpoint.manifest import Writer
from osmo.checkpoint.stream import Stream
from osmo.checkpoint.tree import Stat
from osmo.errors import StoreError, Unavailable
from support.stores import Flaky, is_record
from unit.checkpoint.rig import WRITER, Rig

LATER_RUN = replace(WRITER, run="uuid-2", run_id="run-2", id="0c0d")
LATER_ATTEMPT = replace(WRITER, attempt=1, id="0e0f")
SAME_ATTEMPT = replace(WRITER, id="0a0c")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A run made a checkpoint of two files, and ended."""
    rig = Rig(tmp_path)
    rig.grow({"a": "1", "b": "22"})
    rig.cycle()
    rig.stream.close()
    rig.asked.take()
    rig.said()
    return rig


def claimed(rig: Rig) -> Claimed:
    return [event for event in rig.events if isinstance(event, Claimed)][-1]


def numbers(rig: Rig) -> list[int]:
    return [record["checkpoint"] for record in rig.records]


# What is learnt


def test_another_run_sends_only_what_differs(rig: Rig) -> None:
    rig.stream = rig.another(writer=LATER_RUN)
    rig.grow({"b": "new", "c": "3"})
    assert sorted(rig.sent(rig.cycle())) == ["b", "c"]
    assert rig.restorable == {"a": b"1", "b": b"new", "c": b"3"}
    assert rig.contents == {"ckpt/a": b"1", "ckpt/b": b"new", "ckpt/c": b"3"}
    rig.check()


def test_a_run_whose_store_does_not_answer_at_the_claim_learns_it_later(rig: Rig) -> None:
    rig.stream = rig.another(writer=LATER_RUN)
    rig.wrap = lambda store: Flaky(store, 5, is_record)
    assert isinstance(rig.fail(), Unavailable)
    assert rig.sent(rig.cycle()) == []
    assert claimed(rig).former is None


def test_a_run_that_did_not_say_that_it_had_ended_is_named(rig: Rig) -> None:
    rig.another(writer=LATER_ATTEMPT).claim()
    rig.stream = rig.another(writer=LATER_RUN)
    rig.cycle()
    assert claimed(rig).former == LATER_ATTEMPT
    rig.stream = rig.another(writer=replace(LATER_RUN, attempt=1))
    rig.cycle()
    assert claimed(rig).former is None, "an earlier attempt of the same run is no other run"


# What stays of an earlier run


def test_the_checkpoint_of_an_earlier_run_stays_beside_those_of_a_run_that_does_not_go_on_from_it(rig: Rig) -> None:
    rig.stream = rig.another(writer=LATER_RUN)
    for content in ("x", "yy", "zzz"):
        rig.grow({"a": content})
        rig.cycle()
    inherited = claimed(rig).inherited
    assert inherited is not None
    assert (inherited.number, inherited.writer) == (1, WRITER)
    assert numbers(rig) == [1, 4]
    first = {file["name"]: file for file in rig.records[0]["files"]}
    assert (rig.memory.objects[first["b"]["place"]], rig.contents["ckpt/a"]) == (b"22", b"zzz")
    (old,) = [key for key in rig.memory.objects if f"/old/{first['a']['digest']}." in key]
    assert rig.memory.objects[old] == b"1"
    rig.check()


def test_it_stays_for_a_later_attempt_of_that_run_too(rig: Rig) -> None:
    for attempt in (0, 1):
        rig.stream = rig.another(writer=replace(LATER_RUN, attempt=attempt, id=f"0c0{attempt}"))
        rig.grow({"a": f"of attempt {attempt}"})
        rig.cycle()
        assert numbers(rig) == [1, 2 + attempt]
    assert claimed(rig).inherited is None


def test_only_that_of_the_last_earlier_run_stays(rig: Rig) -> None:
    for run in (2, 3):
        rig.stream = rig.another(writer=replace(WRITER, run=f"uuid-{run}", id=f"0c0{run}"))
        rig.grow({"a": f"of run {run}"})
        rig.cycle()
    assert numbers(rig) == [2, 3]


def test_it_goes_once_some_run_went_on_from_it(rig: Rig) -> None:
    rig.stream = rig.another(writer=LATER_RUN)
    base = rig.stream.claim()
    assert base is not None
    rig.stream.restored({})
    rig.grow({"a": "more"})
    rig.cycle()
    assert numbers(rig) == [2]


def test_what_one_run_spared_is_not_spared_by_another_that_goes_on_from_it(rig: Rig) -> None:
    rig.stream = rig.another(writer=LATER_RUN)
    rig.grow({"a": "of run 2"})
    rig.cycle()
    assert numbers(rig) == [1, 2]
    rig.stream = rig.another(writer=replace(WRITER, run="uuid-3", id="0c03"))
    rig.stream.claim()
    rig.stream.restored({})
    rig.grow({"a": "of run 3"})
    rig.cycle()
    assert numbers(rig) == [3]


def test_files_that_were_restored_and_still_look_so_are_not_read_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats = {name: Stat.of((rig.folder / name).stat()) for name in ("a", "b")}
    rig.stream = rig.another(writer=LATER_RUN)
    rig.stream.claim()
    rig.stream.restored(stats)

    def unread(descriptor: int, count: int, at: int) -> bytes:
        raise AssertionError("it was read")

    monkeypatch.setattr("osmo.checkpoint.reader.os.pread", unread)
    assert rig.sent(rig.cycle()) == []


# Whose stream it is


@pytest.mark.parametrize("heir", [LATER_RUN, LATER_ATTEMPT])
def test_a_process_that_takes_over_an_attempt_does_not_take_its_stream_back_from_an_heir(
    rig: Rig, heir: Writer
) -> None:
    rig.another(writer=heir).claim()
    before = dict(rig.memory.objects)
    rig.stream = rig.another(Earlier(1, {}), writer=SAME_ATTEMPT)
    with pytest.raises(Fenced) as caught:
        rig.cycle()
    assert (caught.value.by, rig.memory.objects) == (heir, before)


@pytest.mark.parametrize("former", [WRITER, SAME_ATTEMPT])
def test_it_takes_it_over_from_an_earlier_process_of_the_same_attempt(rig: Rig, former: Writer) -> None:
    rig.another(writer=former).claim()
    rig.stream = rig.another(Earlier(1, {}), writer=replace(WRITER, id="0a0d"))
    assert rig.sent(rig.cycle()) == []
    rig.grow({"a": "more"})
    rig.cycle()
    assert numbers(rig) == [2]


def test_an_attempt_that_had_claimed_nothing_yet_takes_over_like_any_other(rig: Rig) -> None:
    rig.stream = rig.another(Earlier(0, {}), writer=LATER_RUN)
    rig.cycle()
    assert rig.log[-1]["writer"]["run"] == "uuid-2"


def test_a_newer_attempt_takes_over_and_the_older_one_is_fenced(rig: Rig) -> None:
    older: Stream = rig.another(writer=SAME_ATTEMPT)
    older.claim()
    rig.another(writer=LATER_ATTEMPT).claim()
    rig.stream = older
    rig.grow({"a": "late"})
    with pytest.raises(Fenced):
        rig.cycle()
    assert older.lost_to is None, "a newer attempt is no other run"
    assert rig.restorable == {"a": b"1", "b": b"22"}


# Leftovers


def test_what_a_writer_that_died_had_sent_goes_after_the_next_commit(rig: Rig) -> None:
    dead = rig.another(writer=SAME_ATTEMPT)
    dead.claim()
    left = dead._archive.epoch.names.object(4)
    rig.memory.put(left, b"never committed")
    rig.stream = rig.another(writer=LATER_ATTEMPT)
    rig.grow({"a": "more"})
    rig.cycle()
    assert left not in rig.memory.objects
    rig.check()


def test_checkpoints_that_a_person_pruned_meanwhile_are_no_trouble(tmp_path: Path) -> None:
    rig = Rig(tmp_path, keep=3)
    for number in range(3):
        rig.grow({"a": "x" * (number + 1)})
        rig.cycle()
    rig.memory.delete(".osmo/train.ckpt/log/00000002.json")
    rig.stream = rig.another(writer=SAME_ATTEMPT)
    rig.stream.claim()
    rig.memory.delete(".osmo/train.ckpt/log/00000003.json")
    for number in range(3, 7):
        rig.grow({"a": "x" * (number + 1)})
        rig.cycle()
    assert numbers(rig) == [5, 6, 7]
    rig.check()


def test_a_store_that_removes_nothing_costs_no_checkpoint(rig: Rig) -> None:
    rig.stream = rig.another(writer=LATER_ATTEMPT)
    rig.wrap = lambda store: Flaky(store, 10**6, lambda request: request.method == "delete", StoreError)
    for content in ("x", "yy", "zzz"):
        rig.grow({"a": content})
        rig.cycle()
    assert numbers(rig) == [1, 2, 3, 4]
    rig.check()
