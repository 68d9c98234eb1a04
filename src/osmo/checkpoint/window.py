"""How many bytes a stream has under way at once: what the line to the store carries in a few seconds.

A request that is under way cannot be called back. So when time gets short, or another has to come first, what is under
way must be over soon, however narrow the line is.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from osmo.checkpoint.parts import Cut
from osmo.clock import Clock
from osmo.errors import StoreError

_FIRST = _LEAST = 256 * 1024
_QUICK_S = 3.0  # a request that takes no longer than this is no reason for fewer at once
_DRAINS_IN_S = 6.0
_TELLING = 64 * 1024  # fewer bytes tell of the latency, not of the line
_HOPELESS = 4  # times longer than there is: not begun even where an estimate may be wrong


class OutOfTime(StoreError):
    """The deadline came before the file was in the store."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, and how many bytes had arrived by then."""

    at: float
    arrived: int


class Window:
    """Measures the line, and says what may be begun. Safe to use from many threads.

    size: bytes that may be under way; one file may be, whatever its size. rate: bytes a second of the line, as far as
    it was felt; None if it never was. deadline: asked for the moment (the clock's monotonic seconds) by which all has
    to be sent, infinity if there is none.
    """

    def __init__(self, clock: Clock, deadline: Callable[[], float]) -> None:
        self.size = _FIRST
        self.rate: float | None = None
        self._clock = clock
        self._deadline = deadline
        self._lock = threading.Lock()
        self._arrived = 0
        self._latency_s = 0.0

    @property
    def hurried(self) -> bool:
        """Whether there is a deadline."""
        return self._deadline() < float("inf")

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self._deadline() - self._clock.monotonic()

    def room(self, size: int, under_way: int) -> bool:
        """Whether `size` bytes may be begun beside those that are under way."""
        return not under_way or under_way + size <= self.size

    def in_time(self, size: int, under_way: int = 0) -> bool:
        """Whether `size` bytes, begun now, would be in the store by the deadline."""
        return self.rate is None or under_way + size <= self.rate * self.left_s

    def hopeless(self, size: int) -> bool:
        """Whether it is of no use to begin."""
        return not self.in_time(size // _HOPELESS)

    def narrowed(self, how: Cut) -> Cut:
        """The same, with no more parts at once than the line needs."""
        if self.rate is None:
            return how
        return replace(how, at_once=max(1, min(how.at_once, int(self.rate * _DRAINS_IN_S) // how.part_size)))

    def begun(self) -> Mark:
        """Bytes are about to be sent."""
        with self._lock:
            return Mark(self._clock.monotonic(), self._arrived)

    def arrived(self, size: int, since: Mark) -> None:
        """`size` bytes that were begun then are in the store.

        They and all others that arrived meanwhile are what the line carries in that time. While it does so quickly,
        more and more may be under way, as in TCP's slow start.
        """
        with self._lock:
            self._arrived += size
            seconds = self._clock.monotonic() - since.at
            meanwhile = self._arrived - since.arrived
            if size < _TELLING:
                self._latency_s = min(seconds, self._latency_s or seconds)
            if seconds - self._latency_s <= _QUICK_S:
                self.size += size
                if self.rate is not None and seconds > 0:
                    self.rate = max(self.rate, meanwhile / seconds)
            elif meanwhile >= _TELLING:
                self.rate = meanwhile / seconds
                self.size = max(_LEAST, int(self.rate * _DRAINS_IN_S))


class Passage:
    """The parts of one file on their way. For one thread at a time.

    A part has arrived when so many others were asked for as can be under way with it.
    """

    def __init__(self, window: Window, at_once: int) -> None:
        self._window = window
        self._at_once = at_once
        self._under_way: deque[tuple[int, Mark]] = deque()
        self._first: Mark | None = None

    def begin(self, size: int) -> None:
        """Another part is handed over. Raises OutOfTime if it would be of no use any more."""
        if self._window.left_s <= 0:
            raise OutOfTime("no time was left")
        begun = self._window.begun()
        self._first = self._first or begun
        self._under_way.append((size, begun))
        if len(self._under_way) > self._at_once + 1:
            self._window.arrived(*self._under_way.popleft())

    def end(self) -> None:
        """All have arrived."""
        if self._first is not None:  # nobody knows which of them when: the whole file counts
            self._window.arrived(sum(size for size, _ in self._under_way), self._first)
