import pytest

from osmo.checkpoint.commit import Log, Taken, commit, newest_number
from osmo.checkpoint.manifest import log_key
from osmo.errors import NotFound, StoreError, Unavailable
from osmo.store.base import Store
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stores import Flaky, Losing, Request

STREAM = "train.ckpt"


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.mark.parametrize(
    ("names", "want"),
    [
        ([], 0),
        (["00000001.json"], 1),
        (["00000002.json", "00000010.json", "00000009.json"], 10),
        (["notes.txt", "00000003.json.gz", "00000001.json"], 1),
    ],
)
def test_the_newest_number_is_the_highest_record(memory: MemoryStore, names: list[str], want: int) -> None:
    for name in names:
        memory.put(f".osmo/{STREAM}/log/{name}", b"")
    memory.put(".osmo/train.ckpt2/log/00000099.json", b"")
    assert newest_number(memory, STREAM) == want


def test_a_record_that_is_there_with_our_bytes_is_ours(memory: MemoryStore) -> None:
    commit(memory, STREAM, 1, b"ours")
    commit(memory, STREAM, 1, b"ours")
    with pytest.raises(Taken):
        commit(memory, STREAM, 1, b"theirs")
    assert memory.get(log_key(STREAM, 1)) == b"ours"


def test_a_store_that_contradicts_itself_leaves_the_outcome_open(memory: MemoryStore) -> None:
    commit(memory, STREAM, 1, b"ours")

    def missing(key: str) -> bytes:
        raise NotFound(key)

    memory.get = missing  # type: ignore[method-assign]
    with pytest.raises(StoreError) as caught:
        commit(memory, STREAM, 1, b"ours")
    assert not isinstance(caught.value, Taken)


def append(log: Log, store: Store, word: str) -> int:
    return log.append(store, lambda number, before: f"{word} {number} after {before}".encode())


def test_records_follow_each_other_and_the_log_is_listed_once(memory: MemoryStore) -> None:
    commit(memory, STREAM, 7, b"of an earlier run")
    log = Log(STREAM, FakeClock())
    assert [append(log, memory, "one"), append(log, memory, "two")] == [8, 9]
    assert memory.get(log_key(STREAM, 8)) == b"one 8 after 7"
    assert memory.get(log_key(STREAM, 9)) == b"two 9 after 8"


def test_nothing_is_open_at_the_start_and_after_a_success(memory: MemoryStore) -> None:
    log = Log(STREAM, FakeClock())
    assert not log.settle(memory)
    append(log, memory, "one")
    assert not log.settle(memory)


@pytest.mark.parametrize("applied", [False, True])
def test_an_open_record_is_settled_with_its_own_bytes(memory: MemoryStore, applied: bool) -> None:
    log = Log(STREAM, FakeClock())

    def which(request: Request) -> bool:  # once it was applied, reading it cannot tell either
        return request.method == ("get" if applied else "put_new")

    store = Flaky(Losing(memory, 1) if applied else memory, 4, which)
    with pytest.raises(Unavailable):
        append(log, store, "one")
    assert (log_key(STREAM, 1) in memory.objects) == applied
    store.failures = 0
    assert log.settle(store)
    assert memory.get(log_key(STREAM, 1)) == b"one 1 after None"
    assert append(log, store, "two") == 2


def test_an_open_record_whose_number_was_taken_is_closed_without_a_trace(memory: MemoryStore) -> None:
    log = Log(STREAM, FakeClock())
    with pytest.raises(Unavailable):
        append(log, Flaky(memory, 4, lambda request: request.method == "put_new"), "one")
    commit(memory, STREAM, 1, b"theirs")
    assert not log.settle(memory)
    assert not log.settle(memory)
    assert append(log, memory, "two") == 2


def test_the_numbers_of_another_writer_are_passed_over(memory: MemoryStore) -> None:
    log = Log(STREAM, FakeClock())
    append(log, memory, "one")
    for number in range(2, 50):
        commit(memory, STREAM, number, b"theirs")
    asked: list[str] = []

    def which(request: Request) -> bool:
        asked.append(request.method)
        return False

    assert append(log, Flaky(memory, 0, which), "two") == 50
    assert len(asked) <= 5
