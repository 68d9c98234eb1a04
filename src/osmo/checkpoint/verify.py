"""Whether everything that a checkpoint names is in the store as it should be."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from blake3 import blake3

from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.errors import NotFound
from osmo.store.base import Store

_AT_ONCE = 8


def verify(store: Store, checkpoint: Checkpoint, *, deep: bool, report: Callable[[FileRecord], None]) -> dict[str, str]:
    """The files that are not in the store as the record says, and what is wrong with each.

    By size and etag, from a listing; `deep` reads every byte and compares digests. An etag that differs is wrong only
    if the digest differs, too: a bucket that was copied has new ones. `report` is told of each file that is done.
    Raises StoreError if the store cannot be asked.
    """
    there = {found.key: found for prefix in _prefixes(checkpoint) for found in store.list(prefix)}

    def one(file: FileRecord) -> tuple[str, str | None]:
        found = there.get(file.place)
        if found is None and "/" not in file.place:
            try:
                found = store.head(file.place)
            except NotFound:
                found = None
        if found is None:
            problem: str | None = "missing"
        elif found.size != file.size:
            problem = f"{found.size:,} bytes, not {file.size:,}"
        elif deep or found.etag != file.etag:
            problem = None if digest(store, file) == file.digest else "other bytes: somebody else wrote there"
        else:
            problem = None
        report(file)
        return file.name, problem

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="verify") as threads:
        return {name: problem for name, problem in threads.map(one, checkpoint.files) if problem is not None}


def digest(store: Store, file: FileRecord) -> str:
    """The digest of the object's bytes. A StoreError if they cannot be read."""
    hasher = blake3()
    for data in store.stream(file.place, file.size):
        hasher.update(data)
    return hasher.hexdigest()


def _prefixes(checkpoint: Checkpoint) -> set[str]:
    """The folders whose listings show all objects of the checkpoint but those that are in no folder."""
    return {place.partition("/")[0] for file in checkpoint.files if "/" in (place := file.place)}
