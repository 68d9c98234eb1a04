import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint import log
from osmo.checkpoint.encoding import encode
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, Mark, Record
from osmo.errors import NoRecord, StoreError, Unavailable
from support.memory import MemoryStore
from support.stores import Flaky, Recording, Request
from unit.checkpoint.records import STREAM, checkpoint, claim, close, put


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


# Names


@pytest.mark.parametrize(
    ("exclusive", "key"),
    [(True, ".osmo/train.ckpt/log/00000042.json"), (False, ".osmo/train.ckpt/log/00000042.00000003.0a01.json")],
)
def test_a_record_has_one_name_where_create_only_holds_and_one_of_its_writers_elsewhere(
    exclusive: bool, key: str
) -> None:
    assert log.log_key(STREAM, Mark(3, 42), "0a01", exclusive=exclusive) == key
    assert log.is_exclusive(key) == exclusive


def test_what_is_no_record_is_not_exclusive() -> None:
    assert not log.is_exclusive(".osmo/train.ckpt/log/notes.txt")


def test_the_log_of_a_stream_of_any_name_has_a_key() -> None:
    assert log.log_key("train.a\nb", Mark(1, 1), "", exclusive=True) == ".osmo/train.a%0Ab/log/00000001.json"


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("00000042.json", (42, None)),
        ("123456789.json", (123456789, None)),
        ("00000042.00000003.0a0b.json", (42, 3)),
        ("00000042.json.gz", None),
        ("x.json", None),
        ("00000042", None),
        ("42.json", None),
        ("00000042.3.0a0b.json", None),
    ],
)
def test_a_listing_shows_records_and_nothing_else(
    memory: MemoryStore, name: str, want: tuple[int, int | None] | None
) -> None:
    memory.put(f".osmo/{STREAM}/log/{name}", b"")
    memory.put(".osmo/train.ckpt2/log/00000099.json", b"")
    assert [(slot.number, slot.epoch) for slot in log.slots(memory, STREAM)] == ([] if want is None else [want])


# Reading


def test_records_come_in_the_order_in_which_they_came_about(memory: MemoryStore) -> None:
    put(memory, claim(1), checkpoint(2), checkpoint(10), claim(9, 2), checkpoint(11, 2))
    read = log.Reader(STREAM, 1).all(memory)
    assert [record.mark.number for record in read.values()] == [1, 2, 10, 9, 11]
    assert read[f".osmo/{STREAM}/log/00000010.json"] == checkpoint(10)


def test_a_record_is_read_once(memory: MemoryStore) -> None:
    put(memory, claim(1), checkpoint(2))
    store, reader = Recording(memory), log.Reader(STREAM, 4)
    reader.all(store)
    put(memory, checkpoint(3))
    store.take()
    assert len(reader.all(store)) == 3
    assert store.take() == [("list", f".osmo/{STREAM}/log"), ("get", f".osmo/{STREAM}/log/00000003.json")]


def test_what_one_wrote_oneself_is_not_read(memory: MemoryStore) -> None:
    store, reader = Recording(memory), log.Reader(STREAM)
    put(memory, claim(1))
    reader.add(f".osmo/{STREAM}/log/00000001.json", claim(1))
    assert list(reader.all(store).values()) == [claim(1)]
    assert store.take() == [("list", f".osmo/{STREAM}/log")]


def test_records_that_are_removed_while_they_are_read_make_it_look_again(memory: MemoryStore) -> None:
    put(memory, claim(1), checkpoint(2))
    store = Recording(memory)

    def tidied(request: Request) -> None:
        if request == Request("get", f".osmo/{STREAM}/log/00000002.json") and len(memory.objects) == 2:
            put(memory, checkpoint(3))
            memory.delete(request.key)

    store.then = tidied
    assert [record.mark.number for record in log.Reader(STREAM, 1).all(store).values()] == [1, 3]


def test_a_record_that_is_gone_is_forgotten(memory: MemoryStore) -> None:
    reader = log.Reader(STREAM)
    put(memory, claim(1), checkpoint(2), checkpoint(3))
    reader.all(memory)
    assert reader.keys_of([Mark(1, 2), Mark(1, 9)]) == [f".osmo/{STREAM}/log/00000002.json"]
    memory.delete(f".osmo/{STREAM}/log/00000002.json")
    assert [record.mark.number for record in reader.all(memory).values()] == [1, 3]
    assert reader.keys_of([Mark(1, 2), Mark(1, 3)]) == [f".osmo/{STREAM}/log/00000003.json"]


@pytest.mark.parametrize("at_once", [1, 4])
def test_an_outage_and_a_strange_record_are_errors(memory: MemoryStore, at_once: int) -> None:
    put(memory, claim(1), checkpoint(2))
    with pytest.raises(Unavailable):
        log.Reader(STREAM, at_once).all(Flaky(memory, 1, lambda request: request.method == "get"))
    memory.put(f".osmo/{STREAM}/log/00000003.json", b'{"format": 99}')
    with pytest.raises(StoreError, match=r"00000003.json: a record of format 99") as caught:
        log.Reader(STREAM, at_once).all(memory)
    assert "newer version" in caught.value.hint


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("body", [b"", encode(checkpoint(7))])
def test_what_is_no_record_of_its_number_is_an_error_or_passed_over(
    memory: MemoryStore, at_once: int, body: bytes
) -> None:
    put(memory, claim(1), checkpoint(2))
    memory.put(f".osmo/{STREAM}/log/00000003.json", body)
    with pytest.raises(NoRecord, match="00000003.json"):
        log.Reader(STREAM, at_once).all(memory)
    passed_over: list[NoRecord] = []
    records = log.Reader(STREAM, at_once).all(memory, passed_over).values()
    assert [record.mark.number for record in records] == [1, 2]
    [error] = passed_over
    assert "00000003.json" in str(error)


# What stays restorable


def chain(*numbers: int, epoch: int = 1) -> list[Record]:
    """Checkpoints, each after the one before."""
    found: list[Record] = []
    for number in numbers:
        found.append(checkpoint(number, epoch, prev=found[-1].mark if found else None))
    return found


def kept(records: list[Record], keep: int) -> list[int]:
    return [each.mark.number for each in log.kept(records, keep)]


@pytest.mark.parametrize(("keep", "want"), [(1, [5]), (2, [3, 5]), (3, [2, 3, 5]), (9, [2, 3, 5])])
def test_the_newest_and_so_many_before_it_stay(keep: int, want: list[int]) -> None:
    assert kept([claim(1), *chain(2, 3, 5), close(6)], keep) == want


def test_of_a_log_without_checkpoints_nothing_stays() -> None:
    assert log.kept([claim(1), close(2)], 1) == []


def test_what_is_not_before_the_newest_does_not_stay() -> None:
    """Another branch: a record that a server which ignores create-only took from a former owner."""
    stray = checkpoint(6, 1, prev=Mark(1, 5))
    records = [*chain(2, 5), stray, claim(6, 2), checkpoint(7, 2, prev=Mark(1, 5))]
    assert kept(records, 3) == [2, 5, 7]


def test_a_chain_ends_where_a_record_is_missing() -> None:
    assert kept([checkpoint(2), checkpoint(5, prev=Mark(1, 4))], 3) == [5]


def test_a_chain_that_leads_to_itself_ends() -> None:
    assert kept([checkpoint(2, prev=Mark(1, 3)), checkpoint(3, prev=Mark(1, 3))], 3) == [3]


def test_a_checkpoint_that_was_written_once_more_counts_once() -> None:
    once_more = checkpoint(5, 2, count=3, prev=Mark(1, 3))
    records = [*chain(2, 3), claim(4, 2), once_more, checkpoint(6, 2, prev=Mark(2, 5))]
    assert kept(records, 1) == [6]
    assert kept(records, 2) == [3, 5, 6]
    assert kept(records, 3) == [2, 3, 5, 6]


def test_the_last_one_of_an_earlier_run_stays_beside_the_others() -> None:
    spared = checkpoint(3, prev=Mark(1, 2))
    mine = [checkpoint(number, 2, prev=Mark(2, number - 1), spared=spared.mark) for number in (6, 7, 8)]
    records: list[Record] = [checkpoint(2), spared, claim(4, 2), *mine]
    assert kept(records, 1) == [3, 8]
    assert kept(records, 2) == [3, 7, 8]
    assert kept(records, 9) == [3, 6, 7, 8]


marks = st.builds(Mark, st.integers(1, 3), st.integers(1, 12))


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Any log, also one that no writer of ours would leave."""
    found: dict[Mark, Record] = {}
    for mark in draw(st.lists(marks, max_size=12)):
        kind = draw(st.sampled_from((Claim, Close, Checkpoint)))
        if kind is Claim:
            found[mark] = claim(mark.number, mark.epoch)
        elif kind is Close:
            found[mark] = close(mark.number, mark.epoch)
        else:
            prev, spared = draw(st.none() | marks), draw(st.none() | marks)
            count = draw(st.integers(1, 6))
            found[mark] = checkpoint(mark.number, mark.epoch, count=count, prev=prev, spared=spared)
    return draw(st.permutations(list(found.values())))


@given(logs(), st.integers(1, 5), st.integers(0, 5))
def test_a_larger_keep_never_keeps_less_and_the_newest_always_stays(
    records: list[Record], keep: int, more: int
) -> None:
    checkpoints = sorted((each for each in records if isinstance(each, Checkpoint)), key=lambda each: each.mark)
    fewer = log.kept(records, keep)
    assert {each.mark for each in fewer} <= {each.mark for each in log.kept(records, keep + more)}
    assert {each.mark for each in fewer} <= {each.mark for each in checkpoints}
    assert fewer[-1:] == checkpoints[-1:]
    assert [each.mark for each in fewer] == sorted(each.mark for each in fewer)
    of_chain = {each.number for each in fewer} - {each.number for each in fewer if each.mark == fewer[-1].spared}
    assert len(of_chain) <= keep


@given(logs(), st.integers(1, 5))
def test_what_stays_is_the_same_once_the_rest_is_gone(records: list[Record], keep: int) -> None:
    """So a tidy that was interrupted, or comes twice, does not take more."""
    stays = log.kept(records, keep)
    assert log.kept([each for each in records if not isinstance(each, Checkpoint) or each in stays], keep) == stays
