from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from osmo.checkpoint import log, upkeep
from osmo.checkpoint.epoch import Fenced
from osmo.checkpoint.manifest import Close, FileRecord, Mark, Record
from osmo.checkpoint.upkeep import Brought, Busy
from osmo.errors import StoreError
from osmo.store.base import Object
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stores import Flaky, Wrapper
from unit.checkpoint.records import ONE, STREAM, checkpoint, claim, close, file, put

OTHER = "other.ckpt"
OBJECTS = f".osmo/{STREAM}/objects"


@pytest.fixture(params=[True, False], ids=["create-only", "create-only ignored"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    return MemoryStore(create_only=request.param)


def plain(store: MemoryStore, name: str, content: bytes = b"content") -> FileRecord:
    """A file at its key."""
    return file(name, content, etag=store.put(f"ckpt/{name}", content))


def apart(store: MemoryStore, name: str, content: bytes = b"content") -> FileRecord:
    """A file in an object of its own."""
    place = f"{OBJECTS}/00000002-00000001-{len(store.objects)}"
    return file(name, content, place, store.put(place, content))


def saved(
    store: MemoryStore, *files: FileRecord, behind: tuple[str, ...] = (), stream: str = STREAM, closed: bool = True
) -> None:
    """A stream with one checkpoint of these files, whose writer has ended."""
    exclusive = store.create_only
    put(store, claim(1), checkpoint(2, files=files, behind=behind), exclusive=exclusive, stream=stream)
    if closed:
        put(store, close(3, behind=behind), exclusive=exclusive, stream=stream)


def log_of(store: MemoryStore, stream: str = STREAM) -> list[Record]:
    return list(log.Reader(stream, 1).all(store).values())


def is_closed(store: MemoryStore, stream: str = STREAM) -> bool:
    return isinstance(log_of(store, stream)[-1], Close)


def bring_up(store: MemoryStore) -> Brought:
    with upkeep.owned(store, STREAM, "somebody", "here", FakeClock(), force=False) as epoch:
        return upkeep.bring_up(store, epoch)


def gone(store: MemoryStore, prefix: str = "ckpt", dropped: tuple[str, ...] = ()) -> list[str]:
    return [each.key for each in upkeep.gone(store, prefix, dropped)]


class TestOwned:
    def test_it_is_claimed_by_name_and_given_back(self, store: MemoryStore) -> None:
        saved(store, plain(store, "a"))
        with upkeep.owned(store, STREAM, "somebody", "here", FakeClock(), force=False) as epoch:
            assert epoch.epoch == 2
            assert epoch.base is not None
            assert [each.name for each in epoch.base.files] == ["a"]
        last = log_of(store)[-1]
        assert isinstance(last, Close)
        assert (last.writer.run, last.writer.task, last.writer.host) != (ONE.run, ONE.task, ONE.host)
        assert str(last.writer) == "somebody on here"

    def test_it_is_given_back_after_an_error_too(self, store: MemoryStore) -> None:
        saved(store, plain(store, "a"))
        with (
            pytest.raises(RuntimeError, match="within"),
            upkeep.owned(store, STREAM, "somebody", "here", FakeClock(), force=False),
        ):
            raise RuntimeError("within")
        assert is_closed(store)

    @pytest.mark.parametrize(
        ("age", "closed", "force", "refused"),
        [
            (timedelta(minutes=90), False, False, True),
            (timedelta(hours=23), False, False, True),
            (timedelta(hours=25), False, False, False),
            (timedelta(minutes=90), True, False, False),
            (timedelta(minutes=90), False, True, False),
        ],
    )
    @pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=3), timedelta(days=-3)], ids=str)
    def test_a_writer_that_may_be_there_still_is_not_disturbed(
        self, store: MemoryStore, age: timedelta, closed: bool, force: bool, refused: bool, ahead: timedelta
    ) -> None:
        """By the store's clock alone, wherever ours is."""
        clock = FakeClock()
        store.now = clock.now() - ahead - age
        saved(store, plain(store, "a"), closed=closed)
        store.now += age
        before = dict(store.objects)
        try:
            with upkeep.owned(store, STREAM, "somebody", "here", clock, force=force):
                assert not refused
        except Busy as error:
            assert refused
            assert str(error).startswith(f"{STREAM}: run-1 on here may still be writing: ")
            assert str(error).endswith(f" {max(0, round(age.total_seconds() / 60))} minutes old")
            assert store.objects == before

    def test_who_was_there_is_fenced_by_force(self, store: MemoryStore) -> None:
        saved(store, plain(store, "a"), closed=False)
        by_force = partial(upkeep.owned, store, STREAM, host="here", clock=FakeClock(), force=True)
        with by_force(who="first") as first, by_force(who="second"), pytest.raises(Fenced, match="by second on here"):
            first.check(store)

    def test_beneath_a_prefix_every_stream_is_owned(self, store: MemoryStore) -> None:
        saved(store, plain(store, "a"))
        saved(store, plain(store, "b"), stream=OTHER)
        elsewhere = (claim(1, prefix="elsewhere"), replace(close(2), prefix="elsewhere"))
        put(store, *elsewhere, exclusive=store.create_only, stream="apart.elsewhere")
        with upkeep.owned_beneath(store, "ckpt", "somebody", "here", FakeClock(), force=False):
            closed = {name: is_closed(store, name) for name in (STREAM, OTHER, "apart.elsewhere")}
        assert closed == {STREAM: False, OTHER: False, "apart.elsewhere": True}
        assert all(is_closed(store, name) for name in closed)

    def test_if_one_of_them_is_written_the_others_are_given_back(self, store: MemoryStore) -> None:
        clock = FakeClock()
        store.now = clock.now()
        saved(store, plain(store, "a"), stream="a.ckpt")
        saved(store, plain(store, "b"), stream="b.ckpt", closed=False)
        with (
            pytest.raises(Busy, match=r"b\.ckpt"),
            upkeep.owned_beneath(store, "ckpt", "somebody", "here", clock, force=False),
        ):
            pytest.fail("nobody may write there now")
        assert is_closed(store, "a.ckpt")
        assert {record.mark.epoch for record in log_of(store, "b.ckpt")} == {1}


class TestBringUp:
    def test_what_is_missing_is_copied_and_what_is_there_is_let_alone(self, store: MemoryStore) -> None:
        saved(store, plain(store, "a"), apart(store, "b", b"new b"), apart(store, "c", b"new c"))
        store.put("ckpt/c", b"is it c?")
        assert bring_up(store) == Brought(1)
        assert {name: store.objects[f"ckpt/{name}"] for name in "abc"} == {
            "a": b"content",
            "b": b"new b",
            "c": b"is it c?",  # no record says that it is behind
        }
        assert bring_up(store) == Brought(0)

    def test_what_a_record_says_is_older_is_overwritten(self, store: MemoryStore) -> None:
        saved(store, apart(store, "a", b"new"), behind=("a",))
        store.put("ckpt/a", b"old")
        assert bring_up(store) == Brought(1)
        assert store.objects["ckpt/a"] == b"new"

    def test_the_only_copy_that_is_missing_is_named(self, store: MemoryStore) -> None:
        saved(store, plain(store, "a"), plain(store, "b"))
        store.delete("ckpt/b")
        assert bring_up(store) == Brought(0, ("b",))

    def test_one_file_at_the_url_itself_is_found_without_a_listing(self, store: MemoryStore) -> None:
        record = apart(store, "model.pt", b"weights")
        whole = checkpoint(2, files=(record,), folder="")
        put(store, claim(1, prefix="model.pt"), whole, close(3), exclusive=store.create_only)
        assert bring_up(store) == Brought(1)
        assert store.objects["model.pt"] == b"weights"
        assert bring_up(store) == Brought(0)

    def test_what_the_store_refuses_stays_behind_and_is_told(self, store: MemoryStore) -> None:
        saved(store, apart(store, "a"), apart(store, "b"))
        refusing = Flaky(store, 100, lambda ask: (ask.method, ask.key) == ("copy", "ckpt/a"), StoreError)
        with upkeep.owned(refusing, STREAM, "somebody", "here", FakeClock(), force=False) as epoch:
            brought = upkeep.bring_up(refusing, epoch)
            assert epoch.behind == {"a"}
        assert (brought.count, "ckpt/a" in str(brought.error)) == (1, True)
        assert store.objects["ckpt/b"] == b"content"

    def test_a_stream_without_a_checkpoint_has_nothing_to_bring(self, store: MemoryStore) -> None:
        put(store, claim(1), close(2), exclusive=store.create_only)
        assert bring_up(store) == Brought()

    def test_every_checkpoint_that_could_be_restored_still_can(self, store: MemoryStore) -> None:
        """The older one has its bytes at the key that is brought up: they are copied away first."""
        first = checkpoint(2, files=(plain(store, "a", b"old"),))
        second = checkpoint(3, prev=Mark(1, 2), files=(apart(store, "a", b"new"),), behind=("a",))
        put(store, claim(1), first, second, close(4, behind=("a",)), exclusive=store.create_only)
        assert bring_up(store) == Brought(1)
        old = [body for key, body in store.objects.items() if key.startswith(f".osmo/{STREAM}/old/")]
        assert (store.objects["ckpt/a"], old) == (b"new", [b"old"])
        assert {record.number for record in log.checkpoints(log_of(store))} == {2, 3}


class TestGone:
    def test_what_is_in_no_checkpoint_is_gone(self, store: MemoryStore) -> None:
        saved(store, plain(store, "kept"), apart(store, "in an object"))
        for key in ("ckpt/stray", "ckpt/in an object", "elsewhere/stray", "ckptlike"):
            store.put(key, b"x")
        assert gone(store) == ["ckpt/stray"]

    def test_what_an_older_checkpoint_names_is_not_until_that_is_dropped(self, store: MemoryStore) -> None:
        first = checkpoint(2, files=(plain(store, "was"),))
        put(store, claim(1), first, checkpoint(3, prev=Mark(1, 2)), close(4), exclusive=store.create_only)
        assert gone(store) == []
        record = log.log_key(STREAM, Mark(1, 2), ONE.id, exclusive=store.create_only)
        assert gone(store, dropped=(record,)) == ["ckpt/was"]

    def test_what_another_stream_names_is_not(self, store: MemoryStore) -> None:
        saved(store, plain(store, "ours"))
        saved(store, plain(store, "theirs"), stream=OTHER)
        assert gone(store) == []

    def test_what_another_url_beneath_it_holds_is_not(self, store: MemoryStore) -> None:
        saved(store, plain(store, "ours"))
        for key in ("deep/er/.osmo/s.x/log/00000001.json", "deep/er/x/file", "deep/stray", "deeper/stray"):
            store.put(f"ckpt/{key}", b"x")
        assert gone(store) == ["ckpt/deep/stray", "ckpt/deeper/stray"]

    @pytest.mark.parametrize("hidden", [".osmo", f".osmo/{STREAM}/log"])
    def test_nothing_is_where_the_records_are_not_listed(self, store: MemoryStore, hidden: str) -> None:
        """As by a server that says 200 to a listing and means an error: what they name is not known."""
        saved(store, plain(store, "a"))

        class Hiding(Wrapper):
            def list(self, prefix: str) -> Iterator[Object]:
                return iter(()) if prefix.startswith(hidden) else self.inner.list(prefix)

            def folders(self, prefix: str) -> tuple[str, ...]:
                return () if prefix == hidden else self.inner.folders(prefix)

        with pytest.raises(StoreError):
            upkeep.gone(Hiding(store), "ckpt")

    def test_osmo_s_own_never_is(self, store: MemoryStore) -> None:
        saved(store, apart(store, "a"))
        store.put("stray", b"x")
        assert gone(store, "") == ["stray"]


def test_a_stream_that_nobody_ever_claimed_is_in_nobody_s_way(store: MemoryStore) -> None:
    saved(store, plain(store, "a"))
    store.put(".osmo/stray/objects/00000002-00000001-1", b"nobody knows")
    with upkeep.owned_beneath(store, "ckpt", "somebody", "here", FakeClock(), force=False):
        pass
    assert gone(store) == []
