"""One stream's thread: runs its cycles when they are due, and the last one when it is told to."""

import random
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from osmo.agent import priority
from osmo.checkpoint.epoch import Fenced
from osmo.checkpoint.events import Failed
from osmo.checkpoint.manifest import Trigger
from osmo.checkpoint.schedule import Schedule, look_again_s
from osmo.checkpoint.stream import Stream
from osmo.clock import Clock
from osmo.errors import StoreError
from osmo.rundir.requests import Request
from osmo.spec.checkpoint import CheckpointEntry

_LAST_RETRIES_EVERY_S = 15.0
_REFUSE_EVERY_S = 60.0
_ENDLESS = float("inf")


@dataclass(frozen=True, slots=True)
class Last:
    """How the last cycle is to be made."""

    trigger: Trigger
    exit_code: int


class Saver(threading.Thread):
    """Checkpoints one stream until `finish` and the last cycle after it.

    failed: told of each failed cycle. due: told in how many seconds the next cycle begins. done: called once, when
    the last checkpoint is durable, or never will be, for the stream is another writer's. answered: told how a
    checkpoint that was asked for went: empty, or why it failed. The thread ends when the store was told that nothing
    more comes.
    """

    def __init__(
        self,
        stream: Stream,
        clock: Clock,
        failed: Callable[[Failed], None],
        due: Callable[[float], None],
        done: Callable[[], None],
        answered: Callable[[tuple[Request, ...], str], None],
        hurried: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name=f"saver {stream.name}", daemon=True)
        self.stream = stream
        self._clock = clock
        self._failed = failed
        self._due = due
        self._done = done
        self._stopping = threading.Event()
        self._answered = answered
        self._hurried = hurried
        self._asked: SimpleQueue[Request] = SimpleQueue()
        self._wake = threading.Event()
        self._last: Last | None = None
        self._last_given = threading.Event()
        self._never = threading.Event()
        now = clock.monotonic()
        self._schedules = {entry: Schedule.starting(entry.frequency_s, now) for entry in stream.entries}
        self._failures = 0
        self._fenced: Fenced | None = None
        self._requested = False
        self._look_again: dict[CheckpointEntry, float] = {}

    def request(self) -> None:
        """Make a checkpoint now, whenever the next one was due."""
        self._requested = True
        self._wake.set()

    def ask(self, request: Request) -> None:
        """Make a checkpoint that begins after this call, and answer. What the last one has to answer is not answered
        here: it is durable when that is."""
        self._asked.put(request)
        self._wake.set()

    def stop(self) -> None:
        """The command is about to end: begin nothing new. What is being uploaded goes on."""
        self._stopping.set()
        self._wake.set()

    def finish(self, last: Last) -> None:
        """The command has ended: make the last checkpoint, however often it takes."""
        self._last = last
        self._last_given.set()
        self.stop()

    def hurry(self, deadline_s: float) -> None:
        """Send nothing any more after `deadline_s` (the clock's monotonic seconds): commit what there is by then."""
        self.stream.deadline_s = deadline_s
        self._hurried()

    def run(self) -> None:
        while not self._stopping.is_set() and self._fenced is None:
            self._clock.wait(self._wake, self._announced())
            self._wake.clear()
            if self._stopping.is_set():
                break
            if self._requested:
                self._requested = False
                due_now = self._clock.monotonic()
                self._schedules = {entry: replace(each, due=due_now) for entry, each in self._schedules.items()}
            if asked := self._drained():
                self._on_request(asked)
                continue
            now = self._clock.monotonic()
            due = [entry for entry, schedule in self._schedules.items() if schedule.due <= now]
            again = [entry for entry, at in self._look_again.items() if at <= now and entry not in due]
            if due or again:
                self._checkpoint(due, again, Trigger.INTERVAL)
        self._refuse()
        self._last_given.wait()
        self._finally()

    def _drained(self) -> tuple[Request, ...]:
        asked = []
        with suppress(Empty):
            while True:
                asked.append(self._asked.get_nowait())
        return tuple(asked)

    def _on_request(self, asked: tuple[Request, ...]) -> None:
        at_rest = any(request.at_rest for request in asked)
        outcome = self._checkpoint(list(self.stream.entries), [], Trigger.REQUEST, at_rest=at_rest)
        if not self._stopping.is_set():  # else this cycle may have made way for the last one
            self._answered(asked, str(outcome) if isinstance(outcome, StoreError) else "")

    def _refuse(self) -> None:
        """The stream is another writer's, and the command goes on: say so to all who still ask."""
        while self._fenced is not None and not self._stopping.is_set():
            if asked := self._drained():
                self._answered(asked, str(self._fenced))
            self._clock.wait(self._wake, _REFUSE_EVERY_S)
            self._wake.clear()

    def _checkpoint(
        self, due: list[CheckpointEntry], again: list[CheckpointEntry], trigger: Trigger, *, at_rest: bool = False
    ) -> bool | StoreError:
        """One cycle, and what it means for the next ones. Returns as `_cycle`."""
        now = self._clock.monotonic()
        # A second look belongs to the cycle before it, and does not move the next one.
        patience_s = _ENDLESS if due else min(self._schedules[entry].due - now for entry in again)
        # A thread cannot take it back that it gives way, and the last cycle gives way to nobody.
        with ThreadPoolExecutor(1, self.name, priority.give_way) as thread:
            outcome = thread.submit(
                self._cycle, (*due, *again), trigger, None, at_rest=at_rest, patience_s=patience_s
            ).result()
        if isinstance(outcome, Fenced):
            self._fenced = outcome
            return outcome
        now = self._clock.monotonic()
        for entry in (*due, *again):
            self._look_again.pop(entry, None)
        if isinstance(outcome, StoreError):
            self._failures += 1
            for entry in (*due, *again):  # a second look that failed is a failed cycle, too
                self._schedules[entry] = self._schedules[entry].after_failure(now, random.random())
            self._failed(Failed(outcome, self._failures, self._wake_at() - now))
            return outcome
        self._failures = 0
        for entry in due:
            self._schedules[entry] = self._schedules[entry].after_end(now)
        if outcome:
            for entry in (*due, *again):
                self._look_again[entry] = now + look_again_s(entry.frequency_s)
        return outcome

    def _finally(self) -> None:
        assert self._last is not None
        schedule = Schedule(_LAST_RETRIES_EVERY_S, self._clock.monotonic())
        while isinstance(
            error := self._cycle(self.stream.entries, self._last.trigger, self._last.exit_code), StoreError
        ) and not isinstance(error, Fenced):
            now = self._clock.monotonic()
            schedule = schedule.after_failure(now, random.random())
            self._failed(Failed(error, schedule.failures, schedule.due - now))
            self._clock.wait(self._never, schedule.due - now)
        self._done()
        with suppress(StoreError):  # the next writer can do without: it does not know that nothing of ours comes late
            self.stream.close()

    def _cycle(
        self,
        entries: tuple[CheckpointEntry, ...],
        trigger: Trigger,
        exit_code: int | None,
        *,
        at_rest: bool = False,
        patience_s: float = _ENDLESS,
    ) -> bool | StoreError:
        """Whether files wait for their writers; or what went wrong."""
        try:
            return self.stream.cycle(
                entries, trigger, self._stopping, exit_code=exit_code, at_rest=at_rest, patience_s=patience_s
            )
        except StoreError as error:
            return error
        except Exception as error:  # noqa: BLE001  # ours to mend; meanwhile the other checkpoints go on
            traceback.print_exc(file=sys.stderr)
            return StoreError(f"a fault in osmo itself: {type(error).__name__}: {error}")

    def _announced(self) -> float:
        """Seconds until something is due."""
        seconds = max(0.0, self._wake_at() - self._clock.monotonic())
        self._due(seconds)
        return seconds

    def _wake_at(self) -> float:
        return min([*(schedule.due for schedule in self._schedules.values()), *self._look_again.values()])
