from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from osmo.checkpoint import log, tidy
from osmo.checkpoint.manifest import FileRecord, Mark
from osmo.errors import StoreError, Unavailable
from osmo.store.base import Unfinished
from support.memory import MemoryStore
from support.stores import Flaky, Recording, Request, Wrapper
from unit.checkpoint.records import STREAM, TWO, checkpoint, claim, close, file, put

FOLDER = f".osmo/{STREAM}"


def name(number: int, epoch: int = 1, count: int = 1) -> str:
    return f"{FOLDER}/objects/{number:08}-{epoch:08}-{count}"


def record(number: int) -> str:
    return f"{FOLDER}/log/{number:08}.json"


def held(store: MemoryStore, number: int, count: int = 1) -> FileRecord:
    """A file whose content is in the object of this name."""
    store.put(name(number, 1, count), b"content")
    return file(f"file-{number}-{count}", b"content", name(number, 1, count))


@pytest.fixture
def store() -> MemoryStore:
    """Three checkpoints, each of an object of its own and of one that the first one sent."""
    store = MemoryStore()
    shared = held(store, 2, 9)
    put(
        store,
        claim(1),
        checkpoint(2, files=(shared, held(store, 2))),
        checkpoint(3, prev=Mark(1, 2), files=(shared, held(store, 3))),
        checkpoint(4, prev=Mark(1, 3), files=(shared, held(store, 4))),
    )
    return store


def find(store: MemoryStore, keep: int, *, spare: bool = True) -> tuple[set[str], set[str]]:
    garbage = tidy.find(store, log.Reader(STREAM, 1), keep, spare=spare)
    return set(garbage.records), set(garbage.objects)


@pytest.mark.parametrize(
    ("keep", "records", "objects"),
    [(1, {record(2), record(3)}, {name(2), name(3)}), (2, {record(2)}, {name(2)}), (3, set(), set())],
)
def test_what_only_older_checkpoints_name_goes(
    store: MemoryStore, keep: int, records: set[str], objects: set[str]
) -> None:
    assert find(store, keep) == (records, objects)
    assert tidy.find(store, log.Reader(STREAM, 1), keep).size == 7 * len(objects)


def test_the_digests_of_a_kept_files_blocks_stay_and_those_of_others_go(store: MemoryStore) -> None:
    for number in (4, 5):
        store.put(name(number, 1, 7), b"digests")
    old, new = (replace(held(store, number), blocks=name(number, 1, 7)) for number in (4, 5))
    put(store, checkpoint(5, prev=Mark(1, 4), files=(new,)))
    newer, older = checkpoint(5, files=(new,)), checkpoint(4, files=(old,))
    assert name(4, 1, 7) in find(store, 1)[1]
    assert name(5, 1, 7) not in find(store, 1)[1]
    assert set(tidy.after_commit([older], [newer], [name(5), name(5, 1, 7)])) == {name(4), name(4, 1, 7)}


def test_of_a_stream_without_checkpoints_nothing_goes() -> None:
    store = MemoryStore()
    put(store, claim(1), close(2))
    store.put(name(2), b"being sent")
    assert find(store, 1) == (set(), set())


def test_claims_never_go_and_closes_do_once_there_is_a_newer_checkpoint(store: MemoryStore) -> None:
    put(store, close(5), claim(6, 2), checkpoint(7, 2, prev=Mark(1, 4)), close(8, 2))
    assert find(store, 4)[0] == {record(5)}
    assert find(store, 1)[0] == {record(2), record(3), record(4), record(5)}


@pytest.mark.parametrize(
    ("key", "goes"),
    [
        (name(4, 1, 5), True),  # of a try before the newest checkpoint
        (name(2, 1, 5), True),
        (name(9, 0), True),  # of an owner before
        (name(5), False),  # of the next checkpoint: it is being sent
        (name(5, 2), False),  # of the next owner
        (name(3, 2), False),
        (f"{FOLDER}/objects/notes.txt", False),
    ],
)
def test_what_no_checkpoint_names_goes_unless_a_later_one_may(store: MemoryStore, key: str, goes: bool) -> None:
    store.put(key, b"1")
    assert (key in find(store, 3)[1]) == goes


def test_copies_of_plain_files_stay_while_a_kept_checkpoint_has_such_bytes_at_its_key(store: MemoryStore) -> None:
    plain = file("plain", b"old")
    put(store, checkpoint(5, prev=Mark(1, 4), files=(plain,)), checkpoint(6, prev=Mark(1, 5)))
    needed, other = f"{FOLDER}/old/{plain.digest}.00000006-00000001-1", f"{FOLDER}/old/0a0b.00000006-00000001-2"
    store.put(needed, b"old")
    store.put(other, b"of an earlier one")
    assert find(store, 2)[1] & {needed, other} == {other}
    assert find(store, 1)[1] & {needed, other} == {needed, other}


def test_a_copy_is_not_needed_where_the_content_lies_in_an_object(store: MemoryStore) -> None:
    copy = f"{FOLDER}/old/{file('x', b'content').digest}.00000004-00000001-1"
    store.put(copy, b"content")
    assert copy in find(store, 3)[1]


def test_the_checkpoint_of_an_earlier_run_stays_unless_it_is_not_to_be_spared(store: MemoryStore) -> None:
    put(store, claim(5, 2, TWO), checkpoint(6, 2, TWO, prev=Mark(1, 4), spared=Mark(1, 4)))
    put(store, checkpoint(7, 2, TWO, prev=Mark(2, 6), spared=Mark(1, 4)))
    assert find(store, 1) == ({record(2), record(3), record(6)}, {name(2), name(3)})
    assert find(store, 1, spare=False)[0] == {record(2), record(3), record(4), record(6)}


def test_objects_are_listed_before_the_log_is_read(store: MemoryStore) -> None:
    """What is sent and committed in between is named by the log that is read, or was not there when it was listed."""
    asked = Recording(store)

    def meanwhile(request: Request) -> None:
        if request == Request("list", f"{FOLDER}/log"):
            asked.then = lambda _: None
            put(store, checkpoint(5, prev=Mark(1, 4), files=(held(store, 5),)))

    asked.then = meanwhile
    garbage = tidy.find(asked, log.Reader(STREAM, 1), 1)
    assert [key.rpartition("/")[2] for method, key in asked.take() if method == "list"] == ["objects", "old", "log"]
    assert name(5) not in garbage.objects
    assert name(4) in garbage.objects


@pytest.mark.parametrize(("exclusive", "goes"), [(True, True), (False, False)])
def test_while_somebody_takes_over_nothing_goes_where_the_number_alone_does_not_keep_him(
    exclusive: bool, goes: bool
) -> None:
    store = MemoryStore(create_only=exclusive)
    records = (claim(1), checkpoint(2, files=(held(store, 2),)), checkpoint(3, prev=Mark(1, 2)))
    put(store, *records, claim(4, 2, TWO), exclusive=exclusive)
    assert (find(store, 1) != (set(), set())) == goes
    put(store, checkpoint(5, 2, TWO, count=3, prev=Mark(1, 3)), exclusive=exclusive)
    assert name(2) in find(store, 1)[1]


def test_after_a_commit_goes_what_was_dropped_or_sent_and_is_not_named(store: MemoryStore) -> None:
    plain = file("plain", b"1")
    dropped = checkpoint(2, files=(held(store, 2), held(store, 2, 9), plain))
    kept = checkpoint(4, files=(held(store, 4), held(store, 2, 9)))
    given = (name(4), name(4, 1, 7))
    assert tidy.after_commit([dropped], [kept], given) == sorted((name(2), name(4, 1, 7)))


def test_what_a_checkpoint_may_name_that_could_not_be_read_does_not_go(store: MemoryStore) -> None:
    dropped = checkpoint(2, files=(held(store, 2),))
    lost, newest = checkpoint(3), checkpoint(6, 2)
    given = (name(6, 2, 1), name(7, 2, 1))
    unread = {lost.mark}
    assert tidy.after_commit([dropped], [lost, newest], given, unread) == sorted(given)
    assert tidy.after_commit([dropped], [newest], given, unread) == sorted((name(2), *given))


def test_records_go_before_objects_and_twice_is_no_harm(store: MemoryStore) -> None:
    asked = Recording(store)
    garbage = tidy.find(store, log.Reader(STREAM, 1), 1)
    assert tidy.remove(asked, garbage, 1) == []
    assert ["/log/" in key for _, key in asked.take()] == [True, True, False, False]
    assert find(store, 1) == (set(), set())
    assert tidy.remove(store, garbage, 1) == []


@pytest.mark.parametrize("at_once", [1, 4])
def test_what_cannot_be_removed_costs_nothing_else(store: MemoryStore, at_once: int) -> None:
    garbage = tidy.find(store, log.Reader(STREAM, 1), 1)
    [left] = tidy.remove(Flaky(store, 1, lambda asked: asked.key == name(2)), garbage, at_once)
    assert isinstance(left, Unavailable)
    assert find(store, 1) == (set(), {name(2)})


@pytest.mark.parametrize("at_once", [1, 4])
def test_no_object_goes_while_a_record_stays_that_may_name_it(store: MemoryStore, at_once: int) -> None:
    garbage = tidy.find(store, log.Reader(STREAM, 1), 1)
    assert len(tidy.remove(Flaky(store, 1, lambda asked: asked.key == record(3)), garbage, at_once)) == 1
    assert find(store, 1) == ({record(3)}, {name(2), name(3)})


# Uploads that nobody ended


class Listing(Wrapper):
    """A server that does not tell of uploads."""

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        raise StoreError("not allowed")


def test_uploads_that_earlier_owners_left_are_ended(store: MemoryStore) -> None:
    put(store, claim(5, 2, TWO))
    long_ago, now = store.now - timedelta(hours=25), store.now
    ended = [
        Unfinished(name(5), "1", now),
        Unfinished("ckpt/model.pt", "2", long_ago),
    ]
    left = [
        Unfinished(name(6, 2), "3", now),
        Unfinished("ckpt/other.pt", "4", now),  # may be another program's
        Unfinished("ckpt2/model.pt", "5", long_ago),
        Unfinished(".osmo/other/objects/00000001-00000001-1", "6", long_ago),
    ]
    store.uploads = [*ended, *left]
    tidy.abort_uploads(store, STREAM, "ckpt", 2)
    assert store.uploads == left


def test_where_plain_files_lie_at_the_url_itself_their_uploads_are_left_alone(store: MemoryStore) -> None:
    store.uploads = [Unfinished("model.pt", "1", store.now - timedelta(hours=25))]
    tidy.abort_uploads(store, STREAM, "", 2)
    assert len(store.uploads) == 1


def test_a_server_that_does_not_tell_of_uploads_is_no_trouble(store: MemoryStore) -> None:
    tidy.abort_uploads(Listing(store), STREAM, "ckpt", 2)
