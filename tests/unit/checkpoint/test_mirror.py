from collections.abc import Callable

import pytest

from osmo.checkpoint import log
from osmo.checkpoint.epoch import Epoch, Fenced, Place
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.mirror import Mirror
from osmo.checkpoint.table import Files
from osmo.errors import NoCopy, StoreError, Unavailable
from osmo.store.base import Store
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stores import Flaky, Losing, Recording, Request, Wrapper
from unit.checkpoint.records import ONE, STREAM, TWO, checkpoint, file


class Owner:
    """The owner of a stream that commits files and lets its plain files follow."""

    def __init__(self, keep: int = 1) -> None:
        self.memory = MemoryStore()
        self.asked = Recording(self.memory)
        self.epoch = self.another(keep)
        self.resent: list[tuple[str, str]] = []
        self.has = True  # whether the local files are still as they were
        self.mirror = Mirror(self.epoch, 1)

    def another(self, keep: int = 1) -> Epoch:
        """Somebody claims the stream."""
        found = Epoch(Place(STREAM, "ckpt", keep=keep), ONE, FakeClock(), log.Reader(STREAM, 1), exclusive=True)
        found.claim(self.memory)
        return found

    def _resend(self, record: FileRecord, key: str) -> bool:
        self.resent.append((record.name, key))
        return self.has

    def direct(self, name: str, content: bytes) -> FileRecord:
        """A file at its key."""
        self.memory.put(f"ckpt/{name}", content)
        return file(name, content)

    def object(self, name: str, content: bytes) -> FileRecord:
        """A file in an object."""
        place = self.epoch.names.object(self.epoch.next_mark.number)
        self.memory.put(place, content)
        return file(name, content, place)

    def commit(self, *files: FileRecord) -> None:
        base = self.epoch.base
        number, prev = self.epoch.next_mark.number, None if base is None else base.mark
        behind = self.epoch.will_be_behind(Files.of(files).table)
        self.epoch.commit(self.memory, checkpoint(number, prev=prev, files=files, behind=behind))
        self.asked.take()

    def follow(self, wrap: Callable[[Store], Store] = lambda store: store, hurried: bool = False) -> StoreError | None:
        return self.mirror.follow(wrap(self.asked), self._resend, lambda: hurried)

    @property
    def plain(self) -> dict[str, bytes]:
        return {key: body for key, body in self.memory.objects.items() if not key.startswith(".osmo/")}

    @property
    def old(self) -> list[bytes]:
        """What was copied away."""
        return [body for key, body in self.memory.objects.items() if "/old/" in key]


class NoCopies(Wrapper):
    """A server that cannot copy (to keys of which `which` holds)."""

    def __init__(self, inner: Store, which: Callable[[str], bool] = lambda _: True) -> None:
        super().__init__(inner)
        self._which = which

    def copy(self, source: str, key: str, size: int) -> None:
        if self._which(key):
            raise NoCopy(key)
        self.inner.copy(source, key, size)


@pytest.fixture
def owner() -> Owner:
    return Owner()


def test_plain_files_follow_the_base_by_copies(owner: Owner) -> None:
    same = owner.direct("same", b"1")
    owner.commit(same, owner.object("a", b"new"))
    assert owner.follow() is None
    assert owner.plain == {"ckpt/a": b"new", "ckpt/same": b"1"}
    assert owner.epoch.behind == set()
    assert [method for method, _ in owner.asked.take()] == ["list", "copy"]


def test_what_follows_already_asks_nothing(owner: Owner) -> None:
    owner.commit(owner.direct("a", b"1"))
    assert owner.follow() is None
    assert owner.asked.take() == []


def test_what_could_not_be_copied_stays_behind_and_is_copied_the_next_time(owner: Owner) -> None:
    owner.commit(owner.object("a", b"1"), owner.object("b", b"2"))
    error = owner.follow(lambda store: Flaky(store, 1, lambda request: request.key == "ckpt/a", StoreError))
    assert error is not None
    assert (owner.epoch.behind, owner.plain, owner.epoch.clear) == ({"a"}, {"ckpt/b": b"2"}, True)
    assert owner.follow() is None
    assert (owner.epoch.behind, owner.plain) == (set(), {"ckpt/a": b"1", "ckpt/b": b"2"})


def test_a_copy_without_an_answer_may_still_come_and_nothing_more_is_begun(owner: Owner) -> None:
    owner.commit(owner.object("a", b"1"), owner.object("b", b"2"))
    assert isinstance(owner.follow(lambda store: Losing(store, 1)), Unavailable)
    assert (owner.epoch.behind, owner.plain, owner.epoch.clear) == ({"a", "b"}, {"ckpt/a": b"1"}, False)


def test_a_key_that_was_copied_to_is_not_written_directly_later(owner: Owner) -> None:
    owner.commit(owner.object("a", b"1"))
    owner.follow()
    assert not owner.epoch.names.takes_directly("ckpt/a")


def test_what_is_behind_is_behind_in_the_next_record_too(owner: Owner) -> None:
    a = owner.object("a", b"1")
    owner.commit(a)
    owner.follow(lambda store: Flaky(store, 1, lambda request: request.method == "copy"))
    owner.commit(a, owner.direct("b", b"2"))
    assert owner.epoch.base is not None
    assert owner.epoch.base.behind == ("a",)


def test_in_a_hurry_nothing_is_copied(owner: Owner) -> None:
    owner.commit(owner.object("a", b"1"))
    assert owner.follow(hurried=True) is None
    assert (owner.epoch.behind, owner.plain) == ({"a"}, {})


def test_who_was_superseded_copies_nothing(owner: Owner) -> None:
    owner.commit(owner.object("a", b"1"))
    Epoch(Place(STREAM, "ckpt"), TWO, FakeClock(), log.Reader(STREAM, 1), exclusive=True).claim(owner.memory)
    with pytest.raises(Fenced, match="run-2"):
        owner.follow()
    assert owner.plain == {}


def test_without_knowing_who_owns_the_stream_nothing_is_copied(owner: Owner) -> None:
    owner.commit(owner.object("a", b"1"))
    with pytest.raises(Unavailable):
        owner.follow(lambda store: Flaky(store, 1, lambda request: request.method == "list"))
    assert (owner.epoch.behind, owner.plain) == ({"a"}, {})


@pytest.mark.parametrize("has", [True, False])
def test_where_the_server_cannot_copy_the_file_is_sent_if_it_is_still_the_same(owner: Owner, has: bool) -> None:
    owner.has = has
    owner.commit(owner.object("a", b"1"))
    assert owner.follow(NoCopies) is None
    assert owner.resent == [("a", "ckpt/a")]
    assert owner.epoch.behind == (set() if has else {"a"})


def test_bytes_that_an_older_checkpoint_has_at_the_key_are_copied_away_first_and_once() -> None:
    owner = Owner(keep=3)
    owner.commit(owner.direct("a", b"first"))
    for content in (b"second", b"third"):
        owner.commit(owner.object("a", content))
        owner.follow()
    copies = [key for method, key in owner.asked.take() if method == "copy"]
    assert copies == ["ckpt/a"]
    assert (owner.plain, owner.old) == ({"ckpt/a": b"third"}, [b"first"])
    (key,) = [key for key in owner.memory.objects if "/old/" in key]
    assert key.rpartition("/")[2].startswith(f"{file('a', b'first').digest}.")


def test_with_one_checkpoint_kept_nothing_is_copied_away(owner: Owner) -> None:
    owner.commit(owner.direct("a", b"first"))
    owner.commit(owner.object("a", b"second"))
    owner.follow()
    assert (owner.plain, owner.old) == ({"ckpt/a": b"second"}, [])


def test_bytes_of_another_name_at_the_key_are_copied_away_too() -> None:
    """A newline and its escape have one key."""
    owner = Owner(keep=2)
    owner.memory.put("ckpt/a%0A", b"of the newline")
    owner.commit(file("a\n", b"of the newline", "ckpt/a%0A"))
    owner.commit(owner.object("a%0A", b"of the escape"))
    owner.follow()
    assert (owner.plain, owner.old) == ({"ckpt/a%0A": b"of the escape"}, [b"of the newline"])


@pytest.mark.parametrize("how", ["fails", "cannot"])
def test_what_cannot_be_copied_away_is_not_written_over(how: str) -> None:
    owner = Owner(keep=2)
    owner.commit(owner.direct("a", b"first"))
    owner.commit(owner.object("a", b"second"))

    def wrap(store: Store) -> Store:
        return Flaky(store, 1, _away) if how == "fails" else NoCopies(store, lambda key: "/old/" in key)

    owner.follow(wrap)
    assert (owner.plain, owner.epoch.behind, owner.resent) == ({"ckpt/a": b"first"}, {"a"}, [])
    owner.follow()
    assert (owner.plain, owner.old, owner.epoch.behind) == ({"ckpt/a": b"second"}, [b"first"], set())


def _away(request: Request) -> bool:
    return request.method == "copy" and "/old/" in request.key


def test_a_plain_file_that_somebody_removed_has_nothing_to_copy_away() -> None:
    owner = Owner(keep=2)
    owner.commit(owner.direct("a", b"first"))
    owner.commit(owner.object("a", b"second"))
    owner.memory.delete("ckpt/a")
    assert owner.follow() is None
    assert (owner.plain, owner.old) == ({"ckpt/a": b"second"}, [])
