import pytest

from osmo.checkpoint import history
from osmo.checkpoint.manifest import Mark, Record
from osmo.errors import StoreError, UsageError
from support.memory import MemoryStore
from unit.checkpoint.records import ONE, TWO, checkpoint, claim, close, put


@pytest.fixture
def store() -> MemoryStore:
    """Of `a.ckpt` the checkpoints 1, 2 and 7, of `b._` the first one, of `c.new` none yet."""
    store = MemoryStore()
    put(store, claim(1), checkpoint(2, count=1), checkpoint(4, count=2), checkpoint(12, count=7), stream="a.ckpt")
    put(store, claim(1), checkpoint(2, count=1), close(3), stream="b._")
    put(store, claim(1), stream="c.new")
    store.put(".osmo/a.ckpt/objects/00000001-1-1", b"no record")
    store.put(".osmo/a.ckpt/log/notes.txt", b"no record")
    store.put(".osmo/d.ckpt/objects/00000001-1-1", b"of a stream without a record")
    store.put("ckpt/log/00000007.json", b"a file of the user's")
    return store


def test_every_checkpoint_is_found_and_nothing_else(store: MemoryStore) -> None:
    assert history.streams(store) == ("a.ckpt", "b._", "c.new")
    assert [each.number for each in history.checkpoints(store, "a.ckpt")] == [1, 2, 7]
    assert history.checkpoints(store, "c.new") == []


def test_a_checkpoint_that_a_later_owner_wrote_once_more_counts_once(store: MemoryStore) -> None:
    put(store, claim(13, 2), checkpoint(14, 2, count=7, prev=Mark(1, 12)), stream="a.ckpt")
    assert [(each.number, each.mark.epoch) for each in history.checkpoints(store, "a.ckpt")] == [(1, 1), (2, 1), (7, 2)]


def test_the_newest_is_never_that_of_a_writer_who_was_fenced(store: MemoryStore) -> None:
    put(store, claim(14, 2), checkpoint(15, 2, count=7), checkpoint(13, 1, count=8), stream="a.ckpt")
    assert history.find(store, "a.ckpt", None)[1].number == 7


def test_what_a_fenced_writer_made_after_the_newcomer_had_looked_does_not_count(store: MemoryStore) -> None:
    """Where numbers do not exclude it, its record is there until a tidy: it is not shown, and cannot be chosen."""
    zombie = [checkpoint(14, count=8, prev=Mark(1, 12)), checkpoint(16, count=9, prev=Mark(1, 14))]
    newcomer: list[Record] = [claim(13, 2), checkpoint(14, 2, TWO, count=7, prev=Mark(1, 12))]
    put(store, *zombie, *newcomer, checkpoint(15, 2, TWO, count=8, prev=Mark(2, 14)), exclusive=False, stream="a.ckpt")
    found = [(each.number, each.writer) for each in history.checkpoints(store, "a.ckpt")]
    assert found == [(1, ONE), (2, ONE), (7, TWO), (8, TWO)]
    with pytest.raises(UsageError, match="no checkpoint 9"):
        history.find(store, "a.ckpt", 9)


def test_what_was_there_when_the_newcomer_looked_counts_although_its_base_is_gone(store: MemoryStore) -> None:
    put(store, claim(13, 2), checkpoint(15, 2, TWO, count=9, prev=Mark(2, 14)), stream="a.ckpt")
    assert [each.number for each in history.checkpoints(store, "a.ckpt")] == [1, 2, 7, 9]


@pytest.mark.parametrize(
    ("stream", "number", "found"), [("a.ckpt", None, 7), ("a.ckpt", 2, 2), ("b._", None, 1), ("b._", 1, 1)]
)
def test_the_newest_or_the_one_that_is_asked_for(
    store: MemoryStore, stream: str, number: int | None, found: int
) -> None:
    name, record = history.find(store, stream, number)
    assert (name, record.number) == (stream, found)


def test_the_only_stream_needs_no_name() -> None:
    store = MemoryStore()
    put(store, claim(1), checkpoint(2, count=1), stream="t.a\nb")
    name, record = history.find(store, None, None)
    assert (name, record.number) == ("t.a%0Ab", 1)
    assert history.find(store, "t.a\nb", 1) == (name, record)


@pytest.mark.parametrize(
    ("stream", "number", "message"),
    [
        (None, None, "holds checkpoints of a.ckpt, b._"),
        ("x", None, r"no checkpoint of x \(there are those of a.ckpt, b._, c.new\)"),
        ("a.ckpt", 5, r"no checkpoint 5 of a.ckpt \(it has 1, 2, 7\)"),
        ("c.new", None, "no checkpoint of c.new yet"),
    ],
)
def test_a_choice_that_is_none_says_what_there_is(
    store: MemoryStore, stream: str | None, number: int | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        history.find(store, stream, number)


def test_a_url_without_checkpoints_says_so() -> None:
    with pytest.raises(UsageError, match="there is no checkpoint"):
        history.find(MemoryStore(), None, None)


@pytest.mark.parametrize(("body", "message"), [(b"{}", "not a record"), (b'{"format": 99}', "a record of format 99")])
def test_a_record_that_cannot_be_read_is_named(store: MemoryStore, body: bytes, message: str) -> None:
    store.put(".osmo/b._/log/00000004.json", body)
    with pytest.raises(StoreError, match=message) as caught:
        history.find(store, "b._", None)
    assert ".osmo/b._/log/00000004.json" in str(caught.value)
