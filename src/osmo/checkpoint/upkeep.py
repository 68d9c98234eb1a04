"""What a person does to a stream that nobody writes to: bring its plain files up, take away those that are gone."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from osmo.checkpoint import history, log
from osmo.checkpoint.epoch import Epoch, Place
from osmo.checkpoint.key import CONTROL, key_of
from osmo.checkpoint.manifest import Checkpoint, Close, Writer
from osmo.checkpoint.mirror import Mirror
from osmo.checkpoint.names import is_own
from osmo.checkpoint.neighbours import overlap
from osmo.clock import Clock
from osmo.errors import OsmoError, StoreError
from osmo.store.base import Object, Store

_AT_ONCE = 16
_ALL = 1_000_000  # whatever is restorable stays so
_LIVE = timedelta(hours=24)


class Busy(OsmoError):
    """Somebody may be writing to the stream at this moment."""

    hint = "End that run first. If it is gone for good: --force takes the stream from it."


@contextmanager
def owned(store: Store, stream: str, who: str, host: str, clock: Clock, *, force: bool) -> Iterator[Epoch]:
    """The stream, owned for the length of the block; it holds a checkpoint. who: for those who look at the log.

    Raises Busy unless `force`: a writer that is still there would be fenced. Raises StoreError.
    """
    reader = log.Reader(stream, _AT_ONCE)
    newest = [*reader.all(store).values()][-1]
    if not isinstance(newest, Close) and not force:
        last = max((slot.modified for slot in log.slots(store, stream) if slot.modified is not None), default=None)
        age = clock.now() - last if last is not None else timedelta()
        if age < _LIVE:
            minutes = max(0, round(age.total_seconds() / 60))
            raise Busy(f"{stream}: {newest.writer} may still be writing: its last record is {minutes} minutes old")
    writer = Writer(secrets.token_hex(16), who, newest.writer.task, 0, host, secrets.token_hex(4))
    place = Place(stream, newest.prefix, keep=_ALL, at_once=_AT_ONCE)
    epoch = Epoch(place, writer, clock, reader, exclusive=store.excludes())
    epoch.claim(store)
    try:
        yield epoch
    finally:
        with suppress(StoreError):
            epoch.close(store)


def bring_up(store: Store, epoch: Epoch) -> tuple[int, StoreError | None]:
    """Make the plain files those of the newest checkpoint. How many were not, and are now; why not all of them."""
    if epoch.base is None:
        return 0, None
    there = {each.key for each in _plain(store, epoch.place.prefix)}
    epoch.behind |= {
        file.name
        for file in epoch.base.files
        if is_own(file.place) and key_of(epoch.base.folder, file.name) not in there
    }
    before = len(epoch.behind)
    error = Mirror(epoch, _AT_ONCE).follow(store, lambda _file, _key: False, lambda: False)
    return before - len(epoch.behind), error


def gone(store: Store, prefix: str) -> list[Object]:
    """The plain files beneath a prefix that are in no checkpoint of any stream that has its files there. Raises
    StoreError."""
    named: set[str] = set()
    for stream in history.streams(store):
        checkpoints = history.checkpoints(store, stream)
        if checkpoints and overlap(checkpoints[-1].prefix, prefix):
            named.update(key for checkpoint in checkpoints for key in _keys(checkpoint))
    return [each for each in _plain(store, prefix) if each.key not in named]


def _keys(checkpoint: Checkpoint) -> Iterator[str]:
    return (key_of(checkpoint.folder, file.name) for file in checkpoint.files)


def _plain(store: Store, prefix: str) -> Iterator[Object]:
    """What lies beneath a prefix, but for what is osmo's own."""
    for each in store.list(prefix):
        if not each.key.startswith(f"{CONTROL}/"):
            yield each
