"""The record that bytes are. They are not trusted: it is a record of a known format, each fact of its kind and in its
range, and takes no more memory than there is for it, or an error.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from osmo.checkpoint.encoding import FLAGS, FORMAT, NAMES
from osmo.checkpoint.lines import blocks
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, FileRecord, Listing, Mark, Record, Trigger, Writer
from osmo.checkpoint.room import Room, TooMuch, for_one
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import Draft, Files, Unread
from osmo.checkpoint.tree import UNKNOWN
from osmo.errors import NoRecord, StoreError

Kind = TypeVar("Kind")

_INT64 = 2**63
_MODES = 2**16
_KINDS = [str, int, int, int, str, str, str]  # name, size, mode, mtime_ns, digest, place, etag
_OF_A_FILE = 200  # bytes of memory besides those of its line
_OF_A_FIRST_LINE = 16  # times its bytes
_OF_AN_ENTRY = 100  # bytes of memory in a folder that two tables do not share
_BAD = (ValueError, KeyError, TypeError, OverflowError, RecursionError, EOFError, zlib.error)

Listed = Callable[[str, str, int], Files]
"""The files of a listing, by its place, digest and size."""


def unread(place: str, _digest: str, _size: int) -> Files:
    """For those who do not ask for a checkpoint's files."""
    return Unread(StoreError(f"{place} was not read"))


def decode(body: bytes | bytearray, listed: Listed = unread, room: Room | None = None) -> Record:
    """The record of these bytes. Raises NoRecord if it is none, StoreError if it is of a newer format; what `listed`
    raises. The files of a checkpoint for which there is no room are not read."""
    try:
        lines = _Lines(body, room or Room(for_one()))
        facts = lines.first()
        return _record(facts, lines, listed)
    except _BAD as error:
        raise NoRecord(f"not a record of a checkpoint: {error}") from error


def decode_listing(body: bytes | bytearray, room: Room | None = None) -> Files:
    """The files of a listing. Raises StoreError if it is none, or there is no room for it."""
    try:
        lines = _Lines(body, room or Room(for_one()))
        facts = lines.first()
        if facts["kind"] != "listing":
            raise ValueError(f"of another kind: {facts['kind']!r}")
        return _read_files(Draft(), lines, facts.number("count"))
    except _BAD as error:
        raise StoreError(f"not a listing of a checkpoint: {error}") from error


class _Facts(dict[str, Any]):
    """What the first line says. Raises KeyError, ValueError and TypeError."""

    def text(self, name: str) -> str:
        return _of(str, self[name], name)

    def number(self, name: str) -> int:
        if not 0 <= (found := _of(int, self[name], name)) < _INT64:
            raise ValueError(f"`{name}` is {found}")
        return found

    def time(self, name: str) -> datetime:
        found = datetime.fromisoformat(self.text(name))
        if found.tzinfo is None:
            raise ValueError(f"`{name}` has no time zone")
        return found.astimezone(UTC)

    def mark(self, name: str) -> Mark | None:
        if self[name] is None:
            return None
        epoch, number = _of(list, self[name], name)
        return Mark(_Facts({name: epoch}).number(name), _Facts({name: number}).number(name))

    def names(self, name: str) -> tuple[str, ...]:
        return tuple(_of(str, each, name) for each in _of(list, self[name], name))

    def texts(self, name: str) -> dict[str, str]:
        return {key: _of(str, text, name) for key, text in _of(dict, self[name], name).items()}

    def facts(self, name: str) -> "_Facts":
        return _Facts(_of(dict, self[name], name))


class _Lines:
    """Of a record, one after the other."""

    def __init__(self, body: bytes | bytearray, room: Room) -> None:
        self.room = room
        self._blocks = blocks(body)
        self._ahead: list[Any] = []

    def first(self) -> _Facts:
        """Raises StoreError if it is of another format."""
        line = next(self._blocks, b"")
        self.room.take(_OF_A_FIRST_LINE * len(line))
        facts = _Facts(_of(dict, json.loads(line), "the first line"))
        if facts["format"] > FORMAT:
            raise StoreError(
                f"a record of format {facts['format']}, this osmo knows {FORMAT}", hint="Use a newer version of osmo."
            )
        if facts["format"] != FORMAT:
            raise ValueError(f"of format {facts['format']}, which this osmo does not read")
        return facts

    def apart(self, count: int) -> dict[str, Any]:
        """The names that the first line has no place for: so many lines."""
        found: dict[str, Any] = {what: {} if what == "problems" else [] for what in NAMES}
        for block in self.entries() if count else ():
            for what, name, *why in block[:count]:
                if what == "problems":
                    (found[what][name],) = why
                else:
                    found[what].append(name)
            self._ahead, count = block[count:], max(0, count - len(block))
            if not count:
                break
        if count:
            raise ValueError("it says that there are more names than there are")
        return found

    def entries(self) -> Iterator[list[Any]]:
        """What further lines say, many at a time. Raises TooMuch."""
        if self._ahead:
            ahead, self._ahead = self._ahead, []
            yield ahead
        for block in self._blocks:
            found = json.loads(b"[" + block.replace(b"\n", b",") + b"]")
            self.room.take(len(block) + _OF_A_FILE * len(found))
            yield found


def _record(facts: _Facts, lines: _Lines, listed: Listed) -> Record:
    common: dict[str, Any] = {
        "mark": Mark(facts.number("epoch"), facts.number("log")),
        "writer": _writer(facts.facts("writer")),
        "prefix": facts.text("prefix"),
        "alone": _of(bool, facts["alone"], "alone"),
    }
    kind = facts["kind"]
    if kind == "claim":
        return Claim(**common, made=facts.time("made"), base=facts.mark("base"))
    if kind not in ("checkpoint", "close"):
        raise ValueError(f"of an unknown kind: {kind!r}")
    if "apart" in facts:
        facts.update(lines.apart(facts.number("apart")))
    if kind == "close":
        return Close(**common, made=facts.time("made"), behind=facts.names("behind"))
    return _checkpoint(facts, common, lines, listed)


def _writer(facts: _Facts) -> Writer:
    run, run_id, task, host, id_ = map(facts.text, ("run", "run_id", "task", "host", "id"))
    return Writer(run, run_id, task, facts.number("attempt"), host, id_)


def _checkpoint(facts: _Facts, common: dict[str, Any], lines: _Lines, listed: Listed) -> Checkpoint:
    listing = _listing(facts.facts("listing"), listed) if facts.get("listing") is not None else None
    return Checkpoint(
        **common,
        number=facts.number("checkpoint"),
        prev=facts.mark("prev"),
        spared=facts.mark("spared"),
        trigger=Trigger(facts["trigger"]),
        path=facts.text("path"),
        folder=facts.text("folder"),
        begun=facts.time("begun"),
        committed=facts.time("committed"),
        files=_files(facts, lines, listing),
        listing=listing,
        behind=facts.names("behind"),
        left_out=facts.names("left_out"),
        unsent=facts.names("unsent"),
        problems=facts.texts("problems"),
        exit_code=None if facts.get("exit_code") is None else facts.number("exit_code"),
    )


def _listing(facts: _Facts, listed: Listed) -> Listing:
    where = facts.text("place"), facts.text("digest"), facts.number("size")
    return Listing(*where, facts.number("carried"), listed(*where))


def _files(facts: _Facts, lines: _Lines, listing: Listing | None) -> Files:
    count, size = facts.number("count"), facts.number("size")
    if listing is not None and isinstance(listing.files, Unread):
        return Unread(listing.files.why, count, size)
    try:
        if listing is None:
            return _read_files(Draft(), lines, count)
        draft = Draft(listing.files.table)
        for name in facts.names("gone"):
            draft.remove(name)
        files = _read_files(draft, lines, count)
        lines.room.take(_OF_AN_ENTRY * files.table.own_entries(listing.files.table))
    except TooMuch as error:
        lines.room.give_back()
        return Unread(StoreError(f"the files of checkpoint {facts['checkpoint']}: {error}"), count, size)
    return files


def _read_files(draft: Draft, lines: _Lines, count: int) -> Files:
    """The draft, and the files that have lines: `count` in all."""
    begun, named = len(draft), 0
    for entries in lines.entries():
        for entry in entries:
            draft.put(Saved(UNKNOWN, _file(entry)))
        named += len(entries)
        if named > count or (named > len(draft) and not begun):
            break
    if len(draft) != count or named > count or (named < count and not begun):
        raise ValueError(f"it says {count} files, and names others, or one twice")
    return Files(draft.table())


def _file(entry: list[Any]) -> FileRecord:
    if [type(fact) for fact in entry[:7]] != _KINDS:
        raise ValueError(f"a file that is {str(entry)[:100]}")
    size, mode, mtime_ns = entry[1:4]
    if not (0 <= size < _INT64 and 0 <= mode < _MODES and -_INT64 < mtime_ns < _INT64):
        raise ValueError(f"the size, mode or time of a file is none: {entry[0]!r}")
    if len(entry) == 7:
        return FileRecord(*entry)
    more = dict(entry[7])
    flags, where = list(more.get("flags", [])), more.get("blocks", "")
    if not isinstance(where, str):
        raise ValueError(f"the blocks of a file are {where!r}")
    facts = [*entry[:7], *(flag in flags for flag in FLAGS), where]
    return FileRecord(*facts)


def _of(kind: type[Kind], value: Any, name: str) -> Kind:
    """The value, which is exactly of this kind. Raises ValueError."""
    if type(value) is not kind:
        raise ValueError(f"`{name}` is {str(value)[:100]!r}")
    return value
