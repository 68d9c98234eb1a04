"""How much memory may go to what osmo keeps in a store: anybody may have written it."""

import os
import resource
import threading
from typing import Self

from osmo.checkpoint.budget import of_the_group
from osmo.errors import StoreError
from osmo.store.base import Store

_LARGEST = 4 * 1024**3
_LARGEST_BODY = 1024**3  # as it lies in the store: more than ten million files


class TooMuch(ValueError):
    """There is no room for it."""


class Room:
    """Memory, in bytes, that is taken bit by bit. within: where it is taken from. Safe to use from many threads."""

    def __init__(self, size: int, within: Self | None = None) -> None:
        self.size = size
        self.taken = 0
        self._within = within
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Raises TooMuch, and takes nothing then."""
        with self._lock:
            if self.taken + size > self.size:
                raise TooMuch(f"it takes more than the {self.size:,} bytes of memory that there are for it")
            if self._within is not None:
                self._within.take(size)
            self.taken += size

    def give_back(self, size: int | None = None) -> None:
        """So much of it is free again; all, if None."""
        with self._lock:
            size = self.taken if size is None else size
            if self._within is not None:
                self._within.give_back(size)
            self.taken -= size


def for_one() -> int:
    """For one record: some ten million files, if the machine has the memory for them."""
    return min(_LARGEST, _memory() // 4)


def for_all() -> int:
    """For all records of a stream."""
    return _memory() // 2


def _memory() -> int:
    """What this process may use: the machine's, or what its control group or its limits leave of that."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), of_the_group()]
    limits += [resource.getrlimit(which)[0] for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min(limit for limit in limits if limit is not None and limit > 0)


def fetch(store: Store, key: str, size: int) -> bytearray:
    """What lies there, hardly more than is expected. Raises StoreError, NotFound among them."""
    most = min(_LARGEST_BODY, for_one())
    if size > most:
        raise StoreError(f"{size:,} bytes, more than {most:,}")
    found = bytearray()
    for piece in store.stream(key, size):
        found += piece
        if len(found) > size:
            break
    return found
