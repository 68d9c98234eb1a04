"""What is said in the log about a stream's checkpoints."""

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from math import ceil

from osmo.checkpoint.events import (
    Begun,
    Claimed,
    Committed,
    Event,
    Failed,
    Finished,
    Holding,
    Looked,
    NotRestored,
    OfRestore,
    OfSaving,
    Progressed,
    Restored,
    RestoreFailed,
    Restoring,
    TakenOver,
    Unchanged,
)
from osmo.checkpoint.manifest import Checkpoint
from osmo.checkpoint.tree import ROOT
from osmo.clock import Clock
from osmo.logs import line
from osmo.logs.progress import progress
from osmo.logs.size import bytes_of
from osmo.logs.span import span
from osmo.logs.write import Log

_NAMES_IN_A_LINE = 3
_STILL_HERE_S = 3600.0


class Narrator:
    """Turns one stream's events into log lines. The four lines of OSMO's own page come for every upload; an idle cycle
    says nothing after the first, but for one line an hour."""

    def __init__(self, path: str, url: str, log: Log, clock: Clock) -> None:
        self._path = path
        self._url = url
        self._log = log
        self._clock = clock
        self._begun = False
        self._summary = ""
        self._number = 0
        self._committed_at = 0.0
        self._spoke_at: float | None = None
        self._known_problems: set[str] = set()
        self._said_misnamed = False
        self._open: set[str] = set()
        self._said_open: set[str] = set()
        self._said_holding: float | None = None
        self._tail = "starting without it; --restore goes on from it"

    def __call__(self, event: Event) -> None:
        if isinstance(event, OfRestore):
            self._of_restore(event)
        else:
            self._of_saving(event)

    def _of_saving(self, event: OfSaving) -> None:
        match event:
            case Looked() if event.misnamed and not self._said_misnamed:
                self._said_misnamed = True
                self._log.ours(f"{self._path} is a file: it is checkpointed, though its name does not match the regex")
            case Begun():
                self._begun = True
                self._log.ours(line.begins(self._path, self._url))
            case Progressed():
                self._log.ours(progress(event.done, event.total, event.seconds, event.path))
            case Committed():
                self._committed(event)
            case Finished():
                self._finished(event)
            case Claimed() | TakenOver() | Holding():
                self._on_the_way(event)
            case Unchanged():
                self._unchanged(event)
            case Failed():
                self._failed(event)

    def _on_the_way(self, event: Claimed | TakenOver | Holding) -> None:
        match event:
            case Claimed():
                self._claimed(event)
            case Holding():
                self._holding(event)
            case TakenOver():
                self._log.ours(
                    f"{event.by} writes the checkpoints in {self._url} now: nothing more of {self._path} goes there; "
                    "the task is not disturbed"
                )

    def _committed(self, event: Committed) -> None:
        self._number = event.number
        self._committed_at = self._spoke_at = self._clock.monotonic()
        self._say_problems(event.problems)
        self._say_open(event.open)
        total = event.saved.size
        parts = [
            f"{_files(len(event.saved))}, {bytes_of(total)}",
            f"uploaded {_files(event.sent_files)}, {bytes_of(event.sent_size)} in {event.seconds:.1f} s",
        ]
        if event.copied_size:
            parts.append(f"{bytes_of(event.copied_size)} of it, unchanged, copied within the store")
        if event.deferred:
            parts.append(f"kept as before while being written: {_names(event.deferred)}")
        if event.left_out:
            parts.append(f"left out while being written: {_names(event.left_out)}")
        if event.gone:
            parts.append(f"{_files(event.gone)} gone")
        if event.unsent:
            parts.append(f"no time was left for {_files(len(event.unsent))}: {_names(event.unsent)}")
        name = f"Checkpoint {event.number}{', not complete' if event.unsent else ''}"
        self._summary = f"{name}: {'; '.join(parts)}"
        if self._begun:  # in this cycle, or in one before that could not commit
            self._log.ours(line.uploaded(self._clock.now()))

    def _holding(self, event: Holding) -> None:
        now = self._clock.monotonic()
        if self._said_holding is not None and now - self._said_holding < _STILL_HERE_S:
            return
        self._said_holding = now
        self._log.ours(
            f"The next checkpoint of {self._path} waits up to {ceil(event.seconds)} s for what is being rewritten: "
            f"{_names(event.files)}"
        )

    def _say_open(self, names: Iterable[str]) -> None:
        """What was open the last time, too: each once."""
        now = set(names)
        self._open, stayed = now, sorted((now & self._open) - self._said_open)
        if not stayed:
            return
        self._said_open.update(stayed)
        self._log.ours(
            f"Not stored while open for writing or mapped into memory: {_names(map(self._local, stayed))}. "
            "It is once it is closed, or when the task asks (`osmo checkpoint now --wait`), or after the command"
        )

    def _of_restore(self, event: OfRestore) -> None:
        match event:
            case Restoring():
                self._log.ours(f"Restoring {self._about(event.checkpoint)} from {self._url} to {self._path}...")
            case Restored():
                self._restored(event)
            case NotRestored() if event.occupied:
                self._tail = f"starting with what is in {self._path}"
                self._log.ours(f"{self._path} is not empty: nothing is restored, the task starts with what is there")
            case NotRestored():
                self._log.ours(f"{self._url} holds no checkpoint of {self._path} yet: the task starts without")
            case RestoreFailed():
                hint = f" {event.error.hint}" if event.error.hint else ""
                self._log.ours(
                    f"Restoring {self._path} from {self._url} failed: {event.error}.{hint} The command waits;"
                    f" next try in {max(0.0, event.retry_s):.0f} s, given up in {span(event.left_s)} if nothing comes"
                )

    def _restored(self, event: Restored) -> None:
        self._number = event.checkpoint.number
        age_s = max(0.0, (self._clock.now() - event.checkpoint.committed).total_seconds())  # its clock was another
        self._committed_at, self._spoke_at = self._clock.monotonic() - age_s, self._clock.monotonic()
        files = event.checkpoint.files
        self._log.ours(
            f"Restored checkpoint {self._number} of {event.checkpoint.writer.run_id} to {self._path}:"
            f" {_files(len(files))}, {bytes_of(sum(file.size for file in files))}, every digest right;"
            f" fetched {bytes_of(event.fetched)} in {event.seconds:.1f} s"
        )
        if old := [file.name for file in files if file.deferred]:
            self._log.ours(f"Of an earlier checkpoint, for they were being written: {_names(old)}")
        if unsent := event.checkpoint.unsent:
            self._log.ours(f"It is not complete: {_files(len(unsent))} did not reach the store: {_names(unsent)}")

    def _claimed(self, event: Claimed) -> None:
        if event.former is not None:
            self._log.ours(f"Going on with the checkpoints in {self._url}: {event.former} has not said that it ended")
        if event.inherited is not None:
            self._log.ours(f"{self._url} holds {self._about(event.inherited)}; {self._tail}")

    def _about(self, checkpoint: Checkpoint) -> str:
        age = span(max(0.0, (self._clock.now() - checkpoint.committed).total_seconds()))
        of = checkpoint.writer.run_id
        return f"checkpoint {checkpoint.number} of {of} ({age} ago, {_files(len(checkpoint.files))})"

    def _finished(self, event: Finished) -> None:
        if self._begun:
            self._log.ours(line.finished(self._path, self._url))
            self._begun = False
        if self._summary:
            self._log.ours(self._summary)
            self._summary = ""
        if event.behind:
            why = f" ({event.error})" if event.error is not None else ""
            self._log.ours(
                f"The checkpoint is whole; {_files(event.behind)} at {self._url} that other tools read are still older"
                f"{why}: they follow with the next one, or with `osmo checkpoint mirror`"
            )

    def _unchanged(self, event: Unchanged) -> None:
        self._say_problems(event.problems)
        self._say_open(event.open)
        now = self._clock.monotonic()
        if self._spoke_at is not None and now - self._spoke_at < _STILL_HERE_S:
            return
        first, self._spoke_at = self._spoke_at is None, now
        if not event.exists and event.problems:
            return  # said already: it cannot be looked at
        if not event.exists:
            self._log.ours(f"{self._path} is not there{' yet' if first else ''}; nothing to checkpoint")
        elif event.moving:
            self._log.ours(f"{self._path}: {_files(event.moving)} being written; nothing to checkpoint yet")
        elif not event.files:
            self._log.ours(f"{self._path}: no file to checkpoint yet")
        elif self._number:
            age = timedelta(seconds=round(now - self._committed_at))
            self._log.ours(f"{self._path}: nothing has changed; checkpoint {self._number} is {age} old")

    def _failed(self, event: Failed) -> None:
        hint = f" {event.error.hint}" if event.error.hint else ""
        self._log.ours(
            f"Checkpointing data from {self._path} to {self._url} failed: {event.error}.{hint}"
            f" Next try in {_seconds(event.retry_s)} s; the task is not disturbed"
        )

    def _say_problems(self, problems: Mapping[str, str]) -> None:
        """Each once; said again when it came back."""
        new = {name: why for name, why in problems.items() if name not in self._known_problems}
        self._known_problems = set(problems)
        for name, why in list(new.items())[: 3 * _NAMES_IN_A_LINE]:
            self._log.ours(f"Not in the checkpoint: {self._local(name)}: {why}")
        if len(new) > 3 * _NAMES_IN_A_LINE:
            self._log.ours(f"Not in the checkpoint: {len(new) - 3 * _NAMES_IN_A_LINE} more")

    def _local(self, name: str) -> str:
        folder = self._path.removesuffix("/*")
        return folder if name == ROOT else os.path.join(folder, name)


def _seconds(count: float) -> str:
    count = max(0.0, count)
    return f"{count:.0f}" if count >= 1 else f"{count:.1f}"


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _names(names: Iterable[str]) -> str:
    first, *others = list(names)
    shown = [first, *others[: _NAMES_IN_A_LINE - 1]]
    more = len(others) + 1 - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
