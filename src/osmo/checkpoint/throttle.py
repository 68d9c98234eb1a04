"""How many requests a stream has under way at once: as many as make it faster, fewer while the store is in trouble."""

import threading
from dataclasses import dataclass, replace
from types import TracebackType

from osmo.checkpoint.parts import Cut
from osmo.clock import Clock

_ONE_SIGN_S = 1.0  # what fails at the same time is one sign of trouble, not many
_STEP = 8
_GAIN = 1.1  # so many times faster it has to be with a step more: a machine or a line that is full gains nothing
_REST = 16  # rounds after a step that gained nothing


@dataclass(frozen=True, slots=True)
class Pace:
    """limit: requests at once. usual: how many there are if nothing is known of the store. before: successes a second
    before the last step, 0 if the last one is not to be judged. rest: rounds until the next step."""

    limit: int
    usual: int
    most: int
    before: float = 0.0
    rest: int = 0

    @property
    def round(self) -> int:
        """How many successes tell whether it is well so."""
        return self.limit if self.limit < self.usual else 4 * self.limit

    def slowed(self) -> "Pace":
        """The store could not do what it was asked: half as many."""
        return replace(self, limit=max(1, self.limit // 2), before=0.0, rest=_REST)

    def after(self, rate: float) -> "Pace":
        """After a round that went well, at so many successes a second: one more after trouble, as TCP does with its
        window. From the usual number on a step more, as long as that helps."""
        if self.limit < self.usual:
            return replace(self, limit=self.limit + 1)
        if rate < _GAIN * self.before:
            return replace(self, limit=max(self.usual, self.limit - _STEP), before=0.0, rest=_REST)
        if self.rest or self.limit >= self.most:
            return replace(self, before=0.0, rest=max(0, self.rest - 1))
        return replace(self, limit=min(self.most, self.limit + _STEP), before=rate)


class Throttle:
    """Holds back who enters while as many as allowed are inside. Safe to use from many threads."""

    def __init__(self, usual: int, most: int, clock: Clock) -> None:
        self._pace = Pace(usual, usual, most)
        self._clock = clock
        self._inside = 0
        self._well = 0
        self._since = clock.monotonic()
        self._slowed_at = float("-inf")
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        return self._pace.limit

    @property
    def is_full(self) -> bool:
        """More are inside than are allowed now: who can should leave."""
        return self._inside > self._pace.limit

    def begin(self) -> None:
        """Requests follow each other from now on: what was before tells nothing of how fast they are."""
        with self._changed:
            self._well, self._since = 0, self._clock.monotonic()

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._inside < self._pace.limit)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify()

    def narrowed(self, how: Cut) -> Cut:
        """The same, with no more parts at once than requests are allowed."""
        return replace(how, at_once=min(how.at_once, self.limit))

    def slow_down(self) -> None:
        """The store could not do what it was asked."""
        with self._changed:
            now = self._clock.monotonic()
            if now - self._slowed_at >= _ONE_SIGN_S:
                self._slowed_at = self._since = now
                self._well = 0
                self._pace = self._pace.slowed()

    def went_well(self) -> None:
        """A request was answered as it should be."""
        with self._changed:
            self._well += 1
            if self._well < self._pace.round:
                return
            now = self._clock.monotonic()
            before, self._pace = self._pace, self._pace.after(self._well / max(now - self._since, 0.001))
            self._well, self._since = 0, now
            self._changed.notify(max(0, self._pace.limit - before.limit))
