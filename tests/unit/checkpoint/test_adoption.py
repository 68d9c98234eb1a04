"""A stream that goes on where one of a process that died has stopped."""

from pathlib import Path

import pytest

from osmo.checkpoint.archive import Earlier
from osmo.errors import StoreError
from support.stores import Flaky, Request, is_content, is_record
from unit.checkpoint.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """One checkpoint was made, of two files."""
    rig = Rig(tmp_path)
    rig.grow({"a": "1", "b": "22"})
    rig.cycle()
    return rig


def noted(rig: Rig) -> Earlier:
    """What the first process has taken down of its newest checkpoint."""
    return Earlier(rig.newest["checkpoint"], {name: saved.stat for name, saved in rig.committed.saved.items()})


def puts(rig: Rig) -> list[str]:
    """The files that the next cycle sends, of a stream that has just begun."""
    return sorted(rig.sent(rig.cycle()))


def test_nothing_is_sent_and_nothing_committed_if_nothing_has_changed(rig: Rig) -> None:
    rig.stream = rig.another(noted(rig))
    assert puts(rig) == []
    assert len(rig.records) == 1
    assert rig.cycle() == []


def test_only_what_has_changed_is_sent(rig: Rig) -> None:
    rig.stream = rig.another(noted(rig))
    rig.grow({"b": "new", "c": "3"})
    assert puts(rig) == ["b", "c"]
    assert rig.names == ["a", "b", "c"]
    rig.check()


def test_what_was_committed_and_not_taken_down_is_not_sent_again(rig: Rig) -> None:
    known = noted(rig)
    rig.grow({"b": "new", "c": "3"})
    rig.cycle()
    rig.stream = rig.another(known)
    assert puts(rig) == []
    assert rig.names == ["a", "b", "c"]


def test_a_first_checkpoint_that_was_not_taken_down_is_not_made_again(rig: Rig) -> None:
    rig.stream = rig.another(Earlier(0, {}))
    assert puts(rig) == []
    assert len(rig.records) == 1


def test_where_nothing_was_committed_it_begins(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.stream = rig.another(Earlier(0, {}))
    rig.grow({"a": "1"})
    assert puts(rig) == ["a"]


def all_but_the_first_object(asked: Request) -> bool:
    return is_record(asked) or (is_content(asked) and not asked.key.endswith("-1"))


def test_what_the_first_one_had_sent_and_not_committed_is_sent_again_and_harms_nothing(rig: Rig) -> None:
    """The process died after the upload and before the commit. What it had sent goes."""
    known = noted(rig)
    rig.grow({"b": "new", "latest": "l"})
    rig.wrap = lambda store: Flaky(store, 10**6, all_but_the_first_object)
    rig.reopen()
    rig.fail()
    assert b"new" in rig.memory.objects.values()
    assert rig.restorable == {"a": b"1", "b": b"22"}
    rig.check()
    rig.wrap = lambda store: store
    rig.stream = rig.another(known)
    assert puts(rig) == ["b", "latest"]
    assert rig.contents == {"ckpt/a": b"1", "ckpt/b": b"new", "ckpt/latest": b"l"}
    assert len([key for key in rig.memory.objects if "/objects/" in key]) == 2
    rig.check()


def test_what_the_store_has_lost_is_sent_again_at_the_end(rig: Rig) -> None:
    rig.memory.delete("ckpt/a")
    rig.stream = rig.another(noted(rig))
    assert rig.sent(rig.finish()) == ["a"]
    rig.check()


def test_the_log_goes_on_with_the_next_number(rig: Rig) -> None:
    rig.stream = rig.another(noted(rig))
    rig.grow({"c": "3"})
    rig.cycle()
    assert [(record["kind"], record["log"], record["epoch"]) for record in rig.log] == [
        ("claim", 1, 1),
        ("claim", 3, 2),
        ("checkpoint", 4, 2),
    ]
    assert (rig.newest["checkpoint"], rig.newest["prev"]) == (2, [1, 2])


def test_a_store_that_does_not_answer_now_is_asked_again(rig: Rig) -> None:
    rig.wrap = lambda store: Flaky(store, 1)
    rig.stream = rig.another(noted(rig))
    with pytest.raises(StoreError):
        rig.cycle()
    rig.asked.take()
    assert puts(rig) == []
