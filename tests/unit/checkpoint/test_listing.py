from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from osmo.checkpoint import history, listing, log, tidy
from osmo.checkpoint.decoding import decode
from osmo.checkpoint.encoding import encode
from osmo.checkpoint.manifest import Checkpoint, FileRecord, Listing
from osmo.checkpoint.restore import Onlooker, restore
from osmo.checkpoint.room import Room, fetch
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import EMPTY, Files, Table, Unread
from osmo.checkpoint.tree import UNKNOWN
from osmo.errors import NotFound, StoreError, Unavailable
from support.memory import MemoryStore
from support.stores import Flaky, Recording
from unit.checkpoint.records import STREAM, checkpoint, claim, file, put
from unit.checkpoint.rig import Rig

PLACE = f".osmo/{STREAM}/objects/00000002-00000001-1"
FILES = [file(f"d{number % 3}/{number}", b"%d" % number) for number in range(10)]


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


def table(files: Iterable[FileRecord]) -> Table:
    return Files.of(files).table


def built_upon(store: MemoryStore, *files: FileRecord, number: int = 3, carried: int = 0) -> Checkpoint:
    """A checkpoint of these files; its record builds upon the listing of FILES, which is in the store."""
    found = listing.write(store, PLACE, table(FILES))
    return checkpoint(number, files=files, listing=replace(found, carried=carried))


def read(store: MemoryStore) -> Checkpoint:
    *_, newest = log.checkpoints(log.Reader(STREAM, 1).all(store).values())
    return newest


def test_a_record_says_only_what_differs_from_its_listing(memory: MemoryStore) -> None:
    new, other = file("new", b"new"), file("d0/3", b"other")
    found = built_upon(memory, *FILES[4:], other, new)
    header, *lines = encode(found).splitlines()
    assert len(lines) == 2
    assert b'"gone":["d0/0","d1/1","d2/2"]' in header
    put(memory, claim(1), found)
    assert read(memory) == found
    assert read(memory).files == Files.of([*FILES[4:], other, new])


def test_without_the_listing_a_record_is_read_and_its_files_are_not(memory: MemoryStore) -> None:
    found = decode(encode(built_upon(memory, *FILES)))
    assert isinstance(found, Checkpoint)
    assert (len(found.files), found.files.size) == (10, 10)
    with pytest.raises(StoreError, match=f"{PLACE} was not read"):
        iter(found.files).__next__()


def test_a_listing_is_read_once_for_all_that_build_upon_it(memory: MemoryStore) -> None:
    put(memory, claim(1), *(built_upon(memory, *FILES[number:], number=number) for number in (2, 3, 4)))
    asked = Recording(memory)
    reader = log.Reader(STREAM, 4)
    found = log.checkpoints(reader.all(asked).values())
    put(memory, built_upon(memory, *FILES, number=5))
    assert [len(each.files) for each in found] == [8, 7, 6]
    assert len(reader.all(asked)) == 5
    assert [key for method, key in asked.take() if key == PLACE] == [PLACE]
    assert len({id(each.files.table.folder("d0/")["9"]) for each in found}) == 1, "they share what is the same"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda store: store.delete(PLACE), "is not there any more"),
        (lambda store: store.put(PLACE, store.get(PLACE) + b"\n"), "damaged: other bytes"),
        (lambda store: store.put(PLACE, b""), "damaged: other bytes"),
        (lambda store: store.put(PLACE, store.get(PLACE).replace(b"d0/0", b"d0/X")), "damaged: other bytes"),
    ],
    ids=["lost", "longer", "empty", "another"],
)
def test_a_listing_that_is_lost_or_another_costs_only_the_files_of_its_checkpoint(
    memory: MemoryStore, tmp_path: Path, harm: object, message: str
) -> None:
    memory.put(f"ckpt/{FILES[0].name}", b"0")
    put(memory, claim(1), checkpoint(2, files=FILES[:1]), built_upon(memory, *FILES))
    harm(memory)  # type: ignore[operator]
    found = read(memory)
    assert isinstance(found.files, Unread)
    assert len(found.files) == 10
    with pytest.raises(StoreError, match=f"{PLACE}: the list of a checkpoint's files.*{message}"):
        restore(memory, STREAM, None, tmp_path / "new", Onlooker())
    assert not (tmp_path / "new").exists()
    outcome = restore(memory, STREAM, 2, tmp_path / "old", Onlooker())
    assert outcome.failures == {}
    assert [len(each.files) for each in history.checkpoints(memory, STREAM)] == [1, 10]
    assert tidy.find(memory, log.Reader(STREAM, 1), 1) == tidy.Garbage(), "somebody may repair it"


@pytest.mark.parametrize(
    "facts",
    [
        {"place": f".osmo/{STREAM}/log/00000003.json"},  # its own record
        {"place": "../../outside"},
        {"place": ""},
        {"place": "\ud800"},
        {"size": 2**62},
        {"size": 0},
        {"digest": ""},
    ],
    ids=str,
)
def test_a_record_may_say_of_its_listing_what_it_likes(memory: MemoryStore, facts: dict[str, object]) -> None:
    put(memory, claim(1), checkpoint(2, files=FILES[:1]))
    found = built_upon(memory, *FILES)
    assert found.listing is not None
    put(memory, replace(found, listing=replace(found.listing, **facts)))  # type: ignore[arg-type]
    newest = read(memory)
    with pytest.raises(StoreError, match="the list of a checkpoint's files"):
        iter(newest.files).__next__()


def test_no_more_of_a_listing_is_read_than_the_record_says(memory: MemoryStore) -> None:
    memory.put(PLACE, bytes(10_000_000))
    assert len(fetch(memory, PLACE, 5000)) < 10_000


def test_what_could_not_be_kept_in_memory_is_read_once_there_is_room(memory: MemoryStore) -> None:
    """The newest comes first. What is not there any more leaves its room to others."""
    records = [checkpoint(number, files=[file(f"{number}/{each}", b"") for each in range(100)]) for number in (2, 3)]
    put(memory, claim(1), *records)
    one = Room(10**9)
    decode(encode(records[0]), room=one)
    reader = log.Reader(STREAM, 1)
    reader._room = Room(int(1.5 * one.taken))
    old, new = log.checkpoints(reader.all(memory).values())
    assert (isinstance(old.files, Unread), isinstance(new.files, Unread)) == (True, False)
    for number in (2, 3):
        memory.delete(log.log_key(STREAM, records[number - 2].mark, "", exclusive=True))
    put(memory, checkpoint(4, files=records[0].files))
    [newest] = log.checkpoints(reader.all(memory).values())
    assert len(newest.files.table) == 100


def test_a_listing_of_a_newer_format_says_what_to_do(memory: MemoryStore) -> None:
    body = b'{"format":99}'
    memory.put(PLACE, body)
    with pytest.raises(StoreError, match="of format 99") as caught:
        listing.read(body, blake3(body).hexdigest())
    assert "newer version" in caught.value.hint


def test_an_outage_is_no_loss(memory: MemoryStore) -> None:
    put(memory, claim(1), built_upon(memory, *FILES))
    reader = log.Reader(STREAM, 1)
    with pytest.raises(Unavailable):
        reader.all(Flaky(memory, 1, lambda request: request.key == PLACE))
    assert len(log.checkpoints(reader.all(memory).values())[0].files.table) == 10


def test_a_listing_that_is_removed_together_with_its_record_is_not_missed(memory: MemoryStore) -> None:
    put(memory, claim(1), built_upon(memory, *FILES))

    class Tidied(Recording):
        def stream(self, key: str, size: int) -> Iterator[bytes]:
            if key == PLACE:
                memory.delete(f".osmo/{STREAM}/log/00000003.json")
                memory.delete(PLACE)
                put(memory, checkpoint(4, files=FILES[:2]))
            return super().stream(key, size)

    assert [len(each.files.table) for each in history.checkpoints(Tidied(memory), STREAM)] == [2]


def test_a_large_listing_goes_in_parts(memory: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_PART", 100)
    asked = Recording(memory)
    found = listing.write(asked, PLACE, table(FILES))
    assert asked.take() == [("put_parts", PLACE)]
    assert found.size == len(memory.get(PLACE)) > 100
    assert listing.read(fetch(asked, PLACE, found.size), found.digest) == Files.of(FILES)
    with pytest.raises(NotFound):
        fetch(memory, "nowhere", found.size)


@pytest.mark.parametrize(
    ("changed", "carried", "want"),
    [
        (0, 0, 0),
        (3, 0, 3),
        (3, 7, 10),
        (3, 8, None),  # all of them together would be more than the listing itself
    ],
)
def test_a_new_listing_is_due_when_the_differences_are_as_large_as_the_old_one(
    changed: int, carried: int, want: int | None
) -> None:
    base = checkpoint(3, files=FILES, listing=Listing(PLACE, "digest", 1, carried, Files.of(FILES)))
    now = table(file(each.name, b"new") if number < changed else each for number, each in enumerate(FILES))
    found = listing.follows(base, now)
    assert (None if found is None else found.carried) == want
    assert listing.follows(base, now, at_any_cost=True) is not None


def test_a_file_that_is_gone_counts_like_one_that_changed() -> None:
    base = checkpoint(3, files=FILES, listing=Listing(PLACE, "digest", 1, 0, Files.of(FILES)))
    found = listing.follows(base, table([*FILES[2:], file("new", b"new")]))
    assert found is not None
    assert found.carried == 3


def test_what_builds_upon_nothing_does_not_begin_by_itself() -> None:
    assert listing.follows(None, EMPTY) is None
    assert listing.follows(checkpoint(3, files=FILES), table(FILES)) is None


# In a stream


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(listing, "_WORTH_IT", 5)
    rig = Rig(tmp_path)
    rig.grow({f"d/{number}": f"{number}" for number in range(10)})
    return rig


def newest(rig: Rig) -> Checkpoint:
    *_, found = history.checkpoints(rig.memory, rig.stream.name)
    return found


def objects(rig: Rig) -> list[str]:
    return sorted(key for key in rig.memory.objects if "/objects/" in key)


def test_a_cycle_that_changed_one_of_many_files_names_one(rig: Rig) -> None:
    rig.cycle()
    first = newest(rig)
    assert first.listing is not None
    rig.grow({"d/3": "changed", "new": "new"})
    (rig.folder / "d/4").unlink()
    requests = rig.cycle()
    second = newest(rig)
    assert second.listing is not None
    assert (second.listing.place, second.listing.carried) == (first.listing.place, 3)
    record = next(body for key, body in sorted(rig.memory.objects.items(), reverse=True) if "/log/" in key)
    assert len(record.splitlines()) == 3
    assert {each.name for each in second.files} == {*(f"d/{n}" for n in range(10) if n != 4), "new"}
    assert first.listing.place not in [key for _, key in requests]


def test_a_listing_is_there_before_the_record_that_names_it_and_goes_when_none_does(rig: Rig) -> None:
    requests = rig.cycle()
    (place,) = objects(rig)
    log_key = [key for method, key in requests if method == "put_new" and "/log/" in key][-1]
    assert requests.index(("put", place)) < requests.index(("put_new", log_key))
    for number in range(6):
        rig.grow({f"d/{name}": f"{number} {name}" for name in range(4)})
        rig.cycle()
    found = newest(rig)
    assert found.listing is not None
    assert found.listing.place != place
    assert set(objects(rig)) == {found.listing.place, *found.files.table.objects()}


def test_a_stream_that_shrinks_needs_no_listing_any_more(rig: Rig) -> None:
    rig.cycle()
    for number in range(6):
        (rig.folder / f"d/{number}").unlink()
    rig.cycle()
    assert newest(rig).listing is None
    assert objects(rig) == []


def test_another_process_goes_on_from_the_listing(rig: Rig) -> None:
    rig.cycle()
    before = newest(rig).listing
    rig.stream = rig.another()
    rig.grow({"d/0": "other"})
    rig.cycle()
    after = newest(rig).listing
    assert before is not None
    assert after is not None
    assert (after.place, after.carried) == (before.place, 1)


def test_a_listing_without_an_answer_is_sent_under_another_name(rig: Rig) -> None:
    rig.wrap = lambda store: Flaky(store, 1, lambda request: request.method == "put" and "/objects/" in request.key)
    rig.fail()
    assert history.checkpoints(rig.memory, rig.stream.name) == []
    assert rig.stream._archive.epoch.clear is False
    rig.cycle()
    found = newest(rig).listing
    assert found is not None
    assert found.place.endswith("-2")


def test_a_writer_whose_base_lost_its_listing_makes_a_whole_checkpoint(rig: Rig) -> None:
    """Its task goes on, and so do its checkpoints: what cannot be restored any more need not be built upon."""
    rig.cycle()
    (place,) = objects(rig)
    rig.memory.delete(place)
    rig.stream = rig.another()
    rig.grow({"new": "new"})
    rig.cycle()
    assert {each.name for each in newest(rig).files} == {*(f"d/{n}" for n in range(10)), "new"}


def test_in_a_hurry_no_new_listing_is_sent(rig: Rig) -> None:
    rig.cycle()
    (place,) = objects(rig)
    rig.grow({f"d/{number}": "changed" for number in range(10)})
    (rig.folder / "d/11").write_text("new")
    rig.stream.deadline_s = rig.clock.monotonic() + 100
    rig.finish()
    found = newest(rig)
    assert found.listing is not None
    assert found.listing.place == place


def test_how_files_look_here_does_not_count() -> None:
    base = checkpoint(3, files=FILES, listing=Listing(PLACE, "digest", 1, 0, Files.of(FILES)))
    now = Table.of(Saved(UNKNOWN.but(size=1, inode=number), each) for number, each in enumerate(FILES))
    found = listing.follows(base, now)
    assert found is not None
    assert found.carried == 0
