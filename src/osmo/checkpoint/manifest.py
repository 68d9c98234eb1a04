"""The record of one checkpoint: which files it holds, and where in the store their bytes are."""

import gzip
import json
import zlib
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from osmo.checkpoint.key import CONTROL, escaped
from osmo.errors import StoreError

FORMAT = 1
_COMPRESS_ABOVE = 1024 * 1024
_GZIP = b"\x1f\x8b"
_LARGEST = 4 * 1024**3  # unpacked: some ten million files
_FACTS = ("name", "size", "mode", "mtime_ns", "digest", "place", "etag")
_FLAGS = ("deferred", "torn_possible")


class Trigger(StrEnum):
    """Why a checkpoint was made."""

    INTERVAL = "interval"
    FINAL = "final"
    PREEMPT = "preempt"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a checkpoint.

    name: beneath the root, as the filesystem has it (bytes that are not UTF-8 as surrogates). size: bytes.
    digest: BLAKE3 of the content, hex, the one that `b3sum` prints. place: the key of its object, relative to the url.
    deferred: it was being written at the time, so this is its content of an earlier checkpoint.
    torn_possible: it was still being written after the command had ended.
    """

    name: str
    size: int
    mode: int
    mtime_ns: int
    digest: str
    place: str
    etag: str
    deferred: bool = False
    torn_possible: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """Who makes checkpoints: one attempt of one task of one run."""

    run: str
    run_id: str
    task: str
    attempt: int
    host: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One committed set of files: what the record says. `number` is its place in the stream's log."""

    number: int
    prev: int | None
    writer: Writer
    trigger: Trigger
    path: str
    begun: datetime
    committed: datetime
    files: tuple[FileRecord, ...]
    left_out: tuple[str, ...] = ()
    problems: dict[str, str] | None = None
    exit_code: int | None = None
    unsent: tuple[str, ...] = ()


def log_prefix(stream: str) -> str:
    """Where the log of a stream lies."""
    return f"{CONTROL}/{escaped(stream)}/log"


def log_key(stream: str, number: int) -> str:
    """The key of a record: one name for each number, compressed or not, or else create-only would exclude nobody."""
    return f"{log_prefix(stream)}/{number:08}.json"


def log_number(key: str) -> int | None:
    """The number of the record at `key`; None if that is no record."""
    stem, _, suffix = key.rpartition("/")[2].partition(".")
    return int(stem) if suffix == "json" and stem.isdecimal() else None


def encode(checkpoint: Checkpoint) -> bytes:
    """JSON; above 1 MiB as gzip, which begins with 1f 8b. The same checkpoint always gives the same bytes."""
    record: dict[str, Any] = {
        "format": FORMAT,
        "kind": "checkpoint",
        "log": checkpoint.number,
        "checkpoint": checkpoint.number,
        "epoch": 0,
        "alone": False,
        "prev": checkpoint.prev,
        "writer": asdict(checkpoint.writer),
        "trigger": checkpoint.trigger,
        "path": checkpoint.path,
        "begun": checkpoint.begun.isoformat(),
        "committed": checkpoint.committed.isoformat(),
        "count": len(checkpoint.files),
        "size": sum(file.size for file in checkpoint.files),
        "behind": [],
        "left_out": list(checkpoint.left_out),
        "complete": not checkpoint.unsent,
        "unsent": list(checkpoint.unsent),
        "problems": checkpoint.problems or {},
        "files": [_file(file) for file in checkpoint.files],
    }
    if checkpoint.exit_code is not None:
        record["exit_code"] = checkpoint.exit_code
    body = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    return gzip.compress(body, compresslevel=6, mtime=0) if len(body) > _COMPRESS_ABOVE else body


def decode(body: bytes) -> Checkpoint:
    """The checkpoint of a record. Raises StoreError if it is none, or of a newer format."""
    try:
        record = json.loads(_plain(body))
        if record["format"] > FORMAT:
            raise StoreError(
                f"a record of format {record['format']}, this osmo knows {FORMAT}", hint="Use a newer version of osmo."
            )
        return Checkpoint(
            number=record["log"],
            prev=record["prev"],
            writer=Writer(**record["writer"]),
            trigger=Trigger(record["trigger"]),
            path=record["path"],
            begun=datetime.fromisoformat(record["begun"]),
            committed=datetime.fromisoformat(record["committed"]),
            files=tuple(_file_record(file) for file in record["files"]),
            left_out=tuple(record["left_out"]),
            unsent=tuple(record["unsent"]),
            problems=record["problems"],
            exit_code=record.get("exit_code"),
        )
    except (ValueError, KeyError, TypeError, EOFError, zlib.error) as error:
        raise StoreError(f"not a record of a checkpoint: {error}") from error


def _plain(body: bytes) -> bytes:
    """The JSON, unpacked if need be: not more than `_LARGEST` bytes of it."""
    if not body.startswith(_GZIP):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(body, _LARGEST)
    if not unpacker.eof:
        raise ValueError(f"more than {_LARGEST} bytes, or cut short")
    return plain


def _file_record(record: dict[str, Any]) -> FileRecord:
    flags = record.get("flags", ())
    return FileRecord(**{name: record[name] for name in _FACTS} | {name: name in flags for name in _FLAGS})


def _file(file: FileRecord) -> dict[str, Any]:
    record: dict[str, Any] = {name: getattr(file, name) for name in _FACTS}
    flags = [name for name in _FLAGS if getattr(file, name)]
    return record | {"flags": flags} if flags else record
