"""Where a writer may put bytes: a name of its own that is used once, or straight to the plain file."""

import re
import threading
from collections.abc import Callable, Iterable

from osmo.checkpoint import log
from osmo.checkpoint.key import CONTROL
from osmo.checkpoint.manifest import Mark

_OBJECT = re.compile(r"(?:[0-9a-f]+\.)?(\d{8,})-(\d{8,})-\d+")


class Names:
    """The names that one epoch gives to what it sends. Safe to use from many threads.

    alone: whether nobody else can write to the plain files. fresh: whether that is still so. look: called before the
    next of them is written directly, to `take` what lies there and to see whether one still is alone.
    """

    def __init__(self, stream: str, epoch: int) -> None:
        self.alone = False
        self.fresh: Callable[[], bool] = lambda: True
        self.look: Callable[[], None] | None = None
        self._stream = stream
        self._epoch = epoch
        self._lock = threading.RLock()
        self._count = 0
        self._given: list[str] = []
        self._taken: set[int] = set()  # the hashes of keys: of two that have the same, one is not written directly

    def object(self, number: int) -> str:
        """A new key for content that record `number` will name."""
        name = f"{log.folder(self._stream, 'objects')}/{self._unique(number)}"
        with self._lock:
            self._given.append(name)
        return name

    def old(self, digest: str, number: int) -> str:
        """A new key for a copy of bytes that are about to be overwritten."""
        return f"{log.folder(self._stream, 'old')}/{digest}.{self._unique(number)}"

    def given(self) -> list[str]:
        """The keys of all objects since the last call."""
        with self._lock:
            given, self._given = self._given, []
        return given

    def take(self, keys: Iterable[str]) -> None:
        """These plain files hold something now, or may."""
        with self._lock:
            self._taken.update(map(hash, keys))

    def takes_directly(self, key: str) -> bool:
        """Whether this plain file may be written at once: nothing was ever there, and nobody else writes. Said once of
        each key. Raises what `look` raises."""
        with self._lock:
            if not self.alone or not self.fresh():
                return False
            if self.look is not None:
                self.look()
                self.look = None
            if hash(key) in self._taken or not self._is_alone():
                return False
            self._taken.add(hash(key))
            return True

    def _is_alone(self) -> bool:
        return self.alone

    def release(self, key: str) -> None:
        """Nothing was written there after all."""
        with self._lock:
            self._taken.discard(hash(key))

    def _unique(self, number: int) -> str:
        with self._lock:
            self._count += 1
            return f"{number:08}-{self._epoch:08}-{self._count}"


def is_own(place: str) -> bool:
    """Whether bytes lie at a name of osmo's own, not at a plain file."""
    return place.startswith(f"{CONTROL}/")


def mark_of(key: str) -> Mark | None:
    """For which record the name of an object, or of an old copy, was made; None if it is no such name."""
    match = _OBJECT.fullmatch(key.rpartition("/")[2]) if is_own(key) else None
    return Mark(int(match[2]), int(match[1])) if match else None
