import pytest
from blake3 import blake3

from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.verify import verify
from support.memory import MemoryStore
from support.stores import Recording
from unit.checkpoint import records


def checkpoint(store: MemoryStore) -> Checkpoint:
    files = []
    for name in ("ckpt/a", "ckpt/deep/b", "single"):
        body = name.encode()
        etag = store.put(name, body)
        files.append(FileRecord(name, len(body), 0o600, 0, blake3(body).hexdigest(), name, etag))
    return records.checkpoint(1, files=tuple(files))


@pytest.mark.parametrize("deep", [False, True])
def test_what_is_as_it_should_be_has_no_problem(deep: bool) -> None:
    store = MemoryStore()
    seen: list[str] = []
    assert verify(store, records.STREAM, checkpoint(store), deep=deep, report=lambda file: seen.append(file.name)) == {}
    assert sorted(seen) == ["ckpt/a", "ckpt/deep/b", "single"]


@pytest.mark.parametrize("name", ["ckpt/a", "ckpt/deep/b", "single"])
@pytest.mark.parametrize("deep", [False, True])
def test_each_kind_of_damage_is_named(name: str, deep: bool) -> None:
    store = MemoryStore()
    record = checkpoint(store)
    good = store.objects[name]
    for body, problem in ((None, "missing"), (good + b"x", "bytes, not"), (b"x" * len(good), "other bytes")):
        store.delete(name)
        if body is not None:
            store.put(name, body)
        (found,) = verify(store, records.STREAM, record, deep=deep, report=lambda _: None).items()
        assert found[0] == name
        assert problem in found[1]


def test_a_new_etag_with_the_same_bytes_is_no_damage() -> None:
    store = MemoryStore()
    record = checkpoint(store)
    store.etags["ckpt/a"] = "of a copied bucket"
    assert verify(store, records.STREAM, record, deep=False, report=lambda _: None) == {}


def test_bytes_that_rotted_behind_the_stores_back_are_found_by_reading_only() -> None:
    store = MemoryStore()
    record = checkpoint(store)
    store.objects["ckpt/a"] = b"ckpt/X"
    assert verify(store, records.STREAM, record, deep=False, report=lambda _: None) == {}
    assert verify(store, records.STREAM, record, deep=True, report=lambda _: None).keys() == {"ckpt/a"}


def test_a_plain_file_that_was_overwritten_is_well_if_a_copy_has_its_bytes() -> None:
    store = MemoryStore()
    record = checkpoint(store)
    damaged = record.files.get("ckpt/a")
    assert damaged is not None
    old = f".osmo/{records.STREAM}/old/{damaged.digest}"
    store.put("ckpt/a", b"newer!")
    store.put(f"{old}.00000002-00000001-1", b"wrong")
    assert verify(store, records.STREAM, record, deep=False, report=lambda _: None).keys() == {"ckpt/a"}
    store.put(f"{old}.00000002-00000001-2", b"ckpt/a")
    for deep in (False, True):
        assert verify(store, records.STREAM, record, deep=deep, report=lambda _: None) == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"theirs", "other bytes: other.ckpt of run-2 wrote there"),
        (b"nobody", "other bytes: other.ckpt of run-2 writes there, too"),
        (b"longer than it was", "18 bytes, not 6: other.ckpt of run-2 writes there, too"),
    ],
)
def test_a_plain_file_that_another_task_overwrote_is_said_to_be(content: bytes, problem: str) -> None:
    store = MemoryStore()
    record = checkpoint(store)
    theirs = records.checkpoint(2, writer=records.TWO, files=(records.file("a", b"theirs"),))
    records.put(store, records.claim(1, writer=records.TWO), theirs, stream="other.ckpt")
    store.put("ckpt/a", content)
    assert verify(store, records.STREAM, record, deep=False, report=lambda _: None) == {"ckpt/a": problem}


def test_places_that_are_no_keys_are_a_problem_of_their_file() -> None:
    store = MemoryStore()
    record = records.checkpoint(
        1, files=tuple(records.file(place, b"x", place) for place in ("../x", "/etc/x", "a//b"))
    )
    problems = verify(store, records.STREAM, record, deep=True, report=lambda _: None)
    assert [problem.partition(" '")[0] for problem in problems.values()] == ["the record names the place"] * 3


def test_a_million_objects_that_are_missing_cost_one_listing() -> None:
    store = Recording(MemoryStore())
    record = records.checkpoint(1, files=tuple(records.file(f"{number}", b"x") for number in range(1000)))
    problems = verify(store, records.STREAM, record, deep=False, report=lambda _: None)
    assert len(problems) == 1000
    assert len(store.take()) < 10
