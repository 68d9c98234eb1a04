import os
from pathlib import Path

import pytest
from blake3 import blake3

from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.events import Event
from osmo.checkpoint.meter import Flow, Meter
from osmo.checkpoint.parts import MIB
from osmo.checkpoint.tree import Stat, Tree
from osmo.checkpoint.upload import Uploader
from osmo.errors import FileMoved, Unavailable
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stores import Flaky, Recording
from support.trees import grow


class Sending:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = MemoryStore()
        self.asked = Recording(self.memory)
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.meter = Meter(self.events.append, self.clock)
        self.flow = Flow(self.clock)
        self.tree = Tree(str(folder))
        self.upload = Uploader(self.asked, self.tree, "ckpt/", ByteBudget(24 * MIB), self.meter, self.flow)

    def stat(self, name: str) -> Stat:
        found = self.tree.stat(name)
        assert found is not None
        return found


@pytest.fixture
def sending(tmp_path: Path) -> Sending:
    return Sending(tmp_path)


@pytest.mark.parametrize(
    ("size", "how"), [(0, "put"), (1, "put"), (8 * MIB, "put"), (8 * MIB + 1, "put_parts"), (17 * MIB, "put_parts")]
)
def test_a_file_arrives_whole_in_one_request_or_in_parts(sending: Sending, size: int, how: str) -> None:
    body = os.urandom(size)
    grow(sending.folder, {"a": body})
    (sending.folder / "a").chmod(0o640)
    saved = sending.upload("a", sending.stat("a"), None)
    assert sending.memory.objects == {"ckpt/a": body}
    assert sending.asked.take() == [(how, "ckpt/a")]
    record = saved.record
    assert (record.name, record.size, record.mode, record.place) == ("a", size, 0o640, "ckpt/a")
    assert (record.digest, record.etag) == (blake3(body).hexdigest(), sending.memory.etags["ckpt/a"])
    assert saved.stat == sending.stat("a")
    assert (sending.meter.size, sending.meter.files) == (size, 1)


def test_a_file_that_is_not_as_it_was_found_is_not_read(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    found = sending.stat("a")
    grow(sending.folder, {"a": "22"})
    with pytest.raises(FileMoved):
        sending.upload("a", found, None)
    assert sending.asked.take() == []


def test_a_file_with_the_content_that_is_stored_is_not_sent(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    known = sending.upload("a", sending.stat("a"), None).record
    os.utime(sending.folder / "a", ns=(1, 1))
    sending.asked.take()
    saved = sending.upload("a", sending.stat("a"), known)
    assert sending.asked.take() == []
    assert (saved.record.etag, saved.record.mtime_ns, saved.stat) == (known.etag, 1, sending.stat("a"))
    assert sending.meter.files == 1


def test_other_content_of_the_same_size_is_sent(sending: Sending) -> None:
    grow(sending.folder, {"a": "1"})
    known = sending.upload("a", sending.stat("a"), None).record
    grow(sending.folder, {"a": "2"})
    sending.upload("a", sending.stat("a"), known)
    assert sending.memory.objects == {"ckpt/a": b"2"}


def test_reading_a_large_file_for_its_digest_counts_as_going_on_once(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(sending.folder, {"a": b"0" * (20 * MIB)})
    known = sending.upload("a", sending.stat("a"), None).record
    os.utime(sending.folder / "a", ns=(1, 1))
    sending.clock.advance(100)
    sending.upload("a", sending.stat("a"), known)
    assert sending.flow.at == sending.clock.monotonic()
    sending.clock.advance(100)
    sending.upload("a", sending.stat("a"), known)
    assert sending.flow.at == sending.clock.monotonic() - 100


def test_what_a_failed_upload_sent_is_not_counted(sending: Sending) -> None:
    grow(sending.folder, {"a": b"0" * (9 * MIB)})

    class Breaking(Flaky):
        def put_parts(self, key: str, parts: object, *, part_size: int, concurrency: int) -> str:
            assert [len(part) for part in parts] == [8 * MIB, MIB]  # type: ignore[attr-defined]
            raise Unavailable("broken at Complete")

    upload = Uploader(Breaking(sending.memory, 0), sending.tree, "", ByteBudget(24 * MIB), sending.meter, sending.flow)
    with pytest.raises(Unavailable):
        upload("a", sending.stat("a"), None)
    assert (sending.meter.size, sending.meter.files) == (0, 0)


@pytest.mark.parametrize("size", [10, 20 * MIB])
def test_with_no_later_chance_a_file_that_is_cut_short_is_taken_and_marked(
    sending: Sending, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    grow(sending.folder, {"a": b"0" * size})
    found = sending.stat("a")
    real = os.read

    def read(descriptor: int, count: int) -> bytes:
        data = real(descriptor, count)
        os.truncate(sending.folder / "a", 5)
        return data

    monkeypatch.setattr("osmo.checkpoint.upload.os.read", read)
    record = sending.upload("a", found, None, last_chance=True).record
    body = sending.memory.objects["ckpt/a"]
    assert record.torn_possible
    assert (record.size, record.digest) == (len(body), blake3(body).hexdigest())


def test_a_torn_file_is_sent_again_even_if_it_has_the_digest(sending: Sending) -> None:
    from dataclasses import replace

    grow(sending.folder, {"a": "1"})
    known = sending.upload("a", sending.stat("a"), None).record
    sending.asked.take()
    sending.upload("a", sending.stat("a"), replace(known, torn_possible=True))
    assert sending.asked.take() == [("put", "ckpt/a")]
