"""What a server makes of a create-only write, asked once for each bucket."""

import secrets
import threading
from contextlib import suppress
from enum import Enum
from typing import Protocol

from osmo.errors import AlreadyExists, NoCondition, StoreError
from osmo.store.notes import Fact, Notes

PROBE = ".osmo/probe-"  # what is written to see whether one may, and removed again


class Condition(Enum):
    """Kept: what is there stays. Ignored: the write replaces it. Refused: there is no such write (Backblaze: 501)."""

    KEPT = "kept"
    IGNORED = "ignored"
    REFUSED = "refused"


class Writing(Protocol):
    """The part of a store that is asked."""

    def put(self, key: str, body: bytes) -> str: ...
    def put_if_none(self, key: str, body: bytes) -> str: ...
    def delete(self, key: str) -> None: ...


class Conditions:
    """What is known of each bucket. Safe to use from many threads; two that ask at once both ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Condition] = {}

    def known(self, bucket: tuple[str, str]) -> Condition | None:
        """bucket: its endpoint and its name. None if nobody asked yet."""
        with self._lock:
            return self._known.get(bucket)

    def of(self, bucket: tuple[str, str], store: Writing, notes: Notes | None = None) -> Condition:
        """Found by writing, unless it is known. A `StoreError` of a write comes out, and nothing is remembered.

        notes: what another process of this machine found is believed. Not to be given where another server may stand
        at this address tomorrow: the records of two writers that think differently of one bucket could meet.
        """
        found = self.known(bucket) or _noted(bucket, notes)
        if found is None:
            found = ask(store)
            if notes is not None:
                notes.put(Fact.CONDITION, bucket, found.value)
        with self._lock:
            self._known[bucket] = found
        return found


KNOWN = Conditions()


def _noted(bucket: tuple[str, str], notes: Notes | None) -> Condition | None:
    said = notes.get(Fact.CONDITION, bucket) if notes is not None else ""
    return Condition(said) if said in {each.value for each in Condition} else None


def ask(store: Writing) -> Condition:
    """Write twice under a name that nobody else uses, and see whether the second is refused."""
    key = f"{PROBE}{secrets.token_hex(8)}"
    try:
        try:
            store.put_if_none(key, b"1")
            store.put_if_none(key, b"2")
        except AlreadyExists:
            return Condition.KEPT
        except NoCondition:
            store.put(key, b"3")  # it was the condition, then: whatever else was wrong is wrong here too
            return Condition.REFUSED
        return Condition.IGNORED
    finally:
        with suppress(StoreError):  # who may not delete leaves a byte there
            store.delete(key)
