from dataclasses import replace
from datetime import UTC, datetime

import pytest

from osmo.checkpoint import history
from osmo.checkpoint.history import Place
from osmo.checkpoint.manifest import Checkpoint, Trigger, Writer, encode, log_key
from osmo.errors import StoreError, UsageError
from support.memory import MemoryStore

NOW = datetime(2025, 4, 22, tzinfo=UTC)
RECORD = Checkpoint(1, None, Writer("uuid", "run-1", "t", 0, "here"), Trigger.FINAL, "/ckpt", NOW, NOW, ())


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    for stream, numbers in {"a.ckpt": (3, 4, 10), "b._": (1,)}.items():
        for number in numbers:
            store.put(log_key(stream, number), encode(replace(RECORD, number=number)))
    store.put(".osmo/a.ckpt/objects/00000001-1-1", b"no record")
    store.put(".osmo/a.ckpt/log/notes.txt", b"no record")
    store.put("ckpt/log/00000007.json", b"a file of the user's")
    return store


def test_every_record_is_found_and_nothing_else(store: MemoryStore) -> None:
    assert [(place.stream, place.number) for place in history.places(store)] == [
        ("a.ckpt", 3),
        ("a.ckpt", 4),
        ("a.ckpt", 10),
        ("b._", 1),
    ]


@pytest.mark.parametrize(
    ("stream", "number", "found"), [("a.ckpt", None, 10), ("a.ckpt", 4, 4), ("b._", None, 1), ("b._", 1, 1)]
)
def test_the_newest_or_the_one_that_is_asked_for(
    store: MemoryStore, stream: str, number: int | None, found: int
) -> None:
    place = history.find(store, stream, number)
    assert (place.stream, place.number) == (stream, found)
    assert history.read(store, place).number == found


@pytest.mark.parametrize(
    ("stream", "number", "message"),
    [
        (None, None, "holds checkpoints of a.ckpt, b._"),
        ("c", None, r"no checkpoint of c \(there is a.ckpt, b._\)"),
        ("a.ckpt", 5, r"no checkpoint 5 of a.ckpt \(there are 3 to 10\)"),
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


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "not a record"),
        (b"[1", "not a record"),
        (b"\x1f\x8bno gzip", "not a record"),
        (b'{"format": 99}', "a record of format 99"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(store: MemoryStore, body: bytes, message: str) -> None:
    store.put(log_key("b._", 2), body)
    with pytest.raises(StoreError, match=message) as caught:
        history.read(store, history.find(store, "b._", None))
    assert ".osmo/b._/log/00000002.json" in str(caught.value)


def test_a_record_that_was_removed_meanwhile_is_said_to_be(store: MemoryStore) -> None:
    with pytest.raises(StoreError, match="removed meanwhile"):
        history.read(store, Place("b._", 9, log_key("b._", 9)))
