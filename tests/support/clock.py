"""A clock that goes only when it is told to, or waited with."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2025, 4, 22, 23, 57, 13, tzinfo=UTC)


class FakeClock:
    """See `osmo.clock.Clock`. Every wait returns at once and takes as long as it says. Safe to use from many threads.

    meanwhile: called at each wait that is not cut short, before time has passed: what happens while somebody waits.
    waits: how long every wait was to be.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._seconds = 1000.0
        self.meanwhile: Callable[[], None] = lambda: None
        self.waits: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic() - 1000.0)

    def monotonic(self) -> float:
        return self._seconds

    def elapsed(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._seconds += seconds

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._start += timedelta(seconds=seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        with self._lock:
            self.waits.append(seconds)
        if not event.is_set():
            self.meanwhile()
        if not event.is_set():
            self.advance(max(0.0, seconds))
        return event.is_set()

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
