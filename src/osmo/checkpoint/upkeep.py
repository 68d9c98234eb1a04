"""What a person does to a stream that nobody writes to: bring its plain files up, take away those that are gone."""

import re
import secrets
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from osmo.checkpoint import history, log, neighbours
from osmo.checkpoint.epoch import Epoch, Place
from osmo.checkpoint.key import CONTROL, key_of
from osmo.checkpoint.manifest import Close, Record, Writer
from osmo.checkpoint.mirror import Mirror
from osmo.checkpoint.names import is_own
from osmo.clock import Clock
from osmo.errors import NotFound, OsmoError, StoreError
from osmo.store.base import Object, Store

_AT_ONCE = 16
_ALL = 1_000_000  # whatever is restorable stays so
_LIVE = timedelta(hours=24)
_RECORD = re.compile(rf"(.+)/{re.escape(CONTROL)}/[^/]+/log/\d{{8,}}[^/]*\.json")  # of a url beneath this one


class Busy(OsmoError):
    """Somebody may be writing to the stream at this moment."""

    hint = "End that run first. If it is gone for good: --force takes the stream from it."


@contextmanager
def owned(store: Store, stream: str, who: str, host: str, clock: Clock, *, force: bool) -> Iterator[Epoch]:
    """The stream, owned for the length of the block; it has records. who: for those who look at the log.

    Raises Busy unless `force`: a writer that is still there would be fenced. Raises StoreError.
    """
    reader = log.Reader(stream, _AT_ONCE)
    newest = [*reader.all(store).values()][-1]
    if not force:
        _refuse_if_busy(store, stream, newest)
    writer = Writer(secrets.token_hex(16), who, newest.writer.task, 0, host, secrets.token_hex(4))
    place = Place(stream, newest.prefix, keep=_ALL, at_once=_AT_ONCE)
    epoch = Epoch(place, writer, clock, reader, exclusive=store.excludes())
    epoch.claim(store)
    try:
        yield epoch
    finally:
        with suppress(StoreError):
            epoch.close(store)


@contextmanager
def owned_beneath(store: Store, prefix: str, who: str, host: str, clock: Clock, *, force: bool) -> Iterator[None]:
    """Every stream that has its plain files beneath a prefix, owned as `owned` says: nobody writes there meanwhile."""
    with ExitStack() as stack:
        for stream in neighbours.sharing(store, prefix, history.streams(store)):
            stack.enter_context(owned(store, stream, who, host, clock, force=force))
        yield


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of it. count: plain files that were missing or older, and are not any more. lost: the names of those
    that are missing and were the only copy. error: why others are still behind, if that is known."""

    count: int = 0
    lost: tuple[str, ...] = ()
    error: OsmoError | None = None


def bring_up(store: Store, epoch: Epoch) -> Brought:
    """Make the plain files those of the newest checkpoint. Raises StoreError."""
    base = epoch.base
    if base is None:
        return Brought()
    if (why := epoch.unread.get(base.mark)) is not None:
        raise why
    there = {each.key for each in store.list(epoch.place.prefix)}
    missing = [file for file in base.files if not _is_there(store, key_of(base.folder, file.name), there)]
    epoch.behind |= {file.name for file in missing if is_own(file.place)}
    lost = tuple(file.name for file in missing if not is_own(file.place))
    before = len(epoch.behind)
    error = Mirror(epoch, _AT_ONCE).follow(store, lambda _file, _key: False, lambda: False)
    return Brought(before - len(epoch.behind), lost, error)


def gone(store: Store, prefix: str, dropped: Container[str] = ()) -> list[Object]:
    """The plain files beneath a prefix that are in no checkpoint of any stream that has its files there. What lies
    beneath another url is none of them. dropped: the keys of records that count as removed. Raises StoreError.

    Files are listed before the logs are read: so whatever a record names that is written meanwhile is not among them.
    """
    listed = list(store.list(prefix))
    named: set[str] = set()
    read = 0
    for stream in neighbours.sharing(store, prefix, neighbours.streams(store)):
        reader = log.Reader(stream, _AT_ONCE)
        records = reader.all(store) or reader.all(
            store
        )  # nothing, where there is a folder: an error may look like that
        read += len(records)
        for checkpoint in log.checkpoints(record for key, record in records.items() if key not in dropped):
            named.update(key_of(checkpoint.folder, file.name) for file in checkpoint.files)
    if not read:
        raise StoreError(f"{store.url}: the store does not list the records that it holds")
    others = {match[1] for each in listed if (match := _RECORD.fullmatch(each.key))}
    return [each for each in listed if each.key not in named and not _is_beneath(each.key, others | {CONTROL})]


def _refuse_if_busy(store: Store, stream: str, newest: Record) -> None:
    """Raises Busy if the writer of the newest record has not said that it ended, and may be there still."""
    if isinstance(newest, Close):
        return
    last = max((slot.modified for slot in log.slots(store, stream) if slot.modified is not None), default=None)
    now = _now(store)
    age = now - last if last is not None and now is not None else timedelta()
    if age < _LIVE:
        minutes = max(0, round(age.total_seconds() / 60))
        raise Busy(f"{stream}: {newest.writer} may still be writing: its last record is {minutes} minutes old")


def _now(store: Store) -> datetime | None:
    """The time by the store's clock, which is when something is written there: ours may be days off."""
    key = f"{CONTROL}/probe-{secrets.token_hex(8)}"
    store.put(key, b"what time is it?")
    try:
        return store.head(key).modified
    finally:
        with suppress(StoreError):
            store.delete(key)


def _is_there(store: Store, key: str, listed: Container[str]) -> bool:
    """Whether there is a plain file. listed: what lies beneath the prefix, which may be the file itself."""
    if "/" in key:
        return key in listed
    with suppress(NotFound):
        store.head(key)
        return True
    return False


def _is_beneath(key: str, folders: Container[str]) -> bool:
    at = key.find("/")
    while at >= 0:
        if key[:at] in folders:
            return True
        at = key.find("/", at + 1)
    return False
