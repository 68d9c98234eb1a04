"""The numbered records of one stream, as they lie in the store."""

import re
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from osmo.checkpoint import listing
from osmo.checkpoint.budget import ByteBudget, suitable_total
from osmo.checkpoint.decoding import Listed, decode, unread
from osmo.checkpoint.key import CONTROL, of_stream
from osmo.checkpoint.manifest import Checkpoint, Mark, Record
from osmo.checkpoint.parts import MIB
from osmo.checkpoint.room import Room, fetch, for_all, for_one
from osmo.checkpoint.table import Files, Unread
from osmo.errors import NoRecord, NotFound, StoreError, Unavailable
from osmo.store.base import Store

_NAME = re.compile(r"(\d{8,})(?:\.(\d{8,})\.([0-9a-f]+))?\.json")


_ANOTHER = "`--at N` restores another checkpoint."
_SMALL = 8 * MIB
_TRIES = 20  # somebody removes records while others read them, but not for ever


@dataclass(frozen=True, slots=True)
class Slot:
    """A record as a listing shows it. epoch: of the key, None where the number alone is the name. modified: by the
    store's clock. size: in the store."""

    key: str
    size: int
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
            found.append(Slot(each.key, each.size, int(number), None if epoch is None else int(epoch), each.modified))
    return found


class Reader:
    """Reads a stream's log; a record that was read once is not read again, nor a listing. For one thread. at_once: how
    many requests at a time.

    What is read takes half of the memory that there is, at most. The files of a checkpoint for which no room is left,
    the newest coming first, are as those of one whose listing is lost.
    """

    def __init__(self, stream: str, at_once: int = 16) -> None:
        self.stream = stream
        self._at_once = at_once
        self._known: dict[str, Record] = {}
        self._missed: set[str] = set()  # the places of listings that were not there
        self._room = Room(for_all())
        self._taken: dict[str, Room] = {}  # by whom, the keys of records and the places of listings
        self._on_the_way = ByteBudget(suitable_total())

    def all(self, store: Store, passed_over: list[NoRecord] | None = None) -> dict[str, Record]:
        """Every record by key, oldest first. Raises StoreError, also for a format that is not known.

        passed_over: gets what lies among the records and is none, instead of being raised. The files of a checkpoint
        whose listing is lost, or is another, cannot be read: whoever wants them gets the StoreError then.
        """
        self._missed.clear()
        for _ in range(_TRIES):
            listed = slots(store, self.stream)
            self._known = {slot.key: self._known[slot.key] for slot in listed if slot.key in self._known}
            self._make_room()
            missing = [slot for slot in listed if slot.key not in self._known]
            missing.sort(key=lambda slot: slot.number, reverse=True)
            try:
                found = self._each(store, missing, tolerant=passed_over is not None)
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

    def drop(self, keys: Iterable[str]) -> None:
        """These were removed just now."""
        for key in keys:
            self._known.pop(key, None)

    def _make_room(self) -> None:
        """What took room, and is not known any more, gives it back."""
        places = {each.listing.place for each in checkpoints(self._known.values()) if each.listing is not None}
        for name in self._taken.keys() - self._known.keys() - places:
            self._taken.pop(name).give_back()

    def _takes(self, name: str) -> Room:
        """Room for one record, or one listing, that is to be read."""
        if name in self._taken:
            self._taken[name].give_back()
        self._taken[name] = Room(for_one(), self._room)
        return self._taken[name]

    def _each(self, store: Store, missing: list[Slot], *, tolerant: bool) -> dict[str, Record | NoRecord]:
        listed = self._listings(store)

        def one(slot: Slot) -> Record | NoRecord:
            try:
                with self._on_the_way.taken(slot.size):
                    return read(store, slot, listed, self._takes(slot.key))
            except NoRecord as error:
                if not tolerant:
                    raise
                return error

        keys = [slot.key for slot in missing]
        if min(len(keys), self._at_once) <= 1:
            return dict(zip(keys, map(one, missing), strict=True))
        with ThreadPoolExecutor(min(self._at_once, len(keys)), thread_name_prefix="log") as threads:
            return dict(zip(keys, threads.map(one, missing), strict=True))

    def _listings(self, store: Store) -> Listed:
        """Reads each of them once."""
        known = {
            each.listing.place: each.listing.files
            for each in checkpoints(self._known.values())
            if each.listing is not None and not isinstance(each.listing.files, Unread)
        }
        lock = threading.Lock()

        def listed(place: str, digest: str, size: int) -> Files:
            with lock:  # who comes at the same time most likely wants the same
                if place not in known:
                    known[place] = self._listing(store, place, digest, size)
                return known[place]

        return listed

    def _listing(self, store: Store, place: str, digest: str, size: int) -> Files:
        """Raises NotFound where it may have been removed together with its record, since that was read."""
        what = f"{store.url}/{place}: the list of a checkpoint's files"
        room = self._takes(place)
        try:
            return listing.read(fetch(store, place, size), digest, room)
        except NotFound:
            if place not in self._missed:
                self._missed.add(place)
                raise
            return Unread(StoreError(f"{what} is not there any more", hint=_ANOTHER))
        except StoreError as error:
            if type(error) is not StoreError:
                raise  # it says nothing about the object
            room.give_back()
            return Unread(StoreError(f"{what} is damaged: {error}", hint=error.hint or _ANOTHER))


def read(store: Store, slot: Slot, listed: Listed = unread, room: Room | None = None) -> Record:
    """The record of a slot. Raises NotFound; NoRecord if it is none; StoreError if it is of a newer format. listed:
    reads a listing; else the files of a checkpoint that has one are not known."""
    try:
        body = store.get(slot.key) if slot.size <= _SMALL else fetch(store, slot.key, slot.size)
        if len(body) < slot.size:
            raise Unavailable(f"{store.url}/{slot.key}: {len(body):,} of {slot.size:,} bytes came")
        record = decode(body, listed, room)
        if slot.number != record.mark.number:
            raise NoRecord(f"it says that its number is {record.mark.number}")
        return record
    except StoreError as error:
        if type(error) not in (StoreError, NoRecord):
            raise
        raise type(error)(f"{store.url}/{slot.key}: {error}", hint=error.hint) from error


def checkpoints(records: Iterable[Record]) -> list[Checkpoint]:
    """Those of the records that are checkpoints, oldest first."""
    found = (record for record in records if isinstance(record, Checkpoint))
    return sorted(found, key=lambda checkpoint: checkpoint.mark)


def counted(checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Without those that a fenced writer made where its number did not keep it from that: a later epoch began with an
    older one."""
    found = list(checkpoints)
    begun: dict[int, Mark] = {}  # by epoch, the newest checkpoint that it knew at its beginning
    for each in found:
        base = each.prev or Mark(0, 0)
        begun[each.mark.epoch] = min(begun.get(each.mark.epoch, base), base)
    return [
        each for each in found if all(each.mark <= base for epoch, base in begun.items() if epoch > each.mark.epoch)
    ]


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
