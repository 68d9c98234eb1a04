"""Before a command starts: its newest checkpoints come back into paths where nothing is.

The one thing that waits for a store. Whether there is a checkpoint needs an answer; without one nothing starts from
nothing.
"""

import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty

from osmo.agent.events import Events, ForCommand
from osmo.agent.streams import Opened
from osmo.checkpoint.epoch import Fenced
from osmo.checkpoint.events import Begun, Event, NotRestored, RestoreFailed, Restoring
from osmo.checkpoint.fetch import RestoreError
from osmo.checkpoint.manifest import Checkpoint
from osmo.checkpoint.meter import Meter
from osmo.checkpoint.restore import Onlooker, bring, explained
from osmo.checkpoint.restore import Restored as RestoredFile
from osmo.checkpoint.schedule import Schedule
from osmo.checkpoint.targets import Mark
from osmo.checkpoint.tree import UNFINISHED, Tree
from osmo.clock import Clock
from osmo.errors import OsmoError, StoreError, Unavailable
from osmo.logs.span import span
from osmo.rundir.orders import Order
from osmo.spec.checkpoint import CheckpointEntry

_TICK_S = 0.05
_RETRY_AT_LEAST_EVERY_S = 60.0
_NAMES_SAID = 3
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Why the command does not start. by: the signal that ended the wait, if one did; order: who wanted the end."""

    message: str
    by: signal.Signals | None = None
    order: Order | None = None


def wanted(entries: Iterable[CheckpointEntry], attempt: int) -> bool:
    """Whether one of a stream's entries wants its checkpoint back in this attempt (the first is 0)."""
    return any(entry.restore is True or (entry.restore == "retry" and attempt > 0) for entry in entries)


def is_occupied(path: str, stream: str) -> bool:
    """Whether anything is at the path: a file, also deep down, that no unfinished restore of the stream has brought.
    What cannot be looked into is something."""
    if not os.path.lexists(path):
        return False
    if not os.path.isdir(path):
        return True
    if Mark(Path(path), stream).is_set:
        return False
    unreadable: list[OSError] = []
    for folder, folders, files in os.walk(path, onerror=unreadable.append):
        if any(os.path.islink(os.path.join(folder, name)) for name in folders):
            return True
        if not all(name.startswith(UNFINISHED) for name in files):
            return True
    return any(error.filename == path for error in unreadable)


def bring_back(
    streams: Iterable[Opened],
    attempt: int,
    events: Events,
    ordered: Callable[[], Order | None],
    clock: Clock,
    timeout_s: float,
) -> NotStarted | None:
    """Restore what the attempt wants of these streams, one after the other. None: the command may start.

    A store that gives no answer, or refuses, is asked again until nothing came from it for `timeout_s`. The end of that
    is heard at once, whatever hangs.
    """
    found = [one for one in streams if not one.goes_on and wanted(one.stream.entries, attempt)]
    return _Wait(found, events, ordered, clock, timeout_s).run() if found else None


def told(events: Events, ordered: Callable[[], Order | None]) -> NotStarted | None:
    """Whether somebody wants the end, after a moment."""
    try:
        event = events.get(timeout=_TICK_S)
    except Empty:
        event = None
    signum = event.signum if isinstance(event, ForCommand) else event
    if isinstance(signum, signal.Signals) and signum in _ENDS:
        return NotStarted("before the command was started", by=signum)
    order = ordered()
    return None if order is None else NotStarted("before the command was started", order=order)


class _Wait:
    """Two threads: one restores, the other hears what happens meanwhile."""

    def __init__(
        self,
        streams: list[Opened],
        events: Events,
        ordered: Callable[[], Order | None],
        clock: Clock,
        timeout_s: float,
    ) -> None:
        self._streams = streams
        self._events = events
        self._ordered = ordered
        self._clock = clock
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._over = threading.Event()
        self._came_at = clock.monotonic()  # when something last came from a store that had not come before
        self._furthest = 0  # bytes of this stream
        self._trouble = ""
        self._why = ""

    def run(self) -> NotStarted | None:
        threading.Thread(target=self._work, name="restore", daemon=True).start()
        while not self._over.is_set():
            if (end := told(self._events, self._ordered)) is not None:
                self._stop.set()
                return end
            if self._clock.monotonic() - self._came_at > self._timeout_s and not self._over.is_set():
                self._stop.set()
                return NotStarted(self._given_up())
        return NotStarted(self._why) if self._why else None

    def _work(self) -> None:
        try:
            for one in self._streams:
                self._came_at, self._furthest = self._clock.monotonic(), 0
                if self._stop.is_set() or (why := self._insist(one)):
                    self._why = why
                    break
        except Exception as error:  # noqa: BLE001  # ours to mend; the command must not begin with half of its files
            traceback.print_exc(file=sys.stderr)
            self._why = f"a fault in osmo itself: {type(error).__name__}: {error}"
        finally:
            self._over.set()

    def _insist(self, one: Opened) -> str:
        """Until it is there, or there is nothing. Why it will not be, else empty."""
        stream = one.stream
        if is_occupied(stream.entries[0].local, stream.name):
            one.report(NotRestored(occupied=True))
            return ""
        schedule, furthest = Schedule(_RETRY_AT_LEAST_EVERY_S, self._clock.monotonic()), 0
        self._trouble = f"{stream.path} could not be restored: no answer from {stream.url}"
        while not self._stop.is_set():
            try:
                self._restore(one)
                return ""
            except Fenced as error:
                return f"{stream.path} was not restored: {error}, which writes the checkpoints in {stream.url} now"
            except StoreError as error:
                if not isinstance(error, Unavailable):
                    stream.reopen()
                self._trouble = f"{stream.path} could not be restored: {error}.{f' {error.hint}' if error.hint else ''}"
                now = self._clock.monotonic()
                if (left_s := self._came_at + self._timeout_s - now) <= 0:
                    return self._given_up()
                if self._furthest > furthest:  # something came: that is no outage
                    furthest, schedule = self._furthest, replace(schedule, failures=0)
                schedule = schedule.after_failure(now, random.random())
                wait_s = min(schedule.due - now, left_s)
                one.report(RestoreFailed(error, schedule.failures, wait_s, left_s))
                self._clock.wait(self._stop, wait_s)
            except RestoreError as error:
                hint = f". {error.hint}" if error.hint else ""
                return f"{stream.path} was not restored from {stream.url}: {error}{hint}"
        return "stopped"

    def _given_up(self) -> str:
        return (
            f"{self._trouble.rstrip('.')}. That has not changed for {span(self._timeout_s)}, and the command does not"
            " start from nothing. When the store answers, submit it again; with `restore: false` it starts without"
        )

    def _restore(self, one: Opened) -> None:
        """Raises StoreError, which may be over later, and RestoreError, which will not."""
        stream = one.stream
        if others := stream.others():
            raise RestoreError(_listed(stream.name, others), hint=_choose(stream.url, stream.entries[0].local, others))
        base = stream.claim(restores=True)
        if base is None:
            one.report(NotRestored(occupied=False))
            return
        if (why := stream.unread) is not None:
            raise RestoreError(str(why), hint=_look_into(stream.url, base))
        one.report(Restoring(base))
        root = stream.entries[0].local
        meter = Meter(lambda event: _unless_begun(event, one.report), self._clock)
        meter.expect(sum(file.size for file in base.files))
        fetched: list[int] = []

        def received(path: Path, count: int) -> None:
            meter.sending(str(path))
            meter.sent(count)
            if meter.size > self._furthest:
                self._furthest, self._came_at = meter.size, self._clock.monotonic()

        def done(file: RestoredFile) -> None:
            fetched.append(file.fetched)
            meter.stored()

        onlooker = Onlooker(received=received, done=done, stopped=self._stop.is_set)
        failures = bring(stream.store, stream.name, base, Path(_folder(root, base)), onlooker)
        if failures:
            raise RestoreError(
                _first_of(explained(stream.store, stream.name, failures)), hint=_look_into(stream.url, base)
            )
        meter.end(complete=True)
        tree = Tree(root)
        stats = {file.name: stat for file in base.files if (stat := tree.stat(file.name)) is not None}
        stream.restored(stats, sum(fetched), meter.seconds)


def _unless_begun(event: Event, report: Callable[[Event], None]) -> None:
    """Nothing is checkpointed yet."""
    if not isinstance(event, Begun):
        report(event)


def _folder(root: str, checkpoint: Checkpoint) -> str:
    """Where its files belong: of one that is a single file, beside others."""
    is_file = bool(checkpoint.prefix) and not checkpoint.folder
    return os.path.dirname(root) if is_file else root


def _listed(stream: str, others: list[tuple[str, Checkpoint]]) -> str:
    names = ", ".join(f"{name} (checkpoint {newest.number} of {newest.writer.run_id})" for name, newest in others)
    return f"there is no checkpoint of {stream}, but of {names}: which one is meant is not ours to guess"


def _choose(url: str, root: str, others: list[tuple[str, Checkpoint]]) -> str:
    folder = _folder(root, others[0][1])
    return (
        f"`osmo checkpoint restore {url} {folder} --from NAME` brings one back, then submit again;"
        " with `restore: false` it starts without"
    )


def _first_of(failures: Mapping[str, OsmoError]) -> str:
    first = "; ".join(str(error) for error in list(failures.values())[:_NAMES_SAID])
    more = len(failures) - _NAMES_SAID
    return f"{first}{f' and {more} more' if more > 0 else ''}: nothing was restored"


def _look_into(url: str, checkpoint: Checkpoint) -> str:
    return (
        f"`osmo checkpoint verify {url}` says what is wrong with checkpoint {checkpoint.number},"
        f" `osmo checkpoint restore {url} DEST` brings back another (--at N) or what is whole (--partial)"
    )
