"""How many requests a stream has under way at once: fewer while the store is in trouble, more again afterwards."""

import threading
from dataclasses import replace
from types import TracebackType

from osmo.checkpoint.parts import Cut
from osmo.clock import Clock

_ONE_SIGN_S = 1.0  # what fails at the same time is one sign of trouble, not many


class Throttle:
    """Holds back who enters while as many as allowed are inside: `most` at the best of times.

    Halved by `slow_down`, one more after as many successes as are allowed at once: what TCP does with its window.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self.limit = most
        self._most = most
        self._clock = clock
        self._inside = 0
        self._well = 0
        self._slowed_at = float("-inf")
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._inside < self.limit)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def narrowed(self, how: Cut) -> Cut:
        """The same, with no more parts at once than requests are allowed."""
        return replace(how, at_once=min(how.at_once, self.limit))

    def slow_down(self) -> None:
        """The store could not do what it was asked."""
        with self._changed:
            now = self._clock.monotonic()
            if now - self._slowed_at >= _ONE_SIGN_S:
                self._slowed_at = now
                self._well = 0
                self.limit = max(1, self.limit // 2)

    def went_well(self) -> None:
        """A request was answered as it should be."""
        with self._changed:
            self._well += 1
            if self._well >= self.limit:
                self._well = 0
                self.limit = min(self._most, self.limit + 1)
                self._changed.notify_all()
