from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from osmo.checkpoint import log
from osmo.checkpoint.decoding import decode
from osmo.checkpoint.epoch import Epoch, Fenced, Place
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, FileRecord, Mark, Record, Writer
from osmo.checkpoint.table import Files
from osmo.errors import NotFound, StoreError, Unavailable
from osmo.store.base import Object, Store
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stores import Flaky, Losing, Recording, Request, Wrapper, is_record
from unit.checkpoint.records import ONE, STREAM, TWO, checkpoint, claim, close, file, put

OBJECT = f".osmo/{STREAM}/objects/00000002-00000001-1"


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


def epoch(writer: Writer = ONE, *, exclusive: bool = True, keep: int = 1, shared: bool = False) -> Epoch:
    place = Place(STREAM, "ckpt", shared, keep, at_once=1)
    return Epoch(place, writer, FakeClock(), log.Reader(STREAM, 1), exclusive=exclusive)


def claimed(store: Store, writer: Writer = ONE, *, exclusive: bool = True, keep: int = 1) -> Epoch:
    found = epoch(writer, exclusive=exclusive, keep=keep)
    found.claim(store)
    return found


def next_of(owner: Epoch, *files: FileRecord) -> Checkpoint:
    """What the owner would commit next."""
    base = owner.base
    return checkpoint(
        owner.next_mark.number,
        owner.epoch,
        owner.writer,
        count=1 if base is None else base.number + 1,
        prev=None if base is None else base.mark,
        files=files,
        behind=owner.will_be_behind(Files.of(files).table),
    )


def records(store: MemoryStore) -> list[tuple[type[Record], int, int]]:
    """Kind, epoch and number of all records, oldest first."""
    return [(type(each), *each.mark) for each in log.Reader(STREAM, 1).all(store).values()]


# Claims


def test_the_first_claim_has_number_and_epoch_one_and_is_alone(memory: MemoryStore) -> None:
    owner = claimed(memory)
    assert records(memory) == [(Claim, 1, 1)]
    assert (owner.base, owner.kept, owner.former, owner.names.alone) == (None, [], None, True)
    assert owner.next_mark == Mark(1, 2)


def test_a_claim_takes_the_next_number_and_epoch_and_knows_the_newest_checkpoint(memory: MemoryStore) -> None:
    put(memory, claim(1), checkpoint(4), checkpoint(6, prev=Mark(1, 4)))
    owner = claimed(memory, TWO, keep=2)
    assert records(memory)[-1] == (Claim, 2, 7)
    made = decode(memory.get(f".osmo/{STREAM}/log/00000007.json"))
    assert isinstance(made, Claim)
    assert (made.base, made.alone, made.writer) == (Mark(1, 6), False, TWO)
    assert owner.base is not None
    assert owner.base.mark == Mark(1, 6)
    assert [each.mark.number for each in owner.kept] == [4, 6]
    assert (owner.former, owner.names.alone) == (ONE, False)


@pytest.mark.parametrize(
    ("end", "alone"),
    [(close(3), True), (checkpoint(3, prev=Mark(1, 2)), False), (None, False)],
)
def test_a_claim_is_alone_after_a_close(memory: MemoryStore, end: Record | None, alone: bool) -> None:
    put(memory, claim(1), checkpoint(2), *([] if end is None else [end]))
    owner = claimed(memory, TWO)
    assert owner.names.alone == alone
    assert owner.former == (None if isinstance(end, Close) else ONE)


@pytest.mark.parametrize(("hours", "alone"), [(23, False), (25, True)])
def test_a_day_after_a_writer_that_did_not_close_a_claim_is_alone_again(
    memory: MemoryStore, hours: int, alone: bool
) -> None:
    put(memory, claim(1), checkpoint(2))
    memory.now += timedelta(hours=hours)
    assert claimed(memory, TWO).names.alone == alone


def test_where_others_are_known_to_write_nobody_is_alone(memory: MemoryStore) -> None:
    owner = epoch(shared=True)
    owner.claim(memory)
    assert not owner.names.alone
    put(memory, claim(1), stream="other.ckpt")
    memory.delete(f".osmo/{STREAM}/log/00000001.json")
    assert not claimed(memory).names.alone


def test_what_was_behind_at_the_close_is_behind_now(memory: MemoryStore) -> None:
    put(memory, claim(1), checkpoint(2, behind=("a", "b")), close(3, behind=("b",)))
    assert claimed(memory).behind == {"b"}
    memory.delete(f".osmo/{STREAM}/log/00000003.json")
    assert claimed(memory).behind == {"a", "b"}


def test_a_number_that_another_claims_at_the_same_time_leads_to_the_next(memory: MemoryStore) -> None:
    store = Recording(memory)

    def overtaken(request: Request) -> None:
        if is_record(request) and not memory.objects:
            claimed(memory, TWO)

    store.then = overtaken
    owner = claimed(store)
    assert records(memory) == [(Claim, 1, 1), (Claim, 2, 2)]
    assert (owner.epoch, owner.number, owner.former) == (2, 2, TWO)


def test_a_claim_that_lands_on_a_number_that_was_freed_does_not_count(memory: MemoryStore) -> None:
    """The owner made two checkpoints meanwhile, and the first of them went."""
    first = claimed(memory)
    store = Recording(memory)

    def meanwhile(request: Request) -> None:
        if is_record(request) and len(memory.objects) == 1:
            first.commit(memory, next_of(first))
            first.commit(memory, next_of(first))
            memory.delete(f".osmo/{STREAM}/log/00000002.json")

    store.then = meanwhile
    second = claimed(store, TWO)
    assert records(memory) == [(Claim, 1, 1), (Checkpoint, 1, 3), (Claim, 2, 2), (Claim, 3, 4)]
    assert second.base is not None
    assert (second.epoch, second.number, second.base.mark) == (3, 4, Mark(1, 3))
    assert second.former == ONE  # not the one who made the first of its two claims
    with pytest.raises(Fenced):
        first.commit(memory, next_of(first))


def test_a_store_that_never_lists_a_record_that_it_has_is_an_error_and_not_asked_for_ever(memory: MemoryStore) -> None:
    class Stale(Wrapper):
        def list(self, prefix: str) -> Iterator[Object]:
            return (each for each in super().list(prefix) if not each.key.endswith("00000002.json"))

    put(memory, claim(1), checkpoint(2))
    with pytest.raises(StoreError, match="does not list all that it holds"):
        claimed(Stale(memory), TWO)
    assert len(memory.objects) == 2


def test_a_claim_whose_answer_was_lost_is_ones_own(memory: MemoryStore) -> None:
    owner = claimed(Losing(memory, 2, is_record))
    assert records(memory) == [(Claim, 1, 1)]
    assert (owner.former, owner.names.alone, owner.clear) == (None, True, True)


# Commits


def test_a_commit_is_the_base_and_the_number_goes_on(memory: MemoryStore) -> None:
    owner = claimed(memory, keep=2)
    for _ in range(3):
        owner.commit(memory, next_of(owner))
    assert owner.base is not None
    assert (owner.base.mark, owner.number) == (Mark(1, 4), 4)
    assert [each.mark.number for each in owner.kept] == [3, 4]
    assert [each.mark.number for each in owner.dropped] == [2]


def test_the_files_in_objects_are_behind_until_they_were_copied(memory: MemoryStore) -> None:
    owner = claimed(memory)
    a, b = file("a", b"1", OBJECT), file("b", b"2")
    owner.commit(memory, next_of(owner, a, b))
    assert owner.behind == {"a"}
    owner.behind = set()
    assert owner.will_be_behind(Files.of((a, b)).table) == ()
    assert owner.will_be_behind(Files.of([file("a", b"2", OBJECT.removesuffix("1") + "2")]).table) == ("a",)
    assert owner.will_be_behind(Files.of([file("c", b"1", OBJECT)]).table) == ("c",)
    owner.behind = {"a"}
    assert owner.will_be_behind(Files.of((a, b)).table) == ("a",)


def test_a_writer_whose_number_is_taken_is_fenced_by_whom_took_it(memory: MemoryStore) -> None:
    first = claimed(memory)
    second = claimed(memory, TWO)
    second.commit(memory, next_of(second))
    before = dict(memory.objects)
    with pytest.raises(Fenced) as caught:
        first.commit(memory, next_of(first))
    assert (caught.value.by, str(caught.value)) == (TWO, "fenced by run-2 on there")
    assert memory.objects == before
    assert not first.settle(memory)


def test_who_claimed_since_is_found_by_asking(memory: MemoryStore) -> None:
    first = claimed(memory)
    first.check(memory)
    second = claimed(memory, TWO)
    second.commit(memory, next_of(second))
    with pytest.raises(Fenced, match="run-2 on there"):
        first.check(memory)
    second.check(memory)


@pytest.mark.parametrize("applied", [False, True])
def test_a_commit_without_an_answer_is_settled_with_its_own_bytes(memory: MemoryStore, applied: bool) -> None:
    owner = claimed(memory)
    assert not owner.settle(memory)
    down = Flaky(Losing(memory, 1, is_record) if applied else memory, 3 if applied else 4, _later(applied))
    with pytest.raises(Unavailable):
        owner.commit(down, next_of(owner, file("a", b"1")))
    assert owner.base is None
    assert (f".osmo/{STREAM}/log/00000002.json" in memory.objects) == applied
    assert owner.settle(memory)
    assert owner.base is not None
    assert [each.name for each in owner.base.files] == ["a"]
    assert not owner.settle(memory)
    assert records(memory) == [(Claim, 1, 1), (Checkpoint, 1, 2)]


def _later(applied: bool) -> Callable[[Request], bool]:
    """Refuses what writes a record: from the first time on, or from the second."""
    seen: list[Request] = []

    def which(request: Request) -> bool:
        seen.append(request)
        return is_record(request) and len(seen) > applied

    return which


def test_an_open_commit_whose_number_went_to_another_is_over(memory: MemoryStore) -> None:
    owner = claimed(memory)
    with pytest.raises(Unavailable):
        owner.commit(Flaky(memory, 4, is_record), next_of(owner))
    claimed(memory, TWO)
    with pytest.raises(Fenced, match="run-2"):
        owner.settle(memory)
    assert not owner.settle(memory)


def test_a_commit_that_a_later_owner_has_tidied_already_is_over(memory: MemoryStore) -> None:
    """It was applied, its answer was lost, and the next owner made a checkpoint and removed it."""
    owner = claimed(memory)
    store = Recording(Losing(memory, 1, is_record))

    def tidied(request: Request) -> None:
        if request.method == "head" and request.key.endswith("2.json"):
            store.then = lambda _: None
            second = claimed(memory, TWO)
            second.commit(memory, next_of(second))
            memory.delete(request.key)

    store.then = tidied
    with pytest.raises(Fenced, match="run-2"):
        owner.commit(store, next_of(owner))


def test_a_store_that_contradicts_itself_leaves_the_outcome_open(memory: MemoryStore) -> None:
    owner = claimed(memory)
    real = memory.get

    def missing(key: str) -> bytes:
        raise NotFound(key)

    memory.get = missing  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="contradicts itself") as caught:
        owner.commit(Losing(memory, 1, is_record), next_of(owner))
    assert not isinstance(caught.value, Fenced)
    memory.get = real  # type: ignore[method-assign]
    assert owner.settle(memory)


# The end


def test_a_close_says_what_is_behind_and_whether_the_epoch_was_alone(memory: MemoryStore) -> None:
    owner = claimed(memory)
    owner.commit(memory, next_of(owner, file("b", b"1", OBJECT), file("a", b"1", OBJECT)))
    owner.close(memory)
    made = decode(memory.get(f".osmo/{STREAM}/log/00000003.json"))
    assert isinstance(made, Close)
    assert (made.behind, made.alone) == (("a", "b"), True)
    assert claimed(memory, TWO).names.alone


@pytest.mark.parametrize("open_", [True, False])
def test_who_has_an_open_request_does_not_close(memory: MemoryStore, open_: bool) -> None:
    owner = claimed(memory)
    if open_:
        with pytest.raises(Unavailable):
            owner.commit(Flaky(memory, 4, is_record), next_of(owner))
    owner.clear = False
    before = dict(memory.objects)
    owner.close(memory)
    assert memory.objects == before


# Servers that ignore create-only


@pytest.fixture
def lax() -> MemoryStore:
    return MemoryStore(create_only=False)


def test_a_new_owner_writes_the_base_once_more_under_its_own_epoch(lax: MemoryStore) -> None:
    a = file("a", b"1", OBJECT)
    put(lax, claim(1), checkpoint(2, count=9, files=(a,), behind=("a",)), close(3, behind=()), exclusive=False)
    owner = claimed(lax, TWO, exclusive=False)
    assert records(lax) == [(Claim, 1, 1), (Checkpoint, 1, 2), (Close, 1, 3), (Claim, 2, 4), (Checkpoint, 2, 5)]
    assert owner.base is not None
    assert (owner.base.mark, owner.base.number, owner.base.prev, owner.base.files) == (
        Mark(2, 5),
        9,
        Mark(1, 2),
        Files.of([a]),
    )
    assert owner.behind == set()


def test_without_a_base_there_is_nothing_to_write_once_more(lax: MemoryStore) -> None:
    claimed(lax, exclusive=False)
    assert records(lax) == [(Claim, 1, 1)]


def test_of_two_claims_of_one_epoch_the_later_reader_claims_anew(lax: MemoryStore) -> None:
    store = Recording(lax)

    def at_once(request: Request) -> None:
        if is_record(request) and not lax.objects:
            claimed(lax, TWO, exclusive=False)

    store.then = at_once
    owner = claimed(store, exclusive=False)
    assert records(lax) == [(Claim, 1, 1), (Claim, 1, 1), (Claim, 2, 2)]
    assert (owner.epoch, owner.names.alone) == (2, False)


def test_a_commit_counts_only_if_nobody_claimed_a_higher_epoch_meanwhile(lax: MemoryStore) -> None:
    first = claimed(lax, exclusive=False)
    first.commit(lax, next_of(first, file("a", b"1")))
    store = Recording(lax)

    def overtaken(request: Request) -> None:
        if is_record(request):
            store.then = lambda _: None
            claimed(lax, TWO, exclusive=False)

    store.then = overtaken
    with pytest.raises(Fenced, match="run-2"):
        first.commit(store, next_of(first, file("a", b"late")))
    kept = log.kept(log.Reader(STREAM, 1).all(lax).values(), 1)
    assert kept[-1].writer == ONE
    assert [each.digest for each in kept[-1].files] == [file("a", b"1").digest]


# A server that heeds create-only now and then: one writer has found that it does, another that it does not


def test_who_finds_names_that_cannot_meet_gives_such_names(memory: MemoryStore) -> None:
    zombie = claimed(memory, exclusive=False)
    newcomer = claimed(memory, TWO, exclusive=True)
    assert newcomer.exclusive is False
    assert newcomer.epoch > zombie.epoch
    with pytest.raises(Fenced, match="run-2"):
        zombie.commit(memory, next_of(zombie))
    newcomer.commit(memory, next_of(newcomer))
    assert newcomer.base is not None


def test_a_zombie_that_trusts_its_number_sees_the_newcomer_that_does_not(memory: MemoryStore) -> None:
    zombie = claimed(memory, exclusive=True)
    newcomer = claimed(memory, TWO, exclusive=False)
    zombie.commit(memory, next_of(zombie))  # its number is free: the newcomer's record has another name
    with pytest.raises(Fenced, match="run-2"):
        zombie.check(memory)
    newcomer.commit(memory, next_of(newcomer, file("a", b"of the newcomer")))
    newcomer.check(memory)
    *_, newest = log.checkpoints(log.Reader(STREAM, 1).all(memory).values())
    assert newest.writer == TWO


def test_a_zombie_s_higher_number_fences_nobody(memory: MemoryStore) -> None:
    zombie = claimed(memory, exclusive=True)
    newcomer = claimed(memory, TWO, exclusive=False)
    for _ in range(3):
        zombie.commit(memory, next_of(zombie))
    assert zombie.number > newcomer.number
    newcomer.commit(memory, next_of(newcomer))
    assert newcomer.base is not None


def test_a_claim_that_is_not_listed_does_not_count(memory: MemoryStore) -> None:
    """An empty listing is no answer: obstore takes an error that comes as 200 for one."""
    put(memory, claim(1), checkpoint(2, files=(file("a", b"a"),)), close(3))

    class Empty(Wrapper):
        def list(self, prefix: str) -> Iterator[Object]:
            return iter(())

    for exclusive in (True, False):
        with pytest.raises(StoreError, match="does not list all that it holds|written, and not listed"):
            claimed(Empty(memory), TWO, exclusive=exclusive)


def test_where_a_number_is_not_enough_a_commit_that_is_not_listed_is_open(memory: MemoryStore) -> None:
    owner = claimed(memory, exclusive=False)
    hidden = [""]

    class Hiding(Wrapper):
        def list(self, prefix: str) -> Iterator[Object]:
            return (each for each in self.inner.list(prefix) if each.key not in hidden)

    hidden[:] = [log.log_key(STREAM, owner.next_mark, ONE.id, exclusive=False)]
    with pytest.raises(Unavailable, match="written, and not listed"):
        owner.commit(Hiding(memory), next_of(owner))
    assert owner.settle(memory)
    assert owner.base is not None
