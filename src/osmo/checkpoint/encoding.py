"""A record as bytes, and back. What is read is not trusted: it is a record of a known format, or an error.

The first line says all but the files, then each file has a line, so that a million of them are never there at once as
anything larger than their table. Of a checkpoint with a listing only what differs from that has lines.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from osmo.checkpoint.manifest import Checkpoint, Claim, Close, FileRecord, Listing, Mark, Record, Trigger, Writer
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import Draft, Files, Unread
from osmo.checkpoint.tree import UNKNOWN
from osmo.errors import NoRecord, StoreError

FORMAT = 2
_COMPRESS_ABOVE = 1024 * 1024
_PIECE = 1024 * 1024
_GZIP = b"\x1f\x8b"
_LARGEST = min(4 * 1024**3, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)
"""Bytes of a record that is unpacked: some ten million files, if the machine has the memory for them."""
_MOST_FILES = _LARGEST // 400
_INT64 = 2**63
_MODES = 2**16
_KINDS = [str, int, int, int, str, str, str]  # name, size, mode, mtime_ns, digest, place, etag
_FLAGS = ("deferred", "torn_possible", "live")

Listed = Callable[[str, str, int], Files]
"""The files of a listing, by its place, digest and size."""


def unread(place: str, _digest: str, _size: int) -> Files:
    """For those who do not ask for a checkpoint's files."""
    return Unread(StoreError(f"{place} was not read"))


def encode(record: Record) -> bytes:
    """JSON, a line for the record and one for each file; above 1 MiB as gzip, which begins with 1f 8b. The same record
    always gives the same bytes."""
    common: dict[str, Any] = {
        "format": FORMAT,
        "kind": type(record).__name__.lower(),
        "epoch": record.mark.epoch,
        "log": record.mark.number,
        "writer": asdict(record.writer),
        "prefix": record.prefix,
        "alone": record.alone,
    }
    files = _difference(record) if isinstance(record, Checkpoint) else ()
    return b"".join(_compressed(chain([_line(common | _facts(record))], map(_file, files))))


def encode_listing(files: Files) -> Iterator[bytes]:
    """All of these files, as an object that checkpoints may build upon, in pieces."""
    return _compressed(chain([_line({"format": FORMAT, "kind": "listing", "count": len(files)})], map(_file, files)))


def decode(body: bytes, listed: Listed = unread) -> Record:
    """The record of these bytes. Raises NoRecord if it is none, StoreError if it is of a newer format; what `listed`
    raises."""
    try:
        blocks = _blocks(body)
        record = _header(blocks)
        common: dict[str, Any] = {
            "mark": Mark(int(record["epoch"]), int(record["log"])),
            "writer": Writer(**record["writer"]),
            "prefix": str(record["prefix"]),
            "alone": bool(record["alone"]),
        }
        kind = record["kind"]
        if kind == "checkpoint":
            return _read_checkpoint(record, common, blocks, listed)
        common["made"] = datetime.fromisoformat(record["made"])
        if kind == "claim":
            return Claim(**common, base=_mark(record["base"]))
        if kind == "close":
            return Close(**common, behind=tuple(record["behind"]))
        raise ValueError(f"of an unknown kind: {kind!r}")
    except _BAD as error:
        raise NoRecord(f"not a record of a checkpoint: {error}") from error


def decode_listing(body: bytes) -> Files:
    """The files of a listing. Raises StoreError if it is none."""
    try:
        blocks = _blocks(body)
        header = _header(blocks)
        if header["kind"] != "listing":
            raise ValueError(f"of another kind: {header['kind']!r}")
        return _read_files(Draft(), blocks, header["count"])
    except _BAD as error:
        raise StoreError(f"not a listing of a checkpoint: {error}") from error


_BAD = (ValueError, KeyError, TypeError, OverflowError, RecursionError, EOFError, zlib.error)


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
        "size": checkpoint.files.size,
        "behind": checkpoint.behind,
        "left_out": checkpoint.left_out,
        "complete": not checkpoint.unsent,
        "unsent": checkpoint.unsent,
        "problems": checkpoint.problems or {},
    }
    if (listing := checkpoint.listing) is not None:
        facts["listing"] = {name: getattr(listing, name) for name in ("place", "digest", "size", "carried")}
        facts["gone"] = sorted(checkpoint.files.table.lacks(listing.files.table))
    return facts if checkpoint.exit_code is None else facts | {"exit_code": checkpoint.exit_code}


def _difference(checkpoint: Checkpoint) -> Iterable[FileRecord]:
    """The files that the record itself names."""
    if checkpoint.listing is None:
        return checkpoint.files
    table = checkpoint.files.table
    return (table[name].record for name in sorted(table.differs(checkpoint.listing.files.table)))


def _line(facts: dict[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def _file(file: FileRecord) -> str:
    flags = [name for name in _FLAGS if getattr(file, name)]
    facts = ({"flags": flags} if flags else {}) | ({"blocks": file.blocks} if file.blocks else {})
    more = "," + _line(facts) if facts else ""
    return (
        f"[{quoted(file.name)},{file.size},{file.mode},{file.mtime_ns},"
        f"{quoted(file.digest)},{quoted(file.place)},{quoted(file.etag)}{more}]"
    )


def _read_checkpoint(
    record: dict[str, Any], common: dict[str, Any], blocks: Iterator[bytes], listed: Listed
) -> Checkpoint:
    listing = None
    if (about := record.get("listing")) is not None:
        where = str(about["place"]), str(about["digest"]), int(about["size"])
        listing = Listing(*where, int(about["carried"]), listed(*where))
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
        files=_read_all(record, blocks, listing),
        listing=listing,
        behind=tuple(record["behind"]),
        left_out=tuple(record["left_out"]),
        unsent=tuple(record["unsent"]),
        problems=dict(record["problems"]),
        exit_code=record.get("exit_code"),
    )


def _read_all(record: dict[str, Any], blocks: Iterator[bytes], listing: Listing | None) -> Files:
    count = record["count"]
    if listing is None:
        return _read_files(Draft(), blocks, count)
    if isinstance(listing.files, Unread):
        return Unread(listing.files.why, int(count), int(record["size"]))
    draft = Draft(listing.files.table)
    for name in record["gone"]:
        draft.remove(str(name))
    return _read_files(draft, blocks, count)


def _read_files(draft: Draft, blocks: Iterator[bytes], count: int) -> Files:
    """The draft, and the files that have lines: `count` in all."""
    if count > _MOST_FILES:
        raise ValueError(f"{count:,} files, more than this machine has the memory for")
    begun, named = len(draft), 0
    for block in blocks:
        entries = json.loads(b"[" + block.replace(b"\n", b",") + b"]")
        for entry in entries:
            draft.put(Saved(UNKNOWN, _read_file(entry)))
        named += len(entries)
        if named > count:
            break
    if len(draft) != count or named > count or (named < count and not begun):
        raise ValueError(f"it says {count} files, and names others, or one twice")
    return Files(draft.table())


def _read_file(entry: list[Any]) -> FileRecord:
    if [type(fact) for fact in entry[:7]] != _KINDS:
        raise ValueError(f"a file that is {str(entry)[:100]}")
    size, mode, mtime_ns = entry[1:4]
    if not (0 <= size < _INT64 and 0 <= mode < _MODES and -_INT64 < mtime_ns < _INT64):
        raise ValueError(f"the size, mode or time of a file is none: {entry[0]!r}")
    if len(entry) == 7:
        return FileRecord(*entry)
    more = dict(entry[7])
    flags, blocks = list(more.get("flags", [])), more.get("blocks", "")
    if not isinstance(blocks, str):
        raise ValueError(f"the blocks of a file are {blocks!r}")
    facts = [*entry[:7], *(flag in flags for flag in _FLAGS), blocks]
    return FileRecord(*facts)


def _mark(pair: list[int] | None) -> Mark | None:
    return None if pair is None else Mark(*map(int, pair))


def _header(blocks: Iterator[bytes]) -> dict[str, Any]:
    """The first line. Raises StoreError if it is of another format."""
    record = json.loads(next(blocks, b""))
    if record["format"] > FORMAT:
        raise StoreError(
            f"a record of format {record['format']}, this osmo knows {FORMAT}", hint="Use a newer version of osmo."
        )
    if record["format"] != FORMAT:
        raise ValueError(f"of format {record['format']}, which this osmo does not read")
    return dict(record)


def _compressed(lines: Iterable[str]) -> Iterator[bytes]:
    """The lines as bytes, in pieces: as gzip if they are more than a few."""
    packer = None
    for piece in _joined(lines):
        if packer is None and len(piece) <= _COMPRESS_ABOVE:
            yield piece  # and it is the only one
            continue
        packer = packer or zlib.compressobj(level=1, wbits=31)
        yield packer.compress(piece)
    if packer is not None:
        yield packer.flush()


def _joined(lines: Iterable[str]) -> Iterator[bytes]:
    """Pieces of more than `_COMPRESS_ABOVE` bytes, but for the last."""
    found: list[str] = []
    size = 0
    for line in lines:
        found.append(line)
        size += len(line) + 1
        if size > _COMPRESS_ABOVE:
            yield ("\n".join(found) + "\n").encode()
            found, size = [], 0
    if found:
        yield ("\n".join(found) + "\n").encode()


def _blocks(body: bytes) -> Iterator[bytes]:
    """First the first line, then so many whole lines at a time, joined, without the last line's end."""
    begun: list[bytes] = []  # the beginning of a line
    is_first = True
    for piece in _pieces(body):
        if is_first and b"\n" in piece:
            first, _, piece = piece.partition(b"\n")
            yield b"".join([*begun, first])
            begun, is_first = [], False
        end = -1 if is_first else piece.rfind(b"\n")
        if end > 0:
            yield b"".join([*begun, piece[:end]])
            begun = []
        begun.append(piece[end + 1 :])
    if rest := b"".join(begun).strip():
        yield rest


def _pieces(body: bytes) -> Iterator[bytes]:
    """The lines, unpacked if need be: not more than `_LARGEST` bytes of them."""
    view = memoryview(body)
    if not body.startswith(_GZIP):
        yield from (bytes(view[at : at + _PIECE]) for at in range(0, len(body), _PIECE))
        return
    unpacker = zlib.decompressobj(wbits=31)
    total = 0
    for at in range(0, len(body), _PIECE // 16):
        packed: bytes | memoryview = view[at : at + _PIECE // 16]
        is_full = True
        while (packed or is_full) and not unpacker.eof:
            piece = unpacker.decompress(packed, _PIECE)
            packed, is_full = unpacker.unconsumed_tail, len(piece) == _PIECE
            total += len(piece)
            if total > _LARGEST:
                raise ValueError(f"more than {_LARGEST} bytes")
            yield piece
    if not unpacker.eof:
        raise ValueError("cut short")
