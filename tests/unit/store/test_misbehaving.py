"""The stores that misbehave for other tests do it as they are told."""

from collections.abc import Callable

import pytest

from osmo.errors import Unavailable
from osmo.store.base import Store
from support.memory import MemoryStore
from support.stores import Killed, Killing, Late

WRITES: dict[str, Callable[[Store], object]] = {
    "put": lambda store: store.put("k", b"new"),
    "put_new": lambda store: store.put_new("new", b""),
    "put_parts": lambda store: store.put_parts("k", iter((b"n", b"w")), part_size=1, concurrency=1),
    "copy": lambda store: store.copy("source", "k", 1),
    "delete": lambda store: store.delete("k"),
}


@pytest.fixture
def memory() -> MemoryStore:
    memory = MemoryStore()
    memory.put("source", b"source")
    memory.put("k", b"old")
    return memory


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_late_write_is_applied_when_it_is_told(memory: MemoryStore, write: Callable[[Store], object]) -> None:
    late, before = Late(memory), dict(memory.objects)
    with pytest.raises(Unavailable):
        write(late)
    assert late.holds
    assert memory.objects == before
    late.put("other", b"later requests pass")
    late.apply()
    assert memory.objects.keys() ^ before.keys() != {"other"} or memory.objects["k"] != b"old"


def test_the_second_of_the_writes_that_are_picked_is_late(memory: MemoryStore) -> None:
    late = Late(memory, 2, lambda request: request.key == "k")
    late.put("k", b"1")
    late.put("other", b"")
    with pytest.raises(Unavailable):
        late.put("k", b"2")
    late.put("k", b"3")
    assert memory.objects["k"] == b"3"
    late.apply()
    assert memory.objects["k"] == b"2"


def test_nobody_hears_what_the_store_says_to_a_late_write(memory: MemoryStore) -> None:
    late = Late(memory)
    with pytest.raises(Unavailable):
        late.put_new("n", b"late")
    late.put_new("n", b"in time")
    late.apply()
    assert memory.objects["n"] == b"in time"


@pytest.mark.parametrize(("after", "left"), [(False, b"old"), (True, b"new")])
def test_a_process_ends_before_or_after_a_request(memory: MemoryStore, after: bool, left: bytes) -> None:
    killing = Killing(memory, 2, after=after)
    assert killing.get("k") == b"old"
    with pytest.raises(Killed):
        killing.put("k", b"new")
    assert memory.objects["k"] == left
    for request in (lambda: killing.get("k"), lambda: killing.delete("k"), lambda: killing.copy("source", "k", 1)):
        with pytest.raises(Killed):
            request()
    assert memory.objects["k"] == left
