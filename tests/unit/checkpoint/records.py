"""Records of a log, with only what a test is about, and a store that holds them."""

from typing import Any

from blake3 import blake3

from osmo.checkpoint.encoding import encode
from osmo.checkpoint.log import log_key
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, FileRecord, Mark, Record, Trigger, Writer
from osmo.checkpoint.table import Files
from osmo.store.base import Store
from support.clock import START

STREAM = "train.ckpt"
ONE = Writer("uuid-1", "run-1", "train", 0, "here", "0a01")
TWO = Writer("uuid-2", "run-2", "train", 0, "there", "0b02")


def file(name: str, content: bytes, place: str = "", etag: str = "etag") -> FileRecord:
    """A file of this content; without a place it lies at its key."""
    return FileRecord(name, len(content), 0o640, 7, blake3(content).hexdigest(), place or f"ckpt/{name}", etag)


def claim(number: int, epoch: int = 1, writer: Writer = ONE, *, alone: bool = True, prefix: str = "ckpt") -> Claim:
    return Claim(Mark(epoch, number), writer, prefix, alone, START, None)


def close(
    number: int, epoch: int = 1, writer: Writer = ONE, *, alone: bool = True, behind: tuple[str, ...] = ()
) -> Close:
    return Close(Mark(epoch, number), writer, "ckpt", alone, START, behind)


def checkpoint(
    number: int, epoch: int = 1, writer: Writer = ONE, *, prev: Mark | None = None, count: int = 0, **facts: Any
) -> Checkpoint:
    """number: of the log; count: of the checkpoint, if that is another one."""
    return Checkpoint(
        mark=Mark(epoch, number),
        writer=writer,
        prefix="ckpt",
        alone=True,
        number=count or number,
        prev=prev,
        trigger=Trigger.INTERVAL,
        path="/ckpt",
        begun=START,
        committed=START,
        **{"folder": "ckpt/", "spared": None, "problems": {}} | facts | {"files": Files.of(facts.get("files", ()))},
    )


def put(store: Store, *records: Record, exclusive: bool = True, stream: str = STREAM) -> None:
    """Write them where they belong."""
    for record in records:
        store.put_new(log_key(stream, record.mark, record.writer.id, exclusive=exclusive), encode(record))
