"""Counts the bytes of one cycle's uploads and says now and then how far they are."""

import threading
from collections.abc import Callable

from osmo.checkpoint.events import Begun, Event, Progressed
from osmo.clock import Clock

_QUIET_S = 1.0
_EVERY_S = 5.0


class Flow:
    """When bytes of a stream last got somewhere. What has to be done again because it failed does not count twice."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._furthest: dict[str, int] = {}
        self.at = clock.monotonic()

    def reached(self, what: str, count: int) -> None:
        """`count` bytes of it (a file's upload, its digest) are done."""
        if count > self._furthest.get(what, 0):
            self._furthest[what] = count
            self.at = self._clock.monotonic()

    def stored(self, name: str) -> None:
        """The file is in the store."""
        self._furthest.pop(name, None)
        self.at = self._clock.monotonic()


class Meter:
    """Reports how the uploads of one cycle go on. Safe to use from many threads.

    `Begun` comes with the first bytes that got away. Then, if it all takes longer than a second, `Progressed` at every
    tenth of the total or every five seconds, and once more at the end, if anything was stored. So 100 % is never said
    of something that is not in the store.
    """

    def __init__(self, report: Callable[[Event], None], clock: Clock) -> None:
        self._report = report
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._path = ""
        self._total = 0
        self._done = 0
        self._said_at = 0.0
        self._said_tenth = 0
        self.begun = False
        self.files = 0
        self.copied_size = 0  # bytes that the store copied by itself

    @property
    def size(self) -> int:
        """Bytes sent."""
        return self._done

    @property
    def seconds(self) -> float:
        """Since the first bytes went; 0 if none did."""
        return 0.0 if self._since is None else self._clock.monotonic() - self._since

    def begin(self) -> None:
        """Report `Begun`, unless that was done."""
        with self._lock:
            self._begin()

    def expect(self, count: int) -> None:
        """`count` more (or, negative, fewer) bytes are to be sent in all."""
        with self._lock:
            self._total += count

    def sending(self, path: str) -> None:
        """A file's upload begins."""
        with self._lock:
            self._start()
            self._path = path

    def sent(self, count: int) -> None:
        """`count` more bytes are on their way (negative: they have to be sent again)."""
        with self._lock:
            self._done += count
            if count > 0:
                self._begin()
                self._say_now_and_then()

    def copied(self, count: int) -> None:
        """`count` bytes need not be sent after all: the store has them (negative: it could not use them)."""
        with self._lock:
            self._total -= count
            self.copied_size += count

    def stored(self) -> None:
        """One more file is in the store."""
        with self._lock:
            self._begin()
            self.files += 1

    def end(self, *, complete: bool) -> None:
        """Nothing more will be sent. complete: everything was that should be."""
        with self._lock:
            if self.files:
                if complete:
                    self._total = self._done
                self._say(self._clock.monotonic())

    @property
    def _tenth(self) -> int:
        return 10 * self._done // self._total if self._total else 0

    def _start(self) -> float:
        """Start the clock at the first call. When that was."""
        if self._since is None:
            self._since = self._said_at = self._clock.monotonic()
        return self._since

    def _begin(self) -> None:
        self._start()
        if not self.begun:
            self.begun = True
            self._report(Begun())

    def _say_now_and_then(self) -> None:
        now = self._clock.monotonic()
        slow = now - self._start() >= _QUIET_S
        news = self._tenth > self._said_tenth or now - self._said_at >= _EVERY_S
        if slow and news and self._done < self._total:
            self._say(now)

    def _say(self, now: float) -> None:
        self._said_at, self._said_tenth = now, self._tenth
        self._report(Progressed(self._done, self._total, now - self._start(), self._path))
