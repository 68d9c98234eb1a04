"""The one place that asks what time it is. Everything else is handed a `Clock`."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

_WITH_SLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: the latter goes on in sleep


class Clock(Protocol):
    """Time, and waiting for it to pass."""

    def now(self) -> datetime:
        """The wall clock, in UTC. For people and records, never for measuring."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def elapsed(self) -> float:
        """Like `monotonic`, with the time that the machine was asleep, if it can tell."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set, `seconds` at most. True if it is set."""

    def sleep(self, seconds: float) -> None:
        """Wait, whatever happens."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def elapsed(self) -> float:
        return time.clock_gettime(_WITH_SLEEP)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
