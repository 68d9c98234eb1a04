"""One cycle: one pass over one path."""

import threading
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime

from osmo.checkpoint import diff
from osmo.checkpoint.archive import Next
from osmo.checkpoint.events import Committed, Unchanged
from osmo.checkpoint.hold import Hold
from osmo.checkpoint.manifest import Checkpoint, Trigger
from osmo.checkpoint.meter import Meter
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import Table
from osmo.checkpoint.tree import ROOT, Stat, hindered, vanished, why
from osmo.checkpoint.walk import Scan
from osmo.checkpoint.window import OutOfTime
from osmo.errors import FileMoved, OpenForWriting, StoreError, Unavailable
from osmo.spec.checkpoint import CheckpointEntry


@dataclass(slots=True)
class Cycle:
    """What one cycle knows: why it runs, what it found, what became of it.

    entries: whose files it looks at more closely: `takes` says which those are, None: all. hold: how long its
    commit may be held. moving: those that are being written. open: those of them that look at rest. unsettled:
    those that are read as live files. unsent: those that there was no time for. out_of_time: whether its deadline
    has passed. failed: why it is not the last one yet, although everything else is done. at_rest: who asked for it
    says that nobody writes just now.
    """

    entries: tuple[CheckpointEntry, ...]
    trigger: Trigger
    stop: threading.Event
    begun: datetime
    meter: Meter
    out_of_time: Callable[[], bool]
    hold: Hold
    exit_code: int | None = None
    scan: Scan = field(default_factory=Scan)
    takes: Callable[[str], bool] | None = None
    problems: dict[str, str] = field(default_factory=dict)
    moving: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    unsettled: Set[str] = frozenset()
    unsent: set[str] = field(default_factory=set)
    failed: StoreError | None = None
    at_rest: bool = False

    @property
    def last(self) -> bool:
        return self.trigger in (Trigger.FINAL, Trigger.PREEMPT)

    @property
    def makes_way(self) -> bool:
        """The last one is to come, and this one to end without a commit."""
        return self.stop.is_set() and not self.last

    @property
    def hurried(self) -> bool:
        """Nothing more is to be begun."""
        return self.makes_way or self.out_of_time()

    def changed(self, in_store: Table) -> Mapping[str, Stat]:
        """The files that are due, and not in the store as they are now; if nobody writes any more, also those of which
        only their bytes tell that."""
        found: Mapping[str, Stat] = self.scan.files.unlike(in_store)
        if in_store.unsure and (self.last or self.at_rest):
            found = {**found, **diff.unsure(self.scan.files, in_store)}
        takes = self.takes
        return found if takes is None else {name: stat for name, stat in found.items() if takes(name)}

    def hindrance(self, path: str) -> StoreError | None:
        """Why the folder at `path` could not be looked at as the last checkpoint needs it."""
        what = self.scan.hindered or (self.scan.problems.get(ROOT) if not self.scan.exists else None)
        return StoreError(f"{path}: {what}") if what else None

    def take_down(self, name: str, result: Saved | Exception, path: str) -> None:
        """What became of a file that was to be sent. path: where it is on this machine."""
        match result:
            case OutOfTime():
                self.unsent.add(name)
            case FileMoved():
                self.moving.add(name)
                if isinstance(result, OpenForWriting):
                    self.open.add(name)
            case OSError() if not vanished(result):
                self.problems[name] = why(result)
                if self.last and hindered(result):
                    self.failed = StoreError(f"{path}: {why(result)}")
            case StoreError():
                self.problems[name] = str(result)
                if self.last or self.trigger is Trigger.REQUEST or isinstance(result, Unavailable):
                    self.failed = result  # who asked for this checkpoint relies on it

    def files(self, in_store: Table) -> Table:
        """What the next checkpoint holds: what is in the store, without what is gone, moving files as they were."""
        gone = diff.gone(self.scan.files, in_store, self.problems) if self.scan.exists else set()
        old = self.moving | self.unsent
        flagged = (name for name in in_store.deferred ^ old if name in in_store and self._is_due(name))
        new = [in_store[name].deferred(name in old) for name in flagged if name not in gone]
        return in_store.changed(new, gone) if new or gone else in_store

    def _is_due(self, name: str) -> bool:
        return name in self.scan.files and (self.takes is None or self.takes(name))

    def checkpoint(self, that: Next, path: str, folder: str, now: datetime) -> Checkpoint:
        """The record of what the cycle found."""
        names = that.files.table
        return Checkpoint(
            mark=that.mark,
            writer=that.writer,
            prefix=that.prefix,
            alone=that.alone,
            number=that.number,
            prev=that.prev,
            spared=that.spared,
            files=that.files,
            listing=that.listing,
            behind=that.behind,
            trigger=self.trigger,
            path=path,
            folder=folder,
            begun=self.begun,
            committed=now,
            left_out=tuple(sorted(name for name in self.moving if name not in names)),
            unsent=tuple(sorted(self.unsent)),
            problems=dict(self.problems),
            exit_code=self.exit_code,
        )

    def committed(self, number: int, saved: Table, gone: int) -> Committed:
        """What is reported of it, once it is there."""
        return Committed(
            number=number,
            saved=saved,
            sent_files=self.meter.files,
            sent_size=self.meter.size,
            seconds=self.meter.seconds,
            deferred=tuple(sorted(name for name in self.moving if name in saved)),
            left_out=tuple(sorted(name for name in self.moving if name not in saved)),
            unsent=tuple(sorted(self.unsent)),
            gone=gone,
            problems=self.problems,
            open=tuple(sorted(self.open)),
            copied_size=self.meter.copied_size,
        )

    def unchanged(self, saved: Table) -> Unchanged:
        """What is reported of it, if there was nothing to commit."""
        return Unchanged(
            saved=saved,
            files=len(self.scan.files),
            moving=len(self.moving),
            exists=self.scan.exists,
            problems=self.problems,
            open=tuple(sorted(self.open)),
        )
