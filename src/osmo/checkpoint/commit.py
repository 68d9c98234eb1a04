"""The commit: one create-only write, after everything that it names is in the store."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from osmo.checkpoint.manifest import Checkpoint, decode, log_key, log_number, log_prefix
from osmo.checkpoint.schedule import PAUSES_S
from osmo.clock import Clock
from osmo.errors import AlreadyExists, NotFound, StoreError, Unavailable
from osmo.store.base import Store


class Taken(StoreError):
    """Another writer made the record of this number."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """A record that was sent, or is about to be, and whose outcome is not known yet."""

    number: int
    body: bytes


class Log:
    """The numbered records of one stream. For one thread.

    A record whose outcome is unknown is settled before another one is offered: with the same bytes, and never other
    bytes under its number.
    """

    def __init__(self, stream: str, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._never = threading.Event()
        self._newest: int | None = None
        self._offer: _Offer | None = None

    def append(self, store: Store, make: Callable[[int, int | None], bytes]) -> int:
        """Write the next record; it is there once this returns its number.

        make: the record's bytes, given its number and the one before (None if there is none). Raises StoreError: then
        its outcome is unknown, and `settle` finds it out.
        """
        while True:
            if self._newest is None:
                self._newest = newest_number(store, self._stream)
            number = self._newest + 1
            self._offer = _Offer(number, make(number, self._newest or None))
            if self.settle(store):
                return number

    def newest(self, store: Store) -> Checkpoint | None:
        """The newest checkpoint, None if there is none. Raises StoreError, also for a format that is not known."""
        number = newest_number(store, self._stream)
        return decode(store.get(log_key(self._stream, number))) if number else None

    def settle(self, store: Store) -> bool:
        """Whether the record that was offered last is in the store, by offering it again. False: its number went to
        another writer, or there is no open offer. Raises StoreError if that is not known yet."""
        if self._offer is None:
            return False
        number = self._offer.number
        try:
            self._insist(store, self._offer)
        except Taken:
            # A listing that does not show the number yet must not offer it again.
            self._newest = max(number, newest_number(store, self._stream))
            self._offer = None
            return False
        self._newest, self._offer = number, None
        return True

    def _insist(self, store: Store, offer: _Offer) -> None:
        """Try a few times over what a moment may mend."""
        for pause_s in PAUSES_S:
            try:
                commit(store, self._stream, offer.number, offer.body)
            except Unavailable:
                self._clock.wait(self._never, pause_s * (0.5 + random.random()))
            else:
                return
        commit(store, self._stream, offer.number, offer.body)


def newest_number(store: Store, stream: str) -> int:
    """The highest number in the stream's log, 0 if it is empty."""
    numbers = (log_number(found.key) for found in store.list(log_prefix(stream)))
    return max((number for number in numbers if number is not None), default=0)


def commit(store: Store, stream: str, number: int, body: bytes) -> None:
    """Record `body` under `number`. The checkpoint exists once this returns.

    Raises Taken if the number is somebody else's. After any other StoreError the outcome is unknown: call it again with
    the same bytes, and offer no others for this number, until it returns or raises Taken.
    """
    key = log_key(stream, number)
    try:
        store.put_new(key, body)
    except AlreadyExists:  # ours, if an earlier answer was lost
        try:
            theirs = store.get(key)
        except NotFound as error:
            raise StoreError(f"{key} is there and is not: the store contradicts itself") from error
        if theirs != body:
            raise Taken(f"{key} was written by somebody else") from None
