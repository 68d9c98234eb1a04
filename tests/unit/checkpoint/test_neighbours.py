from datetime import timedelta

import pytest

from osmo.checkpoint.log import slots
from osmo.checkpoint.manifest import Record
from osmo.checkpoint.neighbours import closed_well, long_ago, shares
from support.memory import MemoryStore
from unit.checkpoint.records import STREAM, checkpoint, claim, close, put


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.mark.parametrize(
    ("records", "want"),
    [
        ([], True),
        ([claim(1), close(2)], True),
        ([claim(1), close(2, alone=False)], False),
        ([claim(1), close(2), claim(3, 2)], False),
        ([claim(1), checkpoint(2)], False),
    ],
)
def test_only_an_epoch_that_was_alone_and_closed_leaves_nothing_on_its_way(records: list[Record], want: bool) -> None:
    assert closed_well(records) == want


@pytest.mark.parametrize(("hours", "want"), [(23, False), (24, False), (25, True)])
def test_after_a_day_by_the_stores_clock_nothing_is_on_its_way(store: MemoryStore, hours: int, want: bool) -> None:
    put(store, claim(1), checkpoint(2))
    store.now += timedelta(hours=hours)
    put(store, claim(3, 2), checkpoint(4, 2))
    assert long_ago(slots(store, STREAM), 3) == want


def test_one_record_of_today_is_enough(store: MemoryStore) -> None:
    put(store, claim(1))
    store.now += timedelta(hours=25)
    put(store, checkpoint(2), claim(3, 2))
    assert not long_ago(slots(store, STREAM), 3)


def test_who_has_no_claim_there_knows_no_time(store: MemoryStore) -> None:
    put(store, claim(1))
    assert not long_ago(slots(store, STREAM), 2)


@pytest.mark.parametrize(
    ("prefix", "other", "want"),
    [
        ("ckpt", "ckpt", True),
        ("ckpt", "logs", False),
        ("ckpt", "ckpt2", False),
        ("", "ckpt", True),
        ("ckpt", "", True),
        ("", "", True),
    ],
)
def test_streams_share_where_their_plain_files_lie_in_the_same_place(
    store: MemoryStore, prefix: str, other: str, want: bool
) -> None:
    put(store, claim(1, prefix=prefix))
    assert not shares(store, STREAM, prefix)
    put(store, claim(1, prefix=other), stream="other")
    assert shares(store, STREAM, prefix) == want


def test_the_newest_record_says_where_another_stream_lies(store: MemoryStore) -> None:
    put(store, claim(1, prefix="ckpt"), claim(2, 2, prefix="logs"), stream="other")
    assert not shares(store, STREAM, "ckpt")


def test_of_a_stream_without_a_record_nobody_knows_where_it_lies(store: MemoryStore) -> None:
    store.put(".osmo/other/objects/00000001-00000001-1", b"")
    assert shares(store, STREAM, "ckpt")


def test_ones_own_stream_is_no_neighbour_whatever_its_name(store: MemoryStore) -> None:
    put(store, claim(1), stream="train.a\nb")
    assert not shares(store, "train.a\nb", "ckpt")
