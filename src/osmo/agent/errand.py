"""Work with a store in a thread of its own: whoever waits for it hears what else happens meanwhile."""

import random
import sys
import threading
import traceback
from collections.abc import Callable

from osmo.checkpoint.events import Event, Progressed
from osmo.checkpoint.meter import Meter
from osmo.checkpoint.schedule import Schedule
from osmo.clock import Clock
from osmo.logs.progress import progress
from osmo.logs.size import bytes_of
from osmo.logs.write import Log

_RETRY_AT_LEAST_EVERY_S = 60.0


class Errand:
    """What `work` does, which returns why it could not be done, or nothing.

    over: it has ended; then `why` is what it returned. trouble: what it waits out, or last did. moved_at: when it last
    got on, in the clock's monotonic seconds.
    Whoever sets `stop` need not wait for the end.
    """

    def __init__(self, name: str, work: Callable[["Errand"], str], log: Log, clock: Clock) -> None:
        self.stop = threading.Event()
        self.over = threading.Event()
        self.moved_at = clock.monotonic()
        self.why = ""
        self.trouble = ""
        self.log = log
        self.clock = clock
        self._name = name
        self._work = work
        self._schedule = self._fresh()

    def start(self) -> None:
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def passage(self, size: int) -> "Passage":
        """Of this many bytes, which are told in the log as they go."""
        return Passage(self, size)

    def rest(self, why: str) -> None:
        """Wait before another try, longer each time that nothing got on."""
        self.trouble = why
        now = self.clock.monotonic()
        if self.moved_at > self._schedule.due:
            self._schedule = self._fresh()
        self._schedule = self._schedule.after_failure(now, random.random())
        wait_s = max(0.0, self._schedule.due - now)
        self.log.ours(f"{why}; trying again in {wait_s:.0f} s")
        self.clock.wait(self.stop, wait_s)

    def _fresh(self) -> Schedule:
        return Schedule(_RETRY_AT_LEAST_EVERY_S, self.clock.monotonic())

    def _run(self) -> None:
        try:
            self.why = self._work(self)
        except Exception as error:  # noqa: BLE001  # ours to mend; nobody may wait for ever
            traceback.print_exc(file=sys.stderr)
            self.why = f"a fault in osmo itself: {type(error).__name__}: {error}"
        finally:
            self.over.set()


class Passage:
    """How far the bytes of one transfer are. Safe to use from many threads."""

    def __init__(self, errand: Errand, size: int) -> None:
        self._errand = errand
        self._meter = Meter(self._say, errand.clock)
        self._meter.expect(size)
        self._furthest = 0

    def __call__(self, path: str, size: int) -> None:
        """So many more bytes of a file (negative: they have to go again)."""
        self._meter.sending(path)
        self._meter.sent(size)
        if self._meter.size > self._furthest:
            self._furthest, self._errand.moved_at = self._meter.size, self._errand.clock.monotonic()

    def end(self, files: int) -> str:
        """All of it is done. `12 files, 3.4 MB in 1.2 s`."""
        if files:
            self._meter.stored()
        self._meter.end(complete=True)
        size = bytes_of(self._meter.size)
        return f"{files:,} file{'' if files == 1 else 's'}, {size} in {self._meter.seconds:.1f} s"

    def _say(self, event: Event) -> None:
        if isinstance(event, Progressed):
            self._errand.log.ours(progress(event.done, event.total, event.seconds, event.path))
