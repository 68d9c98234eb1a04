"""Counts the bytes of one cycle's uploads and says now and then how far they are."""

import threading
from collections.abc import Callable

from osmo.checkpoint.events import Begun, Event, Progressed
from osmo.clock import Clock

_QUIET_S = 1.0
_EVERY_S = 5.0


class Flow:
    """When bytes of a stream last got somewhere. What has to be sent again because it failed does not count twice."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._furthest: dict[str, int] = {}
        self.at = clock.monotonic()

    def reached(self, name: str, count: int) -> None:
        """`count` bytes of the file are on their way."""
        if count > self._furthest.get(name, 0):
            self._furthest[name] = count
            self.at = self._clock.monotonic()

    def stored(self, name: str) -> None:
        """The file is in the store."""
        self._furthest.pop(name, None)
        self.at = self._clock.monotonic()


class Meter:
    """Reports `Begun` before the first upload; then, if it all takes longer than a second, every tenth of the total
    or every five seconds; and the end. Safe to use from many threads."""

    def __init__(self, report: Callable[[Event], None], clock: Clock) -> None:
        self._report = report
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: float | None = None
        self._path = ""
        self._total = 0
        self._done = 0
        self._said_at = 0.0
        self._said_tenth = 0
        self.files = 0

    @property
    def begun(self) -> bool:
        return self._begun is not None

    @property
    def size(self) -> int:
        """Bytes sent."""
        return self._done

    def begin(self) -> None:
        """Something will be uploaded. Only the first call reports."""
        with self._lock:
            if self._begun is None:
                self._begun = self._said_at = self._clock.monotonic()
                self._report(Begun())

    def expect(self, count: int) -> None:
        """`count` more (or, negative, fewer) bytes are to be sent in all."""
        with self._lock:
            self._total += count

    def sending(self, path: str) -> None:
        """A file's upload begins."""
        self.begin()
        with self._lock:
            self._path = path

    def sent(self, count: int) -> None:
        """`count` more bytes are on their way (negative: they have to be sent again)."""
        with self._lock:
            self._done += count
            now = self._clock.monotonic()
            assert self._begun is not None
            tenth = 10 * self._done // self._total if self._total else 0
            late = now - self._said_at >= _EVERY_S
            if now - self._begun >= _QUIET_S and (late or tenth > self._said_tenth) and self._done < self._total:
                self._say(now)

    def stored(self) -> None:
        """One more file is in the store."""
        with self._lock:
            self.files += 1

    def end(self) -> None:
        """Everything is in the store."""
        with self._lock:
            if self._begun is not None:
                self._total = self._done
                self._say(self._clock.monotonic())

    def _say(self, now: float) -> None:
        assert self._begun is not None
        self._said_at, self._said_tenth = now, 10 * self._done // self._total if self._total else 0
        self._report(Progressed(self._done, self._total, now - self._begun, self._path))
