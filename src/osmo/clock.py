"""The one place that asks what time it is. Everything else is handed a `Clock`."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time, and waiting for it to pass."""

    def now(self) -> datetime:
        """The wall clock, in UTC. For people and records, never for measuring."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

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

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
