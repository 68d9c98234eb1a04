"""What is sent of a large file of which an earlier content is in the store. Here 16 bytes are large, blocks have 4."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from osmo.checkpoint.blocks import Shelf
from osmo.checkpoint.manifest import FileRecord
from osmo.errors import AccessDenied, FileMoved, NoCopy, StoreError, Unavailable
from osmo.store.base import Object, Range, Splicing, Store
from support.stores import Flaky, Request, Wrapper
from support.trees import grow
from unit.checkpoint.sending import Sending

OLD = b"aaaabbbbccccddddee"
OBJECTS = ".osmo/t.ckpt/objects/"


@pytest.fixture
def sending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sending:
    monkeypatch.setattr("osmo.checkpoint.blocks.BLOCK", 4)
    monkeypatch.setattr("osmo.checkpoint.blocks.LEAST", 16)
    for module in ("upload", "splice"):
        monkeypatch.setattr(f"osmo.checkpoint.{module}.SMALLEST_PART", 8)
    monkeypatch.setattr("osmo.checkpoint.upload.WHOLE", 8)
    sending = Sending(tmp_path / "ckpt")
    monkeypatch.setattr("osmo.checkpoint.upload.cut", lambda size, budget: real(4, size, budget))
    from osmo.checkpoint.parts import cut_into as real

    return sending


@pytest.fixture
def known(sending: Sending) -> FileRecord:
    """Its first content is in the store."""
    grow(sending.folder, {"a": OLD})
    record = sending.upload("a").record
    sending.asked.take()
    return record


class Watching(Wrapper):
    """Notes the parts of splices. then: called before each part."""

    def __init__(self, inner: Store, then: Callable[[], None] = lambda: None) -> None:
        super().__init__(inner)
        self.parts: list[bytes | tuple[int, int]] = []
        self._then = then

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        def watched() -> Iterator[bytes | Range]:
            self._then()
            for part in parts:
                self.parts.append((part.start, part.length) if isinstance(part, Range) else part)
                yield part
                self._then()

        return super().splice(key, source, watched(), concurrency=concurrency)


def change(
    sending: Sending, known: FileRecord, body: bytes, wrap: Callable[[Store], Store] = lambda s: s
) -> FileRecord:
    """Write this to the file, send it, and see that it is there. Its record."""
    grow(sending.folder, {"a": body})
    record = sending.uploader(wrap(sending.asked))("a", sending.stat("a"), known).record
    assert sending.memory.objects[record.place] == body
    assert (record.size, record.digest) == (len(body), blake3(body).hexdigest())
    assert record.etag == sending.memory.etags[record.place]
    return record


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (OLD + b"ef", [(0, 16), b"eeef"]),  # what was appended, and the block that it begins in
        (OLD + b"ffffg", [(0, 16), b"eeff", b"ffg"]),
        (b"aaaaBBBBccccddddee", [(0, 4), b"BBBB", (8, 10)]),
        (b"aaaabbbbccccdddd", [(0, 16)]),  # cut: everything is there
        (b"AAAAbbbbCCCCddddEEEE", [b"AAAA", (4, 4), b"CCCC", (12, 4), b"EEEE"]),
    ],
)
def test_only_what_changed_is_sent(
    sending: Sending, known: FileRecord, body: bytes, parts: list[bytes | tuple[int, int]]
) -> None:
    before = sending.meter.size
    watching = Watching(sending.asked)
    record = change(sending, known, body, lambda _: watching)
    assert watching.parts == parts
    assert record.place.startswith(OBJECTS)
    sent = sum(len(part) for part in parts if isinstance(part, bytes))
    assert (sending.meter.size - before, sending.meter.copied_size) == (sent, len(body) - sent)
    assert sending.asked.take() == [("splice", record.place), ("put", record.blocks)]


def test_one_change_after_the_other(sending: Sending, known: FileRecord) -> None:
    record = known
    for body in (OLD + b"f", OLD + b"fghijkl", b"aaaaXXXX" + OLD[8:] + b"fghijkl", OLD):
        record = change(sending, record, body)
    assert [method for method, _ in sending.asked.take()] == ["splice", "put"] * 4


def test_another_host_goes_on_with_the_digests_that_are_in_the_store(sending: Sending, known: FileRecord) -> None:
    sending.shelf = Shelf()
    record = change(sending, known, OLD + b"f")
    assert sending.asked.take() == [("stream", known.blocks), ("splice", record.place), ("put", record.blocks)]


@pytest.mark.parametrize(
    "body",
    [b"aaa", b"aaaabbbbcccc", b"x" + OLD, b"AAAABBBBCCCCddddEEEE"],
    ids=["small", "small now", "moved by a byte", "a fifth is the same"],
)
def test_what_is_not_worth_it_is_sent_whole(sending: Sending, known: FileRecord, body: bytes) -> None:
    record = change(sending, known, body)
    assert ("splice", record.place) not in sending.asked.take()
    assert sending.meter.copied_size == 0
    assert bool(record.blocks) == (len(body) >= 16)


@pytest.mark.parametrize("body", [b"", b"{}\n", b"not json", b"[]\n" + bytes(80)])
def test_digests_that_are_none_are_no_help(sending: Sending, known: FileRecord, body: bytes) -> None:
    sending.shelf = Shelf()
    sending.memory.put(known.blocks, body)
    change(sending, known, OLD + b"f")
    assert "splice" not in {method for method, _ in sending.asked.take()}


def test_digests_of_another_content_are_no_help(sending: Sending, known: FileRecord) -> None:
    other = change(sending, known, OLD[::-1])
    sending.shelf = Shelf()
    change(sending, replace(known, blocks=other.blocks), OLD + b"f")
    assert "splice" not in {method for method, _ in sending.asked.take()}


def test_digests_that_are_gone_are_no_help(sending: Sending, known: FileRecord) -> None:
    sending.shelf = Shelf()
    sending.memory.delete(known.blocks)
    change(sending, known, OLD + b"f")


def test_no_answer_when_asked_for_digests_is_tried_again_by_who_asked(sending: Sending, known: FileRecord) -> None:
    sending.shelf = Shelf()
    with pytest.raises(Unavailable):
        change(sending, known, OLD + b"f", lambda store: Flaky(store, 1))


def test_a_source_that_is_gone_or_another_by_now_is_no_help(sending: Sending, known: FileRecord) -> None:
    sending.memory.put(known.place, b"another")
    record = change(sending, known, OLD + b"f")
    sending.memory.delete(record.place)
    change(sending, record, OLD + b"fg")
    assert [method for method, _ in sending.asked.take()] == ["splice", "put_parts", "put"] * 2
    assert sending.meter.copied_size == 0


def test_where_the_server_cannot_copy_the_file_is_sent_whole(sending: Sending, known: FileRecord) -> None:
    class Cannot(Wrapper):
        def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
            super().splice(key, source, parts, concurrency=concurrency)
            self.inner.put(key, b"of no use")
            raise NoCopy("wrong, for a test")

    sending.names.given()
    before = sending.meter.size
    record = change(sending, known, OLD + b"f", Cannot)
    assert (sending.meter.size - before, sending.meter.copied_size) == (len(OLD) + 1, 0)
    spliced, *others = sending.names.given()
    assert sending.memory.objects[spliced] == b"of no use"  # a tidy takes it: no record names it
    assert others == [record.place, record.blocks]


def test_where_it_is_known_that_the_server_cannot_nothing_is_done_for_it(sending: Sending) -> None:
    sending.memory.splicing = None
    grow(sending.folder, {"a": OLD})
    known = sending.upload("a").record
    assert known.blocks == ""
    record = change(sending, known, OLD + b"f")
    assert [method for method, _ in sending.asked.take()] == ["put_parts", "head", "put_parts"]
    assert record.blocks == ""


def test_parts_are_equal_where_they_have_to_be(sending: Sending, known: FileRecord) -> None:
    sending.memory.splicing = Splicing.EQUAL
    watching = Watching(sending.asked)
    change(sending, known, OLD + b"f", lambda _: watching)
    assert watching.parts == [(0, 4), (4, 4), (8, 4), (12, 4), b"eef"]


@pytest.mark.parametrize("at", range(3))
def test_a_file_that_is_written_to_meanwhile_is_not_stored(sending: Sending, known: FileRecord, at: int) -> None:
    def touch() -> None:
        if next(calls, None) == at:
            with open(sending.folder / "a", "ab") as file:
                file.write(b"more")

    calls = iter(range(3))
    objects = dict(sending.memory.objects)
    before = sending.meter.size
    with pytest.raises(FileMoved):
        change(sending, known, OLD + b"f", lambda store: Watching(store, touch))
    assert sending.memory.objects == objects
    assert (sending.meter.size, sending.meter.copied_size) == (before, 0)


def test_other_bytes_than_those_that_were_looked_at_are_not_stored(sending: Sending) -> None:
    """Of a live file nobody asks for its times: its digests tell."""
    grow(sending.folder, {"a.log": b"one line\n" * 3})
    known = sending.upload("a.log").record
    grow(sending.folder, {"a.log": b"one line\n" * 3 + b"and more\n"})

    def overwrite() -> None:
        with open(sending.folder / "a.log", "r+b") as file:
            file.seek(-9, os.SEEK_END)
            file.write(b"and less\n")

    with open(sending.folder / "a.log", "ab"), pytest.raises(FileMoved):  # it is open: only what is whole is taken
        sending.uploader(Watching(sending.asked, overwrite))("a.log", sending.stat("a.log"), known)


def test_a_live_file_sends_its_tail(sending: Sending) -> None:
    grow(sending.folder, {"a.log": b"one line\n" * 4})
    known = sending.upload("a.log").record
    with open(sending.folder / "a.log", "ab", buffering=0) as writer:
        writer.write(b"two\nand a ha")
        saved = sending.upload("a.log", known)
    assert saved.record.live
    assert sending.memory.objects[saved.record.place] == b"one line\n" * 4 + b"two\n"
    assert sending.meter.copied_size == 36


def test_the_last_chance_is_not_spent_on_it(sending: Sending, known: FileRecord) -> None:
    grow(sending.folder, {"a": OLD + b"f"})
    sending.upload("a", known, last_chance=True)
    assert [method for method, _ in sending.asked.take()] == ["put_parts", "put"]


def test_of_a_torn_file_no_digests_are_kept(sending: Sending) -> None:
    grow(sending.folder, {"a": OLD})
    with open(sending.folder / "a", "ab"):
        record = sending.upload("a", last_chance=True).record
    assert record.torn_possible
    assert record.blocks == ""


def test_no_answer_is_tried_again_by_who_asked(sending: Sending, known: FileRecord) -> None:
    before = sending.meter.size
    with pytest.raises(Unavailable):
        change(sending, known, OLD + b"f", lambda store: Flaky(store, 1, lambda asked: asked.method == "splice"))
    assert len(sending.doubts) == 1
    assert (sending.meter.size, sending.meter.copied_size) == (before, 0)


@pytest.mark.parametrize(("error", "doubts"), [(Unavailable, 1), (AccessDenied, 0)])
def test_digests_that_do_not_get_into_the_store_are_done_without(
    sending: Sending, known: FileRecord, error: type[StoreError], doubts: int
) -> None:
    def is_of_digests(asked: Request) -> bool:
        return asked.method == "put"

    record = change(sending, known, OLD + b"f", lambda store: Flaky(store, 1, is_of_digests, error))
    assert record.blocks == ""
    assert len(sending.doubts) == doubts


def test_the_same_content_under_another_name_has_the_same_digests(sending: Sending, known: FileRecord) -> None:
    sending.base = [known]
    os.rename(sending.folder / "a", sending.folder / "b")
    moved = sending.upload("b").record
    assert moved.blocks == known.blocks
    assert [method for method, _ in sending.asked.take()] == ["copy", "head", "head"]
