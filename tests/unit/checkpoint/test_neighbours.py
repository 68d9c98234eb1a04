from datetime import timedelta

import pytest

from osmo.checkpoint.manifest import Record
from osmo.checkpoint.neighbours import closed_well, quiet, shares, streams
from support.clock import START
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


_DAY = timedelta(hours=24)
_SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("earlier", "want"),
    [
        ([(claim(1), _DAY + _SECOND), (checkpoint(2), _DAY + _SECOND)], True),
        ([(claim(1, alone=False), _DAY + _SECOND), (checkpoint(2), _DAY)], False),  # one record of today is enough
        ([(claim(1), None)], False),  # a store that does not tell
        ([(claim(1), 3 * _DAY), (claim(3, 2, alone=False), _DAY), (close(4, 2, alone=False), _SECOND)], True),
        ([(claim(1), _DAY), (claim(3, 2, alone=False), _SECOND), (close(4, 2, alone=False), _SECOND)], False),
        # What came before an epoch that was alone does not count, nor what came before a close that says so.
        ([(claim(1), _SECOND), (claim(3, 2), 2 * _DAY)], True),
        ([(claim(1), _SECOND), (claim(3, 2, alone=False), _SECOND), (close(4, 2), _SECOND)], True),
    ],
)
def test_after_a_day_of_silence_nothing_is_on_its_way(
    earlier: list[tuple[Record, timedelta | None]], want: bool
) -> None:
    mine = claim(9, 9, alone=False)
    records = {str(record.mark): record for record, _ in [*earlier, (mine, None)]}
    written = {str(record.mark): None if age is None else START - age for record, age in earlier}
    assert quiet(records, written | {str(mine.mark): START}, mine) == want


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
    assert not shares(store, STREAM, prefix, streams(store))
    put(store, claim(1, prefix=other), stream="other")
    assert shares(store, STREAM, prefix, streams(store)) == want


def test_the_newest_record_says_where_another_stream_lies(store: MemoryStore) -> None:
    put(store, claim(1, prefix="ckpt"), claim(2, 2, prefix="logs"), stream="other")
    assert not shares(store, STREAM, "ckpt", streams(store))


def test_of_a_stream_without_a_record_nobody_knows_where_it_lies(store: MemoryStore) -> None:
    store.put(".osmo/other/objects/00000001-00000001-1", b"")
    assert shares(store, STREAM, "ckpt", streams(store))


def test_ones_own_stream_is_no_neighbour_whatever_its_name(store: MemoryStore) -> None:
    put(store, claim(1), stream="train.a\nb")
    assert not shares(store, "train.a\nb", "ckpt", streams(store))
