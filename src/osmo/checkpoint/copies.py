"""Where the bytes of a stream's files may lie. The digest of what is read decides; an etag only saves reading."""

import threading
from collections.abc import Iterator

from osmo.checkpoint import log
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.names import is_own
from osmo.checkpoint.parts import MIB
from osmo.errors import NotFound
from osmo.store.base import Store

_SMALL = 8 * MIB  # not worth a question of its own


class Copies:
    """The copies of one stream's files. Safe to use from many threads."""

    def __init__(self, store: Store, stream: str) -> None:
        self._store = store
        self._stream = stream
        self._lock = threading.Lock()
        self._listed: dict[str, list[str]] | None = None

    def of(self, file: FileRecord) -> Iterator[str]:
        """The keys to try, the likeliest first. Raises StoreError.

        Another checkpoint may have been copied over a plain file since; what was there before lies among the old ones,
        if a kept checkpoint needs it.
        """
        if is_own(file.place):
            yield file.place
            return
        likely = file.size <= _SMALL or self._looks_the_same(file)
        if likely:
            yield file.place
        tried = set()
        for anew in (False, True):
            for key in self._old(anew=anew).get(file.digest, ()):
                if key not in tried:
                    tried.add(key)
                    yield key
        if not likely:
            yield file.place

    def old(self, digest: str) -> list[str]:
        """The copies of bytes that were overwritten, by what their names say. Raises StoreError."""
        return self._old(anew=False).get(digest, [])

    def _looks_the_same(self, file: FileRecord) -> bool:
        try:
            found = self._store.head(file.place)
        except NotFound:
            return False
        return (found.size, found.etag) == (file.size, file.etag)

    def _old(self, *, anew: bool) -> dict[str, list[str]]:
        with self._lock:
            if anew or self._listed is None:
                self._listed = {}
                for each in self._store.list(log.folder(self._stream, "old")):
                    digest = each.key.rpartition("/")[2].partition(".")[0]
                    self._listed.setdefault(digest, []).append(each.key)
            return self._listed
