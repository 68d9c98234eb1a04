"""Which buckets put objects together as they are told: found out by doing it, and forgotten after a while."""

import threading
from dataclasses import dataclass

from osmo.clock import Clock, SystemClock

_FOR_S = 3600.0
_TROUBLES = 2  # in a row, without an answer: it may be the network, or that the server cannot do just this


@dataclass(slots=True)
class _Standing:
    troubles: int = 0
    again_at: float = float("-inf")


class Trust:
    """What is known of each bucket (its endpoint and its name). Safe to use from many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._standings: dict[tuple[str, str], _Standing] = {}

    def has(self, bucket: tuple[str, str]) -> bool:
        """Whether it may be asked: it never failed, or an hour ago."""
        with self._lock:
            standing = self._standings.get(bucket)
            return standing is None or self._clock.monotonic() >= standing.again_at

    def kept(self, bucket: tuple[str, str]) -> None:
        """It did it right."""
        with self._lock:
            self._standings.pop(bucket, None)

    def lost(self, bucket: tuple[str, str]) -> None:
        """It cannot, or did it wrong."""
        with self._lock:
            self._standings[bucket] = _Standing(0, self._clock.monotonic() + _FOR_S)

    def shaken(self, bucket: tuple[str, str]) -> None:
        """It gave no answer."""
        with self._lock:
            standing = self._standings.setdefault(bucket, _Standing())
            standing.troubles += 1
            if standing.troubles < _TROUBLES:
                return
        self.lost(bucket)


TRUST = Trust(SystemClock())
