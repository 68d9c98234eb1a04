import pytest
from blake3 import blake3

from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.verify import verify
from support.memory import MemoryStore
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
    assert verify(store, checkpoint(store), deep=deep, report=lambda file: seen.append(file.name)) == {}
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
        (found,) = verify(store, record, deep=deep, report=lambda _: None).items()
        assert found[0] == name
        assert problem in found[1]


def test_a_new_etag_with_the_same_bytes_is_no_damage() -> None:
    store = MemoryStore()
    record = checkpoint(store)
    store.etags["ckpt/a"] = "of a copied bucket"
    assert verify(store, record, deep=False, report=lambda _: None) == {}


def test_bytes_that_rotted_behind_the_stores_back_are_found_by_reading_only() -> None:
    store = MemoryStore()
    record = checkpoint(store)
    store.objects["ckpt/a"] = b"ckpt/X"
    assert verify(store, record, deep=False, report=lambda _: None) == {}
    assert verify(store, record, deep=True, report=lambda _: None).keys() == {"ckpt/a"}
