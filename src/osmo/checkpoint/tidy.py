"""What no kept checkpoint needs goes. Safe for anybody at any time, without a lock."""

from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from osmo.checkpoint import log
from osmo.checkpoint.manifest import Checkpoint, Close, Mark
from osmo.checkpoint.names import is_own, mark_of
from osmo.checkpoint.table import EMPTY, Table, Unread
from osmo.errors import StoreError
from osmo.store.base import Object, Store

_ABANDONED = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Garbage:
    """Keys that nobody needs. records: of checkpoints and closes; to be removed first. size: bytes of the objects."""

    records: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    size: int = 0


def find(store: Store, reader: log.Reader, keep: int, *, spare: bool = True) -> Garbage:
    """The garbage of a stream, of which `keep` checkpoints are to stay restorable, and with `spare` the one of an
    earlier run. Raises StoreError.

    Objects are listed before the log is read: so whatever a record names that is written meanwhile is not among them,
    or was named before.
    """
    objects = list(store.list(log.folder(reader.stream, "objects")))
    olds = list(store.list(log.folder(reader.stream, "old")))
    records = reader.all(store)
    kept = log.kept(records.values(), keep, spare=spare)
    if not kept or any(isinstance(checkpoint.files, Unread) for checkpoint in kept):
        return Garbage()  # what those name that cannot be read may be what somebody repairs them with
    newest = kept[-1].mark
    if any(record.mark.epoch > newest.epoch and not log.is_exclusive(key) for key, record in records.items()):
        return Garbage()  # somebody is taking over, and the number alone does not keep him from it
    stay = {checkpoint.mark for checkpoint in kept}
    passed = [
        key
        for key, record in records.items()
        if record.mark < newest and record.mark not in stay and isinstance(record, Checkpoint | Close)
    ]
    gone = [*_unnamed(objects, kept), *_not_needed(olds, kept)]
    return Garbage(tuple(passed), tuple(each.key for each in gone), sum(each.size for each in gone))


def after_commit(
    dropped: Iterable[Checkpoint], kept: Iterable[Checkpoint], given: Iterable[str], unread: Container[Mark] = ()
) -> list[str]:
    """The objects that a writer knows of and that no kept checkpoint names. given: the names of what it sent since.
    unread: the checkpoints of which it is not known what they name; that is nothing that was made for a later one."""
    kept = list(kept)
    found = set(given)
    for checkpoint in dropped:
        found |= _own(checkpoint, kept[-1].files.table if kept else EMPTY)
    for checkpoint in kept if found else ():
        found.difference_update(_objects(checkpoint))
    last = max((each.mark for each in kept if each.mark in unread), default=None)
    return sorted(key for key in found if last is None or ((mark := mark_of(key)) is not None and mark > last))


def remove(store: Store, garbage: Garbage, at_once: int) -> list[StoreError]:
    """Remove it. Returns why what is left could not be removed, one for each key; it stays for the next time.

    If a record stays, so do all objects: it may name them.
    """
    return _delete(store, garbage.records, at_once) or _delete(store, garbage.objects, at_once)


def abort_uploads(store: Store, stream: str, prefix: str, epoch: int) -> None:
    """End the multipart uploads that writers before this epoch left behind. Whatever goes wrong is left for later.

    Those of plain files may be another program's: they are given a day.
    """
    try:
        for upload in store.unfinished(log.folder(stream, "objects")):
            mark = mark_of(upload.key)
            if mark is not None and mark.epoch < epoch:
                store.abort(upload)
        now = [slot.modified for slot in log.slots(store, stream) if slot.modified is not None]
        for upload in store.unfinished(prefix) if prefix and now else ():
            if upload.begun < max(now) - _ABANDONED:
                store.abort(upload)
    except StoreError:
        return


def _objects(checkpoint: Checkpoint) -> Iterator[str]:
    """All objects that a checkpoint names."""
    if checkpoint.listing is not None:
        yield checkpoint.listing.place
    yield from checkpoint.files.table.objects()


def _own(checkpoint: Checkpoint, but: Table) -> set[str]:
    """The objects that a checkpoint names, but those of files that another set has, too."""
    table = checkpoint.files.table
    records = (table[name].record for name in (*table.differs(but), *but.lacks(table)))
    found = {key for record in records for key in record.keys if is_own(key)}
    return found if checkpoint.listing is None else found | {checkpoint.listing.place}


def _unnamed(objects: Iterable[Object], kept: list[Checkpoint]) -> list[Object]:
    """What no kept checkpoint names, and no later one will."""
    named: set[str] = set()
    for checkpoint in kept:
        named.update(_objects(checkpoint))
    newest = kept[-1].mark
    return [
        each for each in objects if each.key not in named and (mark := mark_of(each.key)) is not None and mark <= newest
    ]


def _not_needed(olds: Iterable[Object], kept: list[Checkpoint]) -> list[Object]:
    """Copies of bytes that no kept checkpoint has at a plain file."""
    digests = {each.key: each.key.rpartition("/")[2].partition(".")[0] for each in olds}
    if not digests:
        return []
    of_olds = set(digests.values())
    files = (file for checkpoint in kept for file in checkpoint.files if file.digest in of_olds)
    plain = {file.digest for file in files if not is_own(file.place)}
    return [each for each in olds if digests[each.key] not in plain]


def _delete(store: Store, keys: Iterable[str], at_once: int) -> list[StoreError]:
    def one(key: str) -> StoreError | None:
        try:
            store.delete(key)
        except StoreError as error:
            return error
        return None

    keys = list(keys)
    if at_once == 1 or len(keys) <= 1:
        return [error for key in keys if (error := one(key)) is not None]
    with ThreadPoolExecutor(min(at_once, len(keys)), thread_name_prefix="tidy") as threads:
        return [error for error in threads.map(one, keys) if error is not None]
