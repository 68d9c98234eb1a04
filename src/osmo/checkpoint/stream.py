"""One stream: all checkpoints that a task makes of one path at one url. Here one cycle reads like the manual."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from shlex import quote

from osmo.checkpoint import diff
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.commit import Taken, commit, newest_number
from osmo.checkpoint.diff import Saved
from osmo.checkpoint.events import Committed, Event, Finished, Unchanged
from osmo.checkpoint.gate import SETTLE_S, Gate
from osmo.checkpoint.manifest import CONTROL, Checkpoint, FileRecord, Trigger, Writer, encode
from osmo.checkpoint.meter import Flow, Meter
from osmo.checkpoint.tree import Scan, Stat, Tree
from osmo.checkpoint.upload import Uploader, vanished
from osmo.clock import Clock
from osmo.errors import AccessDenied, FileMoved, NoBucket, StoreError, Unavailable, UnknownHost
from osmo.spec.checkpoint import CheckpointEntry, Matcher
from osmo.store.base import Store

_AT_ONCE = 16
_PAUSES_S = (0.2, 0.5, 1.5)
_NO_USE_GOING_ON = (AccessDenied, NoBucket, Unavailable, UnknownHost)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a stream works. settle_s: how long a file must look the same before it is read."""

    settle_s: float = SETTLE_S
    at_once: int = _AT_ONCE


@dataclass(slots=True)
class _Cycle:
    """What one cycle knows: why it runs, what it found, what became of it."""

    trigger: Trigger
    exit_code: int | None
    begun: datetime
    begun_s: float
    meter: Meter
    scan: Scan
    moving: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    fatal: StoreError | None = None

    @property
    def last(self) -> bool:
        return self.trigger is not Trigger.INTERVAL


@dataclass(frozen=True, slots=True)
class _Pending:
    """A commit whose outcome is not known yet."""

    checkpoint: Checkpoint
    body: bytes
    saved: dict[str, Saved]


class Stream:
    """Makes checkpoints of one path at one url. One thread at a time may call `cycle`.

    entries: all have the same path and url; each has a regex and a schedule of its own.
    open_store: called again after an error that new credentials might mend.
    report: gets each `Event`, from any thread.
    """

    def __init__(
        self,
        entries: tuple[CheckpointEntry, ...],
        writer: Writer,
        open_store: Callable[[], Store],
        report: Callable[[Event], None],
        clock: Clock,
        budget: ByteBudget,
        settings: Settings,
    ) -> None:
        self.entries = entries
        self.path = entries[0].path
        self.url = entries[0].url
        self.name = f"{writer.task}.{entries[0].stream}"
        self._writer = writer
        self._open_store = open_store
        self._report = report
        self._clock = clock
        self._budget = budget
        self._settings = settings
        self._tree = Tree(entries[0].root)
        self._matchers = {entry: Matcher(entry.regex, entries[0].basename) for entry in entries}
        self._gate = Gate(settings.settle_s)
        self._store: Store | None = None
        self._number: int | None = None
        self._pending: _Pending | None = None
        self._committed: dict[str, Saved] = {}
        self._sent: dict[str, Saved] = {}
        self._problems: dict[str, str] = {}
        self._never = threading.Event()
        self._flow = Flow(clock)

    @property
    def flowed_at(self) -> float:
        """When bytes last got into the store, in the clock's monotonic seconds."""
        return self._flow.at

    @property
    def upload_command(self) -> str:
        """What a person can type to bring the files to where they belong, without us."""
        root, to = self.entries[0].root, f"{self.url}/{self._prefix}".rstrip("/")
        if not self.url.startswith("file://"):
            return f"aws s3 cp {'' if self._tree.is_file else '--recursive '}{quote(root)} {quote(to)}"
        folder = quote(to.removeprefix("file://"))
        return f"mkdir -p {folder} && cp -a {quote(root)}{'' if self._tree.is_file else '/.'} {folder}"

    def cycle(
        self,
        due: Iterable[CheckpointEntry],
        trigger: Trigger,
        stop: threading.Event,
        *,
        exit_code: int | None = None,
    ) -> bool:
        """One pass over the files of the entries that are due. True if files wait for their writers to rest.

        With a trigger other than INTERVAL it is the last one: nothing is waited for, and the store itself is compared
        with what should be there. `stop`: set it, and nothing new is begun any more; what was uploaded by then is known
        to the next cycle. Raises StoreError; the next call goes on from what was reached.
        """
        try:
            self._settle()
            return self._cycle(tuple(due), trigger, stop, exit_code)
        except StoreError as error:
            if not isinstance(error, Unavailable):
                self._store = None
            raise

    def _cycle(
        self, due: tuple[CheckpointEntry, ...], trigger: Trigger, stop: threading.Event, exit_code: int | None
    ) -> bool:
        meter = Meter(self._report, self._clock)
        this = _Cycle(trigger, exit_code, self._clock.now(), self._clock.monotonic(), meter, self._scan())
        this.problems.update(this.scan.problems)
        if this.last and this.scan.exists and (this.scan.files or self._number):
            this.meter.begin()  # the last checkpoint is always made, and said
            self._forget_what_the_store_lost()
        changed = diff.changed(self._taken_by(due, this.scan.files), self._in_store)
        self._upload(this, changed if this.last else self._at_rest(this, changed, stop), stop)
        if _hurried(this, stop):
            return True
        this.meter.end()
        saved = self._set(this)
        if this.scan.exists and (this.meter.begun or self._differs(saved, this.problems)):
            self._commit(this, saved)
        else:
            self._committed, self._sent = saved, {}
            self._report(Unchanged(saved, len(this.scan.files), len(this.moving), this.scan.exists, this.problems))
        if this.meter.begun:
            self._report(Finished())
        return bool(this.moving)

    def _differs(self, saved: dict[str, Saved], problems: dict[str, str]) -> bool:
        return not diff.same_set(saved, self._committed) or problems != self._problems

    @property
    def _prefix(self) -> str:
        return "" if self._tree.is_file else self.entries[0].prefix

    @property
    def _in_store(self) -> dict[str, Saved]:
        return self._committed | self._sent

    def _scan(self) -> Scan:
        """The files that any entry takes."""
        scan = self._tree.scan()
        if self.entries[0].contents_only:
            for name in [name for name in scan.files if name.partition("/")[0] == CONTROL]:
                del scan.files[name]
                scan.problems[CONTROL] = "this name is osmo's own at the url"
        scan.files = self._taken_by(self.entries, scan.files)
        return scan

    def _taken_by(self, entries: tuple[CheckpointEntry, ...], files: dict[str, Stat]) -> dict[str, Stat]:
        if self._tree.is_file:  # it was named: no regex is asked
            return files
        matchers = [self._matchers[entry] for entry in entries]
        return {name: stat for name, stat in files.items() if any(takes(name) for takes in matchers)}

    def _at_rest(self, this: _Cycle, changed: dict[str, Stat], stop: threading.Event) -> dict[str, Stat]:
        """Those of the changed files that nobody is writing. The others are `moving`."""
        resting = self._gate.look(changed, self._clock.monotonic())
        if len(resting) < len(changed):
            self._clock.wait(stop, self._settings.settle_s)
            looked_again = {name: self._tree.stat(name) if name not in resting else changed[name] for name in changed}
            changed = {name: stat for name, stat in looked_again.items() if stat is not None}
            resting = self._gate.look(changed, self._clock.monotonic())
        this.moving = changed.keys() - resting
        return {name: changed[name] for name in sorted(resting)}

    def _forget_what_the_store_lost(self) -> None:
        """Compare the store with what should be in it. Every object that is not there, or is another, is sent again."""
        expected = self._in_store
        if not expected:
            return
        there = {found.key: found.etag for found in self._opened().list(self._prefix.rstrip("/"))}
        for name, saved in expected.items():
            if there.get(saved.record.place) != saved.record.etag:
                self._committed.pop(name, None)
                self._sent.pop(name, None)

    def _upload(self, this: _Cycle, files: dict[str, Stat], stop: threading.Event) -> None:
        """Send them, end markers last. Raises the first StoreError that no other file would escape."""
        markers = {name: stat for name, stat in files.items() if diff.is_end_marker(name)}
        this.meter.expect(sum(stat.size for stat in files.values()))
        for batch in ({name: stat for name, stat in files.items() if name not in markers}, markers):
            if not batch:
                continue
            uploader = Uploader(self._opened(), self._tree, self._prefix, self._budget, this.meter, self._flow)
            for name, outcome in self._each(uploader, this, batch, stop):
                self._take_down(this, name, outcome)
            if this.fatal is not None:
                raise this.fatal

    def _take_down(self, this: _Cycle, name: str, outcome: Saved | Exception) -> None:
        match outcome:
            case Saved():
                self._sent[name] = outcome
            case FileMoved():
                this.moving.add(name)
            case OSError():
                if not vanished(outcome):
                    this.problems[name] = (outcome.strerror or str(outcome)).lower()
            case StoreError() if isinstance(outcome, _NO_USE_GOING_ON):
                this.fatal = this.fatal or outcome
            case _:
                this.problems[name] = str(outcome)

    def _each(
        self, uploader: Uploader, this: _Cycle, files: Mapping[str, Stat], stop: threading.Event
    ) -> Iterator[tuple[str, Saved | Exception]]:
        """Every file's outcome, some at once. After a fatal one, or in a hurry, no other is begun; those in flight are
        waited for."""
        known = {name: saved.record for name, saved in self._in_store.items()}

        def attempt(name: str, stat: Stat) -> Saved | Exception:
            try:
                return self._insist(uploader, name, stat, known.get(name), this)
            except (FileMoved, OSError, StoreError) as error:
                return error

        waiting = iter(files.items())
        with ThreadPoolExecutor(self._settings.at_once, thread_name_prefix="upload") as pool:
            running: dict[Future[Saved | Exception], str] = {}
            while True:
                if this.fatal is None and not _hurried(this, stop):
                    for name, stat in islice(waiting, 2 * self._settings.at_once - len(running)):
                        running[pool.submit(attempt, name, stat)] = name
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()

    def _insist(self, uploader: Uploader, name: str, stat: Stat, known: FileRecord | None, this: _Cycle) -> Saved:
        """Try a few times over what a moment may mend: a hiccup of the store; after the end, a file that moves."""
        for pause_s in _PAUSES_S:
            try:
                return uploader(name, stat, known)
            except Unavailable:
                self._clock.wait(self._never, pause_s * (0.5 + random.random()))
            except FileMoved:
                if not this.last:
                    raise
                self._clock.wait(self._never, pause_s)
                stat = self._tree.stat(name) or stat
        return uploader(name, stat, known, last_chance=this.last)

    def _set(self, this: _Cycle) -> dict[str, Saved]:
        """What the next checkpoint holds: what is in the store, without what is gone, moving files as they were."""
        in_store = self._in_store
        for name in diff.gone(this.scan.files, in_store, this.problems) if this.scan.exists else ():
            del in_store[name]
        return {
            name: replace(saved, record=replace(saved.record, deferred=name in this.moving))
            for name, saved in in_store.items()
        }

    def _commit(self, this: _Cycle, saved: dict[str, Saved]) -> None:
        gone = len(self._committed.keys() - saved.keys())
        while True:
            if self._number is None:
                self._number = newest_number(self._opened(), self.name)
            checkpoint = self._checkpoint(this, saved, self._number)
            self._pending = _Pending(checkpoint, encode(checkpoint), saved)
            if self._settle():
                break
        self._report(
            Committed(
                number=checkpoint.number,
                saved=saved,
                sent_files=this.meter.files,
                sent_size=this.meter.size,
                seconds=self._clock.monotonic() - this.begun_s,
                deferred=tuple(sorted(this.moving & saved.keys())),
                left_out=checkpoint.left_out,
                gone=gone,
                problems=this.problems,
            )
        )

    def _checkpoint(self, this: _Cycle, saved: dict[str, Saved], newest: int) -> Checkpoint:
        return Checkpoint(
            number=newest + 1,
            prev=newest or None,
            writer=self._writer,
            trigger=this.trigger,
            path=self.path,
            begun=this.begun,
            committed=self._clock.now(),
            files=tuple(saved[name].record for name in sorted(saved)),
            left_out=tuple(sorted(this.moving - saved.keys())),
            problems=this.problems,
            exit_code=this.exit_code,
        )

    def _settle(self) -> bool:
        """Find out how a pending commit ended, by making it again with the same bytes. False: its number is taken."""
        if (pending := self._pending) is None:
            return True
        try:
            commit(self._opened(), self.name, pending.checkpoint.number, pending.body)
        except Taken:
            self._pending = self._number = None  # look again which numbers are free
            return False
        self._pending = None
        self._number = pending.checkpoint.number
        self._committed, self._sent = pending.saved, {}
        self._problems = pending.checkpoint.problems or {}
        return True

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store


def _hurried(this: _Cycle, stop: threading.Event) -> bool:
    """A cycle that is to make way for the last one."""
    return stop.is_set() and not this.last
