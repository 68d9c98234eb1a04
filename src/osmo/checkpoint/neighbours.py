"""Whether anybody else can write to a stream's plain files: late requests of a former owner, or other streams."""

from datetime import timedelta

from osmo.checkpoint import log
from osmo.checkpoint.key import CONTROL, escaped
from osmo.checkpoint.manifest import Close, Record
from osmo.store.base import Store

# A request that hangs for longer than this is the one thing that the protocol does not survive.
_LATE = timedelta(hours=24)

# Long before others may take a silent writer for dead, it does not trust any more that it is alone.
SILENT_S = 12 * 3600.0


def closed_well(records: list[Record]) -> bool:
    """Whether no request of a former owner can still be on its way. records: all of the log, oldest first."""
    return not records or (isinstance(records[-1], Close) and records[-1].alone)


def long_ago(slots: list[log.Slot], claim: int) -> bool:
    """Whether all records but those from number `claim` on are so old that no request of their writers still is."""
    since = [slot.modified for slot in slots if slot.number == claim and slot.modified is not None]
    if not since:
        return False
    others = [slot.modified for slot in slots if slot.number < claim]
    return all(modified is not None and modified < since[0] - _LATE for modified in others)


def shares(store: Store, stream: str, prefix: str) -> bool:
    """Whether another stream at the url has plain files where this one has. Asked when one's own claim is there, of two
    at least the later one sees the other. Raises StoreError."""
    return any(name != escaped(stream) and overlap(prefix, _prefix(store, name)) for name in store.folders(CONTROL))


def _prefix(store: Store, stream: str) -> str:
    """As its newest record says; of a stream that has none, it may be anything."""
    newest = max(log.slots(store, stream), key=lambda slot: slot.number, default=None)
    return log.read(store, newest.key).prefix if newest is not None else ""


def overlap(one: str, other: str) -> bool:
    """Whether two streams with these prefixes can have plain files of the same key."""
    return one == other or not one or not other
