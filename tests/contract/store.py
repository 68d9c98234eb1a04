"""What the checkpoint engine relies on in a store: subclass it once per store, with a `store` fixture."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from osmo.errors import AlreadyExists, NoCopy, NotFound, StoreError
from osmo.store.base import Object, Range, Store

MIB = 1 << 20
PART = 5 * MIB
ODD_KEYS = (
    "ckpt#1", "a b", " a", "100%", "é", "e\u0301", "日本", "a%41b", "a%2Fb", "x~y", "[1]", "a?b", "a*b", "a\\b", "a+b",
    "a&b=c", "a:b", 'a"b', "a<b>", "a|b", "{a}", "a^b", "a`b", "a'b", "a;b", "$a@!", "a,b", "(a)", ".hidden", "a..b",
    "...", "~", "-rf", "step-1/#/model.pt", ".osmo/train.ckpt/log/00000042.json",
)  # fmt: skip
NO_KEYS = ("a//b", "/a", "a/", "a/./b", "../a", "..", ".", "a\tb", "a\nb", "a\x7f", "a\0b", "a\udcff", "x" * 1025)


class Moved(Exception):
    """What a reader of parts raises when its file changes."""


def listed(store: Store, prefix: str = "") -> dict[str, Object]:
    found = list(store.list(prefix))
    assert len({each.key for each in found}) == len(found)
    return {each.key: each for each in found}


def parts(body: bytes, size: int = PART) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


class StoreContract:
    """The promises of `osmo.store.base.Store`."""

    create_only = True  # False: the server ignores If-None-Match
    splices = True  # False: it cannot copy ranges into parts
    many = 2500  # keys in a listing: three pages of most servers

    def test_what_was_put_is_there(self, store: Store) -> None:
        store.put("ckpt/model.pt", b"weights")
        assert store.get("ckpt/model.pt") == b"weights"

    def test_put_replaces_what_was_there(self, store: Store) -> None:
        first = store.put("k", b"one")
        second = store.put("k", b"two!")
        assert first != second
        assert store.get("k") == b"two!"
        assert store.head("k") == Object("k", 4, second)

    def test_an_empty_object_is_an_object(self, store: Store) -> None:
        etag = store.put("empty", b"")
        assert store.get("empty") == b""
        assert listed(store) == {"empty": Object("empty", 0, etag)}

    def test_put_head_and_list_show_the_same_etag(self, store: Store) -> None:
        etag = store.put("k", b"x")
        assert etag
        assert '"' not in etag
        assert store.head("k") == Object("k", 1, etag) == listed(store)["k"]

    def test_put_new_makes_an_object(self, store: Store) -> None:
        etag = store.put_new("log/00000001.json", b"{}")
        assert store.get("log/00000001.json") == b"{}"
        assert listed(store, "log/")["log/00000001.json"].etag == etag

    def test_put_new_never_overwrites(self, store: Store) -> None:
        store.put_new("k", b"first")
        if self.create_only:
            with pytest.raises(AlreadyExists):
                store.put_new("k", b"second")
            assert store.get("k") == b"first"
        else:  # a server that ignores the condition: it says yes, and the first is gone
            store.put_new("k", b"second")
            assert store.get("k") == b"second"

    def test_of_many_put_new_at_once_one_wins(self, store: Store) -> None:
        if not self.create_only:
            pytest.skip("the server ignores If-None-Match")

        def claim(number: int) -> int | None:
            try:
                store.put_new("claim", b"%d" % number)
            except StoreError:
                return None
            return number

        with ThreadPoolExecutor(16) as pool:
            winners = [each for each in pool.map(claim, range(16)) if each is not None]
        assert len(winners) == 1
        assert store.get("claim") == b"%d" % winners[0]

    def test_a_large_object_arrives_whole(self, store: Store) -> None:
        body = os.urandom(20 * MIB)
        etag = store.put_parts("big", parts(body), part_size=PART, concurrency=4)
        assert store.get("big") == body
        assert store.head("big") == Object("big", len(body), etag) == listed(store)["big"]

    @pytest.mark.parametrize("size", [0, 1, PART, PART + 1])
    def test_parts_of_any_length_in_all(self, store: Store, size: int) -> None:
        body = os.urandom(size)
        etag = store.put_parts("big", parts(body), part_size=PART, concurrency=2)
        assert store.get("big") == body
        assert store.head("big") == Object("big", size, etag)

    @pytest.mark.parametrize("good", [0, 1, 2])
    def test_parts_that_raise_leave_what_was_there(self, store: Store, good: int) -> None:
        store.put("big", b"old")

        def moving() -> Iterator[bytes]:
            for _ in range(good):
                yield bytes(PART)
            raise Moved("changed while it was read")

        with pytest.raises(Moved, match="changed while it was read"):
            store.put_parts("big", moving(), part_size=PART, concurrency=4)
        with pytest.raises(Moved):
            store.put_parts("never", moving(), part_size=PART, concurrency=4)
        assert store.get("big") == b"old"
        assert set(listed(store)) == {"big"}

    def test_an_os_error_of_the_parts_comes_out_as_it_is(self, store: Store) -> None:
        gone = FileNotFoundError(2, "gone")

        def vanished() -> Iterator[bytes]:
            yield bytes(PART)
            raise gone

        with pytest.raises(FileNotFoundError) as caught:
            store.put_parts("k", vanished(), part_size=PART, concurrency=1)
        assert caught.value is gone
        assert listed(store) == {}

    def test_the_parts_are_closed_at_the_end(self, store: Store) -> None:
        closed = []

        def reading() -> Iterator[bytes]:
            try:
                yield bytes(PART)
                raise Moved
            finally:
                closed.append(True)

        with pytest.raises(Moved):
            store.put_parts("k", reading(), part_size=PART, concurrency=1)
        assert closed == [True]

    def test_many_threads_at_once(self, store: Store) -> None:
        def both(number: int) -> bool:
            key, body = f"t/{number}", os.urandom(100_000)
            store.put(key, body)
            return store.get(key) == body

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(both, range(64)))
        assert len(listed(store, "t/")) == 64

    def test_a_listing_has_all_keys(self, store: Store) -> None:
        keys = {f"many/{number:05}" for number in range(self.many)}
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda key: store.put(key, b""), keys))
        assert set(listed(store, "many/")) == keys
        assert set(listed(store)) == keys
        assert next(iter(store.list(""))).key in keys

    def test_a_prefix_is_whole_segments(self, store: Store) -> None:
        for key in ("a/1", "a/b/2", "ab/3", "a.txt", "b"):
            store.put(key, b"")
        assert set(listed(store, "a/")) == {"a/1", "a/b/2"}
        assert set(listed(store, "a/b/")) == {"a/b/2"}
        assert set(listed(store, "b/")) == set()
        assert set(listed(store, "none/at/all/")) == set()
        assert set(listed(store)) == {"a/1", "a/b/2", "ab/3", "a.txt", "b"}

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_a_key_is_taken_literally(self, store: Store, key: str) -> None:
        store.put(key, b"1")
        store.put_parts(key, iter((b"22",)), part_size=PART, concurrency=1)
        assert store.get(key) == b"22"
        assert store.head(key).key == key
        assert set(listed(store)) == {key}
        if "/" in key:
            assert set(listed(store, key.rpartition("/")[0] + "/")) == {key}
        self.check_literal(store, key)
        store.delete(key)
        assert listed(store) == {}

    def check_literal(self, store: Store, key: str) -> None:
        """The key as somebody else sees it."""

    @pytest.mark.parametrize("key", NO_KEYS)
    def test_a_key_that_cannot_be_stored_is_refused(self, store: Store, key: str) -> None:
        for request in (
            lambda: store.put(key, b""),
            lambda: store.put_new(key, b""),
            lambda: store.put_parts(key, (), part_size=PART, concurrency=1),
            lambda: store.get(key),
            lambda: store.delete(key),
        ):
            with pytest.raises(StoreError, match="cannot be stored"):
                request()
        assert listed(store) == {}

    def test_a_range_is_read_alone(self, store: Store) -> None:
        store.put("k", b"0123456789")
        assert store.get_range("k", 0, 4) == b"0123"
        assert store.get_range("k", 4, 3) == b"456"
        assert store.get_range("k", 8, 100) == b"89"
        with pytest.raises(NotFound):
            store.get_range("nothing", 0, 4)

    def test_a_whole_object_is_read_in_pieces(self, store: Store) -> None:
        body = os.urandom(9 * 1024 * 1024 + 1)
        store.put("k", body)
        store.put("empty", b"")
        assert b"".join(store.stream("k", len(body))) == body
        assert b"".join(store.stream("empty", 0)) == b""
        with pytest.raises(NotFound):
            next(store.stream("nothing", 4))

    def test_a_missing_key_is_not_found(self, store: Store) -> None:
        store.put("a", b"")
        for key in ("b", "a/b"):
            with pytest.raises(NotFound):
                store.get(key)
            with pytest.raises(NotFound):
                store.head(key)

    def test_a_folder_is_not_an_object(self, store: Store) -> None:
        store.put("a/b", b"x")
        with pytest.raises(NotFound):
            store.get("a")
        with pytest.raises(NotFound):
            store.head("a")

    def test_what_was_deleted_is_gone(self, store: Store) -> None:
        store.put("k", b"")
        store.put("other", b"")
        store.delete("k")
        with pytest.raises(NotFound):
            store.get("k")
        assert set(listed(store)) == {"other"}

    def test_deleting_what_is_not_there_is_no_error(self, store: Store) -> None:
        store.delete("never")
        store.delete("never/was")

    def test_it_knows_whether_put_new_overwrites(self, store: Store) -> None:
        assert store.excludes() is self.create_only
        assert store.excludes() is self.create_only
        assert listed(store) == {}

    def test_a_copy_is_an_object_of_its_own(self, store: Store) -> None:
        store.put("a/source", b"first")
        store.copy("a/source", "copies/1", 5)
        store.put("a/source", b"second")
        assert store.get("copies/1") == b"first"
        store.delete("a/source")
        assert listed(store)["copies/1"].size == 5
        assert store.get("copies/1") == b"first"

    def test_a_copy_replaces_what_was_there(self, store: Store) -> None:
        store.put("source", b"new")
        store.put("k", b"what was there before")
        store.copy("source", "k", 3)
        assert store.get("k") == store.get("source") == b"new"

    @pytest.mark.parametrize("size", [0, 1, 6 * MIB])
    def test_a_copy_has_all_bytes(self, store: Store, size: int) -> None:
        body = os.urandom(size)
        store.put("source", body)
        store.copy("source", "k", size)
        assert store.get("k") == body

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_keys_of_a_copy_are_taken_literally(self, store: Store, key: str) -> None:
        store.put(key, b"1")
        store.copy(key, "plain", 1)
        store.copy("plain", f"to/{key}", 1)
        assert set(listed(store)) == {key, "plain", f"to/{key}"}
        assert store.get(f"to/{key}") == b"1"
        for each in listed(store):
            store.delete(each)

    def test_what_is_not_there_cannot_be_copied(self, store: Store) -> None:
        store.put("a/b", b"old")
        for source in ("nothing", "a", "a/b/c"):
            with pytest.raises(NotFound):
                store.copy(source, "a/b", 3)
        assert store.get("a/b") == b"old"

    @pytest.mark.parametrize("key", NO_KEYS)
    def test_a_copy_of_or_to_no_key_is_refused(self, store: Store, key: str) -> None:
        store.put("a", b"")
        for source, target in (("a", key), (key, "a")):
            with pytest.raises(StoreError, match="cannot be stored"):
                store.copy(source, target, 0)
        assert set(listed(store)) == {"a"}

    @pytest.mark.parametrize("key", ["k", "odd #1/100%/é+?"])
    def test_an_object_is_put_together_from_another_one(self, store: Store, key: str) -> None:
        old = os.urandom(2 * PART + 7)
        source = Object(f"from/{key}", len(old), store.put(f"from/{key}", old))
        first, last = os.urandom(PART), os.urandom(3)
        kept = Range(PART, PART + 7, old[-7:])

        def splice() -> str:
            return store.splice(key, source, iter((first, kept, last)), concurrency=2)

        if self.splices:
            etag = splice()
            assert store.get(key) == first + old[PART:] + last
            assert store.head(key) == Object(key, 2 * PART + 10, etag)
            assert store.splices() is not None
        else:
            with pytest.raises(NoCopy):
                splice()
            assert store.splices() is None
        assert store.get(source.key) == old

    def test_nothing_is_put_together_from_what_is_not_there_or_is_another_by_now(self, store: Store) -> None:
        if not self.splices:
            pytest.skip("it does not splice")
        etag = store.put("source", b"old" * PART)
        store.put("source", b"new" * PART)
        store.put("k", b"before")
        for source in (Object("source", 3 * PART, etag), Object("nothing", 3 * PART, etag)):
            with pytest.raises(NotFound):
                store.splice("k", source, iter((Range(0, 3 * PART),)), concurrency=1)
        assert store.get("k") == b"before"
        assert store.splices() is not None  # it is not the server's fault

    def test_parts_that_raise_leave_nothing_that_was_put_together(self, store: Store) -> None:
        def moving() -> Iterator[bytes | Range]:
            yield Range(0, PART)
            yield bytes(PART)
            raise Moved("changed while it was read")

        if not self.splices:
            pytest.skip("it does not splice")
        source = Object("source", 2 * PART, store.put("source", bytes(2 * PART)))
        with pytest.raises(Moved, match="changed while it was read"):
            store.splice("k", source, moving(), concurrency=2)
        assert set(listed(store)) == {"source"}
        assert list(store.unfinished("")) == []
        assert store.splices() is not None

    def test_folders_are_the_segments_that_go_on(self, store: Store) -> None:
        for key in (".osmo/train.ckpt/log/1", ".osmo/train.ckpt/log/2", ".osmo/a b#é.%41/log/1", ".osmo/probe", "x/y"):
            store.put(key, b"")
        assert store.folders(".osmo/") == store.folders(".osmo") == ("a b#é.%41", "train.ckpt")
        assert store.folders("") == (".osmo", "x")
        assert store.folders(".osmo/train.ckpt/log/") == ()
        assert store.folders("none/at/all/") == ()
        store.delete("x/y")
        assert store.folders("") == (".osmo",)

    def test_all_of_many_folders_are_found(self, store: Store) -> None:
        names = [f"{number:05}" for number in range(1205)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: store.put(f"many/{name}/k", b""), names))
        assert store.folders("many/") == tuple(names)

    def test_when_an_object_was_written_is_known(self, store: Store) -> None:
        store.put("first", b"")
        store.put("second", b"")
        first, second = (listed(store)[key].modified for key in ("first", "second"))
        asked = store.head("second").modified
        assert first is not None
        assert second is not None
        assert asked is not None
        assert first.utcoffset() == asked.utcoffset() == timedelta(0)
        assert first <= second
        assert abs(second - asked) < timedelta(seconds=1)  # an answer to `head` has whole seconds

    def test_the_url_has_no_slash_at_its_end(self, store: Store) -> None:
        assert not store.url.endswith("/")
