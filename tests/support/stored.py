"""What lies in a store whose objects are files of a directory."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FACTS = ("name", "size", "mode", "mtime_ns", "digest", "place", "etag")


def parsed(body: bytes) -> dict[str, Any]:
    """What a record says, with its files, each by its facts, in order."""
    lines = (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).splitlines()
    record: dict[str, Any] = json.loads(lines[0])
    if record["kind"] != "checkpoint":
        return record
    assert "listing" not in record, "the record does not name all files"
    files = [dict(zip((*_FACTS, "more"), json.loads(line), strict=False)) for line in lines[1:]]
    named = [{**file, **file.pop("more", {})} for file in files]
    return record | {"files": sorted(named, key=lambda file: str(file["name"]))}


@dataclass
class Stored:
    """The directory, seen as a store."""

    directory: Path

    def files(self) -> set[str]:
        """The keys of all plain files: everything but our own records."""
        return {key for key in self._keys() if ".osmo" not in key.split("/")}

    def checkpoints(self, stream: str) -> list[dict[str, Any]]:
        """The checkpoints of a stream, oldest first."""
        folder = self.directory / ".osmo" / stream / "log"
        if not folder.exists():
            return []
        records = [record for path in sorted(folder.iterdir()) if (record := _record(path)) is not None]
        return [record for record in records if record["kind"] == "checkpoint"]

    def beneath(self, folder: str) -> "Stored":
        return Stored(self.directory / folder)

    def _keys(self) -> set[str]:
        return {str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file()}


def _record(path: Path) -> dict[str, Any] | None:
    """None if it is no record, or was tidied away just now."""
    if not path.name.partition(".")[0].isdecimal():
        return None
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        return None
    return parsed(body)
