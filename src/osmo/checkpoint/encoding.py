"""A record as bytes. `osmo.checkpoint.decoding` reads them.

The first line says all but the files, then each file has a line, so that a million of them are never there at once as
anything larger than their table. Of a checkpoint with a listing only what differs from that has lines. Names that would
make the first line long have lines of their own, before those of the files.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from osmo.checkpoint.lines import LONGEST, compressed
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, FileRecord, Record
from osmo.checkpoint.table import Files

FORMAT = 2
FLAGS = ("deferred", "torn_possible", "live")
NAMES = ("behind", "left_out", "unsent", "gone", "problems")
"""The facts that are names; `problems` has a text for each."""
_LONGEST_TEXT = 4096
"""Characters of what is said of a file that is not stored, and of its name: that may be longer than any that is."""


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
    return b"".join(compressed(chain(_first(common | _facts(record)), map(_file, files))))


def encode_listing(files: Files) -> Iterator[bytes]:
    """All of these files, as an object that checkpoints may build upon, in pieces."""
    return compressed(chain([_line({"format": FORMAT, "kind": "listing", "count": len(files)})], map(_file, files)))


def _facts(record: Record) -> dict[str, Any]:
    match record:
        case Claim():
            return {"made": record.made.isoformat(), "base": record.base}
        case Close():
            return {"made": record.made.isoformat(), "behind": record.behind}
        case Checkpoint():
            return _checkpoint(record)


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    problems = (checkpoint.problems or {}).items()
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
        "problems": {name[:_LONGEST_TEXT]: why[:_LONGEST_TEXT] for name, why in problems},
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


def _first(facts: dict[str, Any]) -> Iterator[str]:
    """The first line; and, if it would be long, the names in it one by one."""
    line = _line(facts)
    if len(line) <= LONGEST // 2:
        yield line
        return
    apart = {what: facts[what] for what in NAMES if what in facts}
    yield _line(
        facts | {what: type(names)() for what, names in apart.items()} | {"apart": sum(map(len, apart.values()))}
    )
    for what, names in apart.items():
        for name in names:
            yield _line([what, name, names[name]] if isinstance(names, Mapping) else [what, name])


def _line(facts: Any) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def _file(file: FileRecord) -> str:
    flags = [name for name in FLAGS if getattr(file, name)]
    facts = ({"flags": flags} if flags else {}) | ({"blocks": file.blocks} if file.blocks else {})
    more = "," + _line(facts) if facts else ""
    return (
        f"[{quoted(file.name)},{file.size},{file.mode},{file.mtime_ns},"
        f"{quoted(file.digest)},{quoted(file.place)},{quoted(file.etag)}{more}]"
    )
