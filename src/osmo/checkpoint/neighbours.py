"""Whether anybody else can write to a stream's plain files: late requests of a former owner, or other streams."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from osmo.checkpoint import log
from osmo.checkpoint.key import CONTROL, key_of, of_stream
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, Record
from osmo.checkpoint.table import Unread
from osmo.store.base import Store

# A request that hangs for longer than this is the one thing that the protocol does not survive.
_LATE = timedelta(hours=24)

# Long before others may take a silent writer for dead, it does not trust any more that it is alone.
SILENT_S = 12 * 3600.0


def closed_well(records: list[Record]) -> bool:
    """Whether no request of a former owner can still be on its way. records: all of the log, oldest first."""
    return not records or (isinstance(records[-1], Close) and records[-1].alone)


def quiet(records: Mapping[str, Record], written: Mapping[str, datetime | None], claim: Claim) -> bool:
    """Whether every epoch before a claim was closed or has been silent for a day, back to one that was alone itself.

    records: the log, by key; written: when each was, by the store's clock.
    """
    epochs: dict[int, dict[str, Record]] = {}
    for key, record in records.items():
        epochs.setdefault(record.mark.epoch, {})[key] = record
    moments = [written.get(key) for key in epochs.pop(claim.mark.epoch)]
    now = max((moment for moment in moments if moment is not None), default=None)
    for _, own in sorted(epochs.items(), reverse=True):
        is_closed = any(isinstance(record, Close) for record in own.values())
        if not is_closed and not all(_is_old(written.get(key), now) for key in own):
            return False
        if any(record.alone for record in own.values() if isinstance(record, Claim | Close)):
            return True
    return True


def _is_old(moment: datetime | None, now: datetime | None) -> bool:
    return moment is not None and now is not None and moment < now - _LATE


def streams(store: Store) -> tuple[str, ...]:
    """All streams at the url, as their keys have them. Listed when one's own claim is there: so of two that begin at
    the same time at least one sees the other. Raises StoreError."""
    return store.folders(CONTROL)


def shares(store: Store, stream: str, prefix: str, streams: Iterable[str]) -> bool:
    """Whether another one of the streams has plain files where this one has. Raises StoreError."""
    return any(name != of_stream(stream) for name in sharing(store, prefix, streams))


def sharing(store: Store, prefix: str, streams: Iterable[str]) -> Iterator[str]:
    """Those of the streams that have plain files where one with this prefix has. Raises StoreError."""
    return (name for name in streams if overlap(prefix, _prefix(store, name)))


def others(store: Store, stream: str, prefix: str, run: str) -> list[tuple[str, Checkpoint]]:
    """The other streams of the same path's name that hold checkpoints, and the newest of each; but for those that the
    same run writes. Raises StoreError."""
    found = []
    for name in streams(store):
        if name == of_stream(stream) or _prefix(store, name) != prefix:
            continue
        records = list(log.Reader(name).all(store).values())
        made = log.checkpoints(records)
        if made and all(record.writer.run != run for record in records):
            found.append((name, made[-1]))
    return found


@dataclass(frozen=True, slots=True)
class Owner:
    """A stream that has a plain file at some key. digest: of what it put there."""

    stream: str
    run: str
    digest: str

    def __str__(self) -> str:
        return f"{self.stream} of {self.run}"


def owners(store: Store, stream: str) -> dict[str, Owner]:
    """By key, which other stream's newest checkpoint has a plain file there. Raises StoreError."""
    found = {}
    for name in streams(store):
        made = log.checkpoints(log.Reader(name).all(store).values()) if name != of_stream(stream) else []
        for newest in made[-1:] if made and not isinstance(made[-1].files, Unread) else ():
            for file in newest.files:
                found[key_of(newest.folder, file.name)] = Owner(name, newest.writer.run_id, file.digest)
    return found


def _prefix(store: Store, stream: str) -> str:
    """As its newest record says; of a stream that has none, it may be anything."""
    newest = max(log.slots(store, stream), key=lambda slot: slot.number, default=None)
    return log.read(store, newest).prefix if newest is not None else ""


def overlap(one: str, other: str) -> bool:
    """Whether two streams with these prefixes can have plain files of the same key."""
    return one == other or not one or not other
