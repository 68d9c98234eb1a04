"""The numbered records of one stream, as they lie in the store."""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from osmo.checkpoint.encoding import decode
from osmo.checkpoint.key import CONTROL, of_stream
from osmo.checkpoint.manifest import Checkpoint, Mark, Record
from osmo.errors import NoRecord, NotFound, StoreError
from osmo.store.base import Store

_NAME = re.compile(r"(\d{8,})(?:\.(\d{8,})\.([0-9a-f]+))?\.json")


_TRIES = 20  # somebody removes records while others read them, but not for ever


@dataclass(frozen=True, slots=True)
class Slot:
    """A record as a listing shows it. epoch: of the key, None where the number alone is the name. modified: by the
    store's clock."""

    key: str
    number: int
    epoch: int | None
    modified: datetime | None


def folder(stream: str, what: str = "") -> str:
    """Where a stream keeps its `log`, its `objects` and its `old` ones."""
    return f"{CONTROL}/{of_stream(stream)}/{what}".rstrip("/")


def log_key(stream: str, mark: Mark, writer: str, *, exclusive: bool) -> str:
    """The key of a record.

    One name for each number, so that create-only lets only one writer have it. A server that is not exclusive, for it
    ignores create-only, gets a name that no two writers share.
    """
    own = "" if exclusive else f".{mark.epoch:08}.{writer}"
    return f"{folder(stream, 'log')}/{mark.number:08}{own}.json"


def is_exclusive(key: str) -> bool:
    """Whether the key of a record is one that only one writer could have."""
    match = _NAME.fullmatch(key.rpartition("/")[2])
    return match is not None and match[2] is None


def slots(store: Store, stream: str) -> list[Slot]:
    """All records of a stream, by a listing, in no order. Raises StoreError."""
    found = []
    for each in store.list(folder(stream, "log")):
        if match := _NAME.fullmatch(each.key.rpartition("/")[2]):
            number, epoch, _ = match.groups()
            found.append(Slot(each.key, int(number), None if epoch is None else int(epoch), each.modified))
    return found


class Reader:
    """Reads a stream's log; a record that was read once is not read again. For one thread. at_once: how many requests
    at a time."""

    def __init__(self, stream: str, at_once: int = 16) -> None:
        self.stream = stream
        self._at_once = at_once
        self._known: dict[str, Record] = {}

    def all(self, store: Store, passed_over: list[NoRecord] | None = None) -> dict[str, Record]:
        """Every record by key, oldest first. Raises StoreError, also for a format that is not known.

        passed_over: gets what lies among the records and is none, instead of being raised.
        """
        for _ in range(_TRIES):
            listed = slots(store, self.stream)
            self._known = {slot.key: self._known[slot.key] for slot in listed if slot.key in self._known}
            missing = [slot.key for slot in listed if slot.key not in self._known]
            try:
                found = _each(store, missing, self._at_once, tolerant=passed_over is not None)
            except NotFound:  # removed since it was listed: so there are newer ones
                continue
            self._known.update((key, each) for key, each in found.items() if not isinstance(each, NoRecord))
            if passed_over is not None:
                passed_over += (each for each in found.values() if isinstance(each, NoRecord))
            self._known = dict(sorted(self._known.items(), key=lambda item: item[1].mark))
            return self._known.copy()
        raise StoreError(f"{store.url}/{folder(self.stream, 'log')}: a record is listed, and is not there")

    def keys_of(self, marks: Iterable[Mark]) -> list[str]:
        """Where the records lie that were read or added; without those that somebody else has removed meanwhile."""
        wanted = set(marks)
        return [key for key, record in self._known.items() if record.mark in wanted]

    def add(self, key: str, record: Record) -> None:
        """This one was written just now."""
        self._known[key] = record


def read(store: Store, key: str) -> Record:
    """The record at a key. Raises NotFound; NoRecord if it is none; StoreError if it is of a newer format."""
    body = store.get(key)
    try:
        record = decode(body)
        if (match := _NAME.fullmatch(key.rpartition("/")[2])) and int(match[1]) != record.mark.number:
            raise NoRecord(f"it says that its number is {record.mark.number}")
        return record
    except StoreError as error:
        raise type(error)(f"{store.url}/{key}: {error}", hint=error.hint) from error


def checkpoints(records: Iterable[Record]) -> list[Checkpoint]:
    """Those of the records that are checkpoints, oldest first."""
    found = (record for record in records if isinstance(record, Checkpoint))
    return sorted(found, key=lambda checkpoint: checkpoint.mark)


def kept(records: Iterable[Record], keep: int, *, spare: bool = True) -> list[Checkpoint]:
    """The checkpoints that stay restorable, oldest first: the newest, `keep` - 1 before it, and, with `spare`, what it
    spares."""
    found = {checkpoint.mark: checkpoint for checkpoint in checkpoints(records)}
    newest = at = found[max(found)] if found else None
    chain: dict[Mark, int] = {}
    while at is not None and (at.number in chain.values() or len(set(chain.values())) < keep):
        chain[at.mark] = at.number
        at = found.get(at.prev) if at.prev is not None and at.prev < at.mark else None
    if spare and newest is not None and newest.spared in found:
        chain[newest.spared] = found[newest.spared].number
    return [found[mark] for mark in sorted(chain)]


def _each(store: Store, keys: list[str], at_once: int, *, tolerant: bool) -> dict[str, Record | NoRecord]:
    def one(key: str) -> Record | NoRecord:
        try:
            return read(store, key)
        except NoRecord as error:
            if not tolerant:
                raise
            return error

    if min(len(keys), at_once) <= 1:
        return {key: one(key) for key in keys}
    with ThreadPoolExecutor(min(at_once, len(keys)), thread_name_prefix="log") as threads:
        return dict(zip(keys, threads.map(one, keys), strict=True))
