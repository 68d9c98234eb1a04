"""What no kept checkpoint needs goes. Safe for anybody at any time, without a lock."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from osmo.checkpoint import log
from osmo.checkpoint.manifest import Checkpoint, Close
from osmo.checkpoint.names import is_own, mark_of
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
    if not kept:
        return Garbage()
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


def after_commit(dropped: Iterable[Checkpoint], kept: Iterable[Checkpoint], given: Iterable[str]) -> list[str]:
    """The objects that a writer knows of and that no kept checkpoint names. given: the names of what it sent since."""
    named = _named(kept)
    were = {key for key in _named(dropped) if is_own(key)}
    return sorted((were | set(given)) - named)


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


def _named(checkpoints: Iterable[Checkpoint]) -> set[str]:
    return {key for checkpoint in checkpoints for file in checkpoint.files for key in file.keys}


def _unnamed(objects: Iterable[Object], kept: list[Checkpoint]) -> list[Object]:
    """What no kept checkpoint names, and no later one will."""
    named = _named(kept)
    newest = kept[-1].mark
    return [
        each for each in objects if each.key not in named and (mark := mark_of(each.key)) is not None and mark <= newest
    ]


def _not_needed(olds: Iterable[Object], kept: list[Checkpoint]) -> list[Object]:
    """Copies of bytes that no kept checkpoint has at a plain file."""
    plain = {file.digest for checkpoint in kept for file in checkpoint.files if not is_own(file.place)}
    return [each for each in olds if each.key.rpartition("/")[2].partition(".")[0] not in plain]


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
