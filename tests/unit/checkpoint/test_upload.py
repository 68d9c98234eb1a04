import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.parts import MIB
from osmo.checkpoint.throttle import Throttle
from osmo.checkpoint.window import OutOfTime
from osmo.errors import FileMoved, NoCopy, StoreError, Unavailable
from osmo.store.base import Store
from support.stores import Flaky, Losing, Recording, Wrapper, is_content
from support.trees import grow
from unit.checkpoint.sending import OBJECT, Sending


@pytest.fixture
def sending(tmp_path: Path) -> Sending:
    return Sending(tmp_path)


@pytest.mark.parametrize(
    ("size", "how"),
    [
        (0, ["put"]),
        (1, ["put"]),
        (16 * MIB, ["put"]),
        (16 * MIB + 1, ["put_parts"]),
        (5, ["put_new"]),
        (17 * MIB, ["put_parts", "head"]),
    ],
)
def test_a_file_arrives_whole_in_one_request_or_in_parts(sending: Sending, size: int, how: list[str]) -> None:
    """Straight at its key: then create-only, or looked at afterwards. Else at a name that is used once."""
    body = os.urandom(size)
    grow(sending.folder, {"a": body})
    (sending.folder / "a").chmod(0o640)
    sending.names.alone = how in (["put_new"], ["put_parts", "head"])
    saved = sending.upload("a")
    place = "ckpt/a" if sending.names.alone else OBJECT
    assert sending.memory.objects == {place: body}
    assert sending.asked.take() == [(method, place) for method in how]
    record = saved.record
    assert (record.name, record.size, record.mode, record.place) == ("a", size, 0o640, place)
    assert (record.digest, record.etag) == (blake3(body).hexdigest(), sending.memory.etags[place])
    assert saved.stat == sending.stat("a")
    assert (sending.meter.size, sending.meter.files) == (size, 1)


def test_a_file_that_is_not_as_it_was_found_is_not_read(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    found = sending.stat("a")
    grow(sending.folder, {"a": "22"})
    with pytest.raises(FileMoved):
        sending.upload("a", stat=found)
    assert sending.asked.take() == []


def test_a_file_with_the_content_that_is_stored_is_not_sent(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    known = sending.upload("a").record
    os.utime(sending.folder / "a", ns=(1, 1))
    sending.asked.take()
    saved = sending.upload("a", known)
    assert sending.asked.take() == []
    assert (saved.record.etag, saved.record.mtime_ns, saved.stat) == (known.etag, 1, sending.stat("a"))
    assert sending.meter.files == 1


def test_other_content_of_the_same_size_is_sent(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    known = sending.upload("a").record
    grow(sending.folder, {"a": "2"})
    assert sending.upload("a", known).record.place == OBJECT
    assert sending.memory.objects == {"ckpt/a": b"1", OBJECT: b"2"}


def test_a_key_that_holds_something_is_not_written_over(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    sending.memory.put("ckpt/a", b"somebody's")
    assert sending.upload("a").record.place == OBJECT
    assert sending.memory.objects == {"ckpt/a": b"somebody's", OBJECT: b"1"}
    assert sending.asked.take() == [("put_new", "ckpt/a"), ("put", OBJECT)]
    assert sending.doubts == []


def test_a_large_file_that_is_not_what_lies_at_its_key_afterwards_is_sent_elsewhere(sending: Sending) -> None:
    body = b"0" * (17 * MIB)
    grow(sending.folder, {"a": body})

    class Overtaken(Recording):
        def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
            etag = super().put_parts(key, parts, part_size=part_size, concurrency=concurrency)
            if key == "ckpt/a":
                self.inner.put(key, b"somebody's")
            return etag

    record = sending.uploader(Overtaken(sending.memory))("a", sending.stat("a"), None).record
    assert (record.place, sending.memory.objects[OBJECT]) == (OBJECT, body)
    assert (record.digest, record.size) == (blake3(body).hexdigest(), len(body))
    assert (sending.meter.size, sending.meter.files) == (len(body), 1)


def test_a_request_without_an_answer_leaves_doubt_and_its_name_is_not_used_again(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    store = Losing(sending.memory, 2, is_content)
    for _ in range(2):
        with pytest.raises(Unavailable):
            sending.uploader(store)("a", sending.stat("a"), None)
    record = sending.uploader(store)("a", sending.stat("a"), None).record
    assert record.place == OBJECT.removesuffix("1") + "2"
    assert sending.doubts == [None, None]


def test_a_name_that_can_be_no_plain_files_is_not_sent(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    uploader = replace(sending.uploader(sending.asked), prefix="d" * 1023 + "/")
    for _ in range(2):
        with pytest.raises(StoreError, match="longer than 1024 bytes"):
            uploader("a", sending.stat("a"), None)
    assert sending.asked.take() == []


# Content that is there under another name


@pytest.fixture
def moved(sending: Sending) -> Sending:
    """What the base has as `a` is `b` now."""
    grow(sending.folder, {"a": "content"})
    sending.base.append(sending.upload("a").record)
    (sending.folder / "a").rename(sending.folder / "b")
    sending.asked.take()
    return sending


def test_content_at_another_files_key_is_copied_by_the_server(moved: Sending) -> None:
    record = moved.upload("b").record
    assert moved.asked.take() == [("copy", OBJECT), ("head", "ckpt/a"), ("head", OBJECT)]
    assert (record.name, record.place, record.etag) == ("b", OBJECT, moved.memory.etags[OBJECT])
    assert moved.memory.objects == {"ckpt/a": b"content", OBJECT: b"content"}


def test_content_in_an_object_is_named_once_more_without_a_request(moved: Sending) -> None:
    moved.memory.copy("ckpt/a", OBJECT, 7)
    moved.base[0] = replace(moved.base[0], place=OBJECT)
    record = moved.upload("b").record
    assert (record.name, record.place, moved.asked.take()) == ("b", OBJECT, [])


@pytest.mark.parametrize("harm", ["overwritten", "gone", "no copy"])
def test_a_twin_that_is_not_as_it_was_or_cannot_be_copied_is_no_help(moved: Sending, harm: str) -> None:
    class NoCopies(Wrapper):
        def copy(self, source: str, key: str, size: int) -> None:
            raise NoCopy(key)

    store: Store = moved.asked
    if harm == "overwritten":
        moved.memory.put("ckpt/a", b"CONTENT")
    elif harm == "gone":
        moved.memory.delete("ckpt/a")
    else:
        store = NoCopies(moved.asked)
    record = moved.uploader(store)("b", moved.stat("b"), None).record
    assert (record.place, moved.memory.objects["ckpt/b"]) == ("ckpt/b", b"content")


def test_a_torn_twin_is_no_help(moved: Sending) -> None:
    moved.base[0] = replace(moved.base[0], torn_possible=True)
    assert moved.upload("b").record.place == "ckpt/b"


# Sending a plain file again


def test_a_file_is_sent_again_only_if_it_is_still_the_same(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    record = sending.upload("a").record
    uploader = sending.uploader(sending.asked)
    assert uploader.resend(record, "elsewhere")
    assert sending.memory.objects["elsewhere"] == b"1"
    grow(sending.folder, {"a": "2"})
    assert not uploader.resend(record, "elsewhere")
    (sending.folder / "a").unlink()
    assert not uploader.resend(record, "elsewhere")
    assert sending.memory.objects["elsewhere"] == b"1"


# What is counted


def test_reading_a_large_file_for_its_digest_counts_as_going_on_once(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(sending.folder, {"a": b"0" * (20 * MIB)})
    known = sending.upload("a").record
    os.utime(sending.folder / "a", ns=(1, 1))
    sending.clock.advance(100)
    sending.upload("a", known)
    assert sending.flow.at == sending.clock.monotonic()
    sending.clock.advance(100)
    sending.upload("a", known)
    assert sending.flow.at == sending.clock.monotonic() - 100


def test_what_a_failed_upload_sent_is_not_counted(sending: Sending) -> None:
    grow(sending.folder, {"a": b"0" * (17 * MIB)})

    class Breaking(Flaky):
        def put_parts(self, key: str, parts: object, *, part_size: int, concurrency: int) -> str:
            assert [len(part) for part in parts] == [8 * MIB, 8 * MIB, MIB]  # type: ignore[attr-defined]
            raise Unavailable("broken at Complete")

    with pytest.raises(Unavailable):
        sending.uploader(Breaking(sending.memory, 0))("a", sending.stat("a"), None)
    assert (sending.meter.size, sending.meter.files) == (0, 0)


@pytest.mark.parametrize("size", [10, 20 * MIB])
def test_with_no_later_chance_a_file_that_is_cut_short_is_taken_and_marked(
    sending: Sending, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    grow(sending.folder, {"a": b"0" * size})
    found = sending.stat("a")
    real = os.pread

    def read(descriptor: int, count: int, at: int) -> bytes:
        data = real(descriptor, count, at)
        os.truncate(sending.folder / "a", 5)
        return data

    monkeypatch.setattr("osmo.checkpoint.reader.os.pread", read)
    record = sending.upload("a", stat=found, last_chance=True).record
    body = sending.memory.objects["ckpt/a"]
    assert record.torn_possible
    assert (record.size, record.digest) == (len(body), blake3(body).hexdigest())


def test_a_torn_file_is_sent_again_even_if_it_has_the_digest(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    known = sending.upload("a").record
    sending.asked.take()
    sending.upload("a", replace(known, torn_possible=True))
    assert sending.asked.take() == [("put", OBJECT)]


def test_when_time_is_out_a_large_file_is_broken_off_between_two_parts(sending: Sending) -> None:
    grow(sending.folder, {"a": os.urandom(40 * MIB)})
    asked: list[None] = []

    class Slow(Wrapper):
        def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
            def slowly() -> Iterator[bytes]:
                for part in parts:
                    asked.append(None)
                    if len(asked) == 2:
                        sending.deadline = sending.clock.monotonic()
                    yield part

            return super().put_parts(key, slowly(), part_size=part_size, concurrency=concurrency)

    with pytest.raises(OutOfTime):
        sending.uploader(Slow(sending.memory))("a", sending.stat("a"), None)
    assert len(asked) == 2
    assert sending.memory.objects == {}
    assert sending.meter.size == 0


def test_a_store_in_trouble_gets_fewer_parts_at_once(sending: Sending) -> None:
    class Noting(Recording):
        def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
            at_once.append(concurrency)
            return super().put_parts(key, parts, part_size=part_size, concurrency=concurrency)

    at_once: list[int] = []
    sending.throttle = Throttle(4, 4, sending.clock)
    grow(sending.folder, {"a": b"0" * (17 * MIB)})
    sending.names.alone = False
    uploader = replace(sending.uploader(Noting(sending.memory)), budget=ByteBudget(96 * MIB))
    uploader("a", sending.stat("a"), None)
    sending.throttle.slow_down()
    uploader("a", sending.stat("a"), None)
    assert at_once == [4, 2]
