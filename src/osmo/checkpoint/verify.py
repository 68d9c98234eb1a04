"""Whether everything that a checkpoint names is in the store as it should be."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from blake3 import blake3

from osmo.checkpoint import log, neighbours
from osmo.checkpoint.copies import Copies
from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.names import is_own
from osmo.checkpoint.neighbours import Owner
from osmo.errors import NotFound, StoreError
from osmo.store.base import Object, Store
from osmo.store.keys import check_key

_AT_ONCE = 8


def verify(
    store: Store, stream: str, checkpoint: Checkpoint, *, deep: bool, report: Callable[[FileRecord], None]
) -> dict[str, str]:
    """The files of a stream's checkpoint that cannot be read back as the record says, and what is wrong with each.

    By size and etag, from a listing; `deep` reads every byte and compares digests. An etag that differs is wrong only
    if the digest differs, too: a bucket that was copied has new ones. A plain file that was overwritten is well if its
    bytes were copied away before. `report` is told of each file that is done. Raises StoreError if the store cannot be
    asked.
    """
    looking = _Looking(store, stream, checkpoint, deep=deep)

    def one(file: FileRecord) -> tuple[str, str]:
        problem = looking.problem(file)
        report(file)
        return file.name, problem

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="verify") as threads:
        return {name: problem for name, problem in threads.map(one, checkpoint.files) if problem}


class _Looking:
    """Safe to use from many threads."""

    def __init__(self, store: Store, stream: str, checkpoint: Checkpoint, *, deep: bool) -> None:
        self._store = store
        self._stream = stream
        self._deep = deep
        self._copies = Copies(store, stream)
        self._lock = threading.Lock()
        self._owners: dict[str, Owner] | None = None
        self._listed = _prefixes(stream, checkpoint)
        self._there = {found.key: found for prefix in self._listed for found in store.list(prefix)}

    def problem(self, file: FileRecord) -> str:
        """Empty if there is none."""
        try:
            check_key(file.place, self._store.url)
        except StoreError:
            return f"the record names the place {file.place!r}, which is no key at {self._store.url}"
        problem = self._at_its_place(file)
        if problem and not is_own(file.place) and any(self._has(key, file) for key in self._copies.old(file.digest)):
            return ""
        return problem

    def _at_its_place(self, file: FileRecord) -> str:
        found = self._there.get(file.place) or self._asked(file.place)
        if found is None:
            return "missing"
        if found.size != file.size:
            owner = self._owner(file.place)
            whose = f": {owner} writes there, too" if owner else ""
            return f"{found.size:,} bytes, not {file.size:,}{whose}"
        if not self._deep and found.etag == file.etag:
            return ""
        digest = digest_at(self._store, file.place, file.size)
        if digest == file.digest:
            return ""
        owner = self._owner(file.place)
        if owner is None:
            return "other bytes: somebody else wrote there"
        return f"other bytes: {owner} {'wrote there' if owner.digest == digest else 'writes there, too'}"

    def _asked(self, place: str) -> Object | None:
        """What lies there, if no listing would have shown it."""
        if any(place.startswith(f"{folder}/") for folder in self._listed):
            return None
        try:
            return self._store.head(place)
        except NotFound:
            return None

    def _has(self, key: str, file: FileRecord) -> bool:
        try:
            return digest_at(self._store, key, file.size) == file.digest
        except NotFound:
            return False

    def _owner(self, place: str) -> Owner | None:
        """The other stream that has its plain file there."""
        if is_own(place):
            return None
        with self._lock:
            if self._owners is None:
                self._owners = neighbours.owners(self._store, self._stream)
            return self._owners.get(place)


def digest_at(store: Store, key: str, size: int) -> str:
    """The digest of an object's bytes. size: how large it should be. Raises StoreError."""
    hasher = blake3()
    for data in store.stream(key, size):
        hasher.update(data)
    return hasher.hexdigest()


def _prefixes(stream: str, checkpoint: Checkpoint) -> set[str]:
    """The folders whose listings show all objects of the checkpoint but those that lie beside folders."""
    found = set()
    for place in {file.place for file in checkpoint.files}:
        if is_own(place):
            found.add(log.folder(stream, "objects"))
        elif "/" in place and ".." not in place:
            found.add(place.partition("/")[0])
    return found - {""}
