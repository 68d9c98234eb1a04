"""A record as bytes, and back. What is read is not trusted: it is a record of a known format, or an error."""

import gzip
import json
import os
import zlib
from dataclasses import asdict
from datetime import datetime
from typing import Any

from osmo.checkpoint.manifest import Checkpoint, Claim, Close, FileRecord, Mark, Record, Trigger, Writer
from osmo.errors import NoRecord, StoreError

FORMAT = 1
_COMPRESS_ABOVE = 1024 * 1024
_GZIP = b"\x1f\x8b"
_LARGEST = min(4 * 1024**3, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)
"""Bytes of a record that is unpacked: some ten million files, if the machine has the memory for them."""
_INT64 = 2**63
_FACTS = {"name": str, "size": int, "mode": int, "mtime_ns": int, "digest": str, "place": str, "etag": str}
_FLAGS = ("deferred", "live", "torn_possible")


def encode(record: Record) -> bytes:
    """JSON; above 1 MiB as gzip, which begins with 1f 8b. The same record always gives the same bytes."""
    common: dict[str, Any] = {
        "format": FORMAT,
        "kind": type(record).__name__.lower(),
        "epoch": record.mark.epoch,
        "log": record.mark.number,
        "writer": asdict(record.writer),
        "prefix": record.prefix,
        "alone": record.alone,
    }
    body = json.dumps(common | _facts(record), sort_keys=True, separators=(",", ":")).encode()
    return gzip.compress(body, compresslevel=6, mtime=0) if len(body) > _COMPRESS_ABOVE else body


def decode(body: bytes) -> Record:
    """The record of these bytes. Raises NoRecord if it is none, StoreError if it is of a newer format."""
    try:
        record = json.loads(_plain(body))
        if record["format"] > FORMAT:
            raise StoreError(
                f"a record of format {record['format']}, this osmo knows {FORMAT}", hint="Use a newer version of osmo."
            )
        common: dict[str, Any] = {
            "mark": Mark(int(record["epoch"]), int(record["log"])),
            "writer": Writer(**record["writer"]),
            "prefix": str(record["prefix"]),
            "alone": bool(record["alone"]),
        }
        kind = record["kind"]
        if kind == "checkpoint":
            return _read_checkpoint(record, common)
        common["made"] = datetime.fromisoformat(record["made"])
        if kind == "claim":
            return Claim(**common, base=_mark(record["base"]))
        if kind == "close":
            return Close(**common, behind=tuple(record["behind"]))
        raise ValueError(f"of an unknown kind: {kind!r}")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, EOFError, zlib.error) as error:
        raise NoRecord(f"not a record of a checkpoint: {error}") from error


def _facts(record: Record) -> dict[str, Any]:
    match record:
        case Claim():
            return {"made": record.made.isoformat(), "base": record.base}
        case Close():
            return {"made": record.made.isoformat(), "behind": record.behind}
        case Checkpoint():
            return _checkpoint(record)


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "checkpoint": checkpoint.number,
        "prev": checkpoint.prev,
        "spared": checkpoint.spared,
        "trigger": checkpoint.trigger,
        "path": checkpoint.path,
        "folder": checkpoint.folder,
        "begun": checkpoint.begun.isoformat(),
        "committed": checkpoint.committed.isoformat(),
        "count": len(checkpoint.files),
        "size": sum(file.size for file in checkpoint.files),
        "behind": checkpoint.behind,
        "left_out": checkpoint.left_out,
        "complete": not checkpoint.unsent,
        "unsent": checkpoint.unsent,
        "problems": checkpoint.problems or {},
        "files": [_file(file) for file in checkpoint.files],
    }
    return facts if checkpoint.exit_code is None else facts | {"exit_code": checkpoint.exit_code}


def _file(file: FileRecord) -> dict[str, Any]:
    record: dict[str, Any] = {name: getattr(file, name) for name in _FACTS}
    flags = [name for name in _FLAGS if getattr(file, name)]
    if flags:
        record["flags"] = flags
    if file.blocks:
        record["blocks"] = file.blocks
    return record


def _read_checkpoint(record: dict[str, Any], common: dict[str, Any]) -> Checkpoint:
    return Checkpoint(
        **common,
        number=int(record["checkpoint"]),
        prev=_mark(record["prev"]),
        spared=_mark(record["spared"]),
        trigger=Trigger(record["trigger"]),
        path=str(record["path"]),
        folder=str(record["folder"]),
        begun=datetime.fromisoformat(record["begun"]),
        committed=datetime.fromisoformat(record["committed"]),
        files=tuple(_read_file(file) for file in record["files"]),
        behind=tuple(record["behind"]),
        left_out=tuple(record["left_out"]),
        unsent=tuple(record["unsent"]),
        problems=dict(record["problems"]),
        exit_code=record.get("exit_code"),
    )


def _mark(pair: list[int] | None) -> Mark | None:
    return None if pair is None else Mark(*map(int, pair))


def _read_file(record: dict[str, Any]) -> FileRecord:
    for name, kind in _FACTS.items():
        if not isinstance(record[name], kind):
            raise ValueError(f"the {name} of a file is {record[name]!r}")
    if record["size"] < 0 or max(record["size"], record["mode"], abs(record["mtime_ns"])) >= _INT64:
        raise ValueError(f"the size or time of a file is none: {record['name']!r}")
    flags, blocks = record.get("flags", ()), record.get("blocks", "")
    if not isinstance(blocks, str):
        raise ValueError(f"the blocks of a file are {blocks!r}")
    return FileRecord(
        **{name: record[name] for name in _FACTS} | {name: name in flags for name in _FLAGS}, blocks=blocks
    )


def _plain(body: bytes) -> bytes:
    """The JSON, unpacked if need be: not more than `_LARGEST` bytes of it."""
    if not body.startswith(_GZIP):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(body, _LARGEST)
    if not unpacker.eof:
        raise ValueError(f"more than {_LARGEST} bytes, or cut short")
    return plain
