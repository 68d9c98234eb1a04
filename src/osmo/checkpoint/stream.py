"""One stream: all checkpoints that a task makes of one path at one url. Here one cycle reads like the manual."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from osmo.checkpoint import diff, key
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.commit import Log
from osmo.checkpoint.cycle import Cycle
from osmo.checkpoint.diff import Saved
from osmo.checkpoint.events import Committed, Event, Finished, Looked, Unchanged
from osmo.checkpoint.gate import SETTLE_S, Gate
from osmo.checkpoint.inventory import Inventory
from osmo.checkpoint.manifest import Checkpoint, Trigger, Writer, encode
from osmo.checkpoint.meter import Flow, Meter
from osmo.checkpoint.pool import Outcome, OutOfTime, Pool
from osmo.checkpoint.source import Source
from osmo.checkpoint.throttle import Throttle
from osmo.checkpoint.tree import ROOT, UNKNOWN, Scan, Stat, hindered, vanished, why
from osmo.checkpoint.upload import Uploader
from osmo.clock import Clock
from osmo.errors import FileMoved, NotFound, StoreError, Unavailable
from osmo.spec.checkpoint import CheckpointEntry
from osmo.store.base import Store

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How a stream works.

    settle_s: how long a file must look the same before it is read. at_once: files sent at a time. endpoint: of S3, if
    it is not AWS's.
    """

    settle_s: float = SETTLE_S
    at_once: int = _AT_ONCE
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of an attempt's checkpoints: the newest number that was noted (0: none was), and how its files
    looked on this machine."""

    number: int
    stats: Mapping[str, Stat]


class Stream:
    """Makes checkpoints of one path at one url. One thread at a time may call `cycle`.

    entries: all have the same path and url; each has a regex and a schedule of its own.
    open_store: called again after an error that new credentials might mend.
    report: gets each `Event`, from any thread.
    earlier: what a process before this one left of the same attempt, if there was one.
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
        earlier: Earlier | None = None,
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
        self._source = Source(entries)
        self._gate = Gate(settings.settle_s)
        self._store: Store | None = None
        self._log = Log(self.name, clock)
        self._offered: Committed | None = None  # as it will be, if the record got through
        self._inventory = Inventory()
        self._problems: Mapping[str, str] = {}  # of the last commit
        self._device: int | None = None  # that the root was on at the last commit
        self._flow = Flow(clock)
        self._throttle = Throttle(settings.at_once, clock)
        self._earlier = earlier
        self._last_made = False  # a try of the last cycle has committed already
        self.deadline_s = float("inf")  # monotonic; what is not sent by then is left out of the checkpoint

    @property
    def flowed_at(self) -> float:
        """When bytes last got into the store, in the clock's monotonic seconds."""
        return self._flow.at

    @property
    def upload_command(self) -> str:
        """What a person can type to bring the files to where they belong, without us."""
        return self._source.upload_command(self._settings.endpoint)

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
            self._learn()
            self._settle()
            return self._run(self._begin(due, trigger, stop, exit_code))
        except StoreError as error:
            if not isinstance(error, Unavailable):
                self._store = None
            raise

    def _begin(
        self, due: Iterable[CheckpointEntry], trigger: Trigger, stop: threading.Event, exit_code: int | None
    ) -> Cycle:
        meter = Meter(self._report, self._clock)
        begun, scan = self._clock.now(), self._scan()
        self._report(Looked(len(scan.files), scan.exists or bool(scan.problems), self._source.misnamed))
        looked_at = self._source.taken_by(due, scan.files)
        this = Cycle(trigger, exit_code, stop, begun, meter, self._out_of_time, scan, looked_at, scan.problems.copy())
        if len(looked_at) < len(scan.files):  # what was wrong with the others is so still, as far as we know
            others = self._problems.keys() & (scan.files.keys() - looked_at.keys())
            this.problems.update({name: self._problems[name] for name in others})
        return this

    def _run(self, this: Cycle) -> bool:
        if this.last and this.scan.exists and (this.scan.files or self._inventory.all):
            this.meter.begin()  # the last checkpoint is always made, and said
            self._inventory.compare(self._etags())  # what the store lost is sent again
        changed = diff.changed(this.due, self._inventory.all)
        if this.last:
            this.failed = self._hindrance(this.scan)
            changed |= diff.unsure(this.due, self._inventory.all)
        self._upload(this, changed if this.last else self._at_rest(this, changed))
        if this.makes_way:
            return True
        this.meter.end(complete=not this.unsent)
        saved = self._set(this)
        if self._is_new(this, saved):
            self._commit(this, saved)
        else:
            self._inventory.commit(saved)  # the same set: only how it looks here is newer
            self._report(Unchanged(saved, len(this.scan.files), len(this.moving), this.scan.exists, this.problems))
        if this.failed is not None:
            raise this.failed
        return bool(this.moving)

    def _hindrance(self, scan: Scan) -> StoreError | None:
        """Why the folder could not be looked at as the last checkpoint needs it."""
        what = scan.hindered or (scan.problems.get(ROOT) if not scan.exists else None)
        return StoreError(f"{self.path}: {what}") if what else None

    def _scan(self) -> Scan:
        scan = self._source.scan()
        self._inventory.forget(scan.doubles)  # from now on another's bytes lie at their keys
        if not scan.files and scan.device != self._device and self._inventory.committed:
            scan.exists = False  # nothing, and on another filesystem: what was mounted there is not any more
        return scan

    def _etags(self) -> dict[str, str]:
        """What is in the store now, by key."""
        if not self._inventory.all:
            return {}
        if not self._source.tree.is_file:
            folder = key.escaped(self._source.prefix).rstrip("/")
            return {found.key: found.etag for found in self._opened().list(folder)}
        etags = {}
        # One file: a listing would go through all that others have at the url.
        for saved in self._inventory.all.values():
            try:
                etags[saved.record.place] = self._opened().head(saved.record.place).etag
            except NotFound:
                continue
        return etags

    def _at_rest(self, this: Cycle, changed: dict[str, Stat]) -> dict[str, Stat]:
        """Those of the changed files that nobody is writing. The others are `moving`."""
        resting = self._gate.look(changed, self._clock.monotonic())
        if len(resting) < len(changed):
            self._clock.wait(this.stop, self._settings.settle_s)
            tree = self._source.tree
            looked_again = {name: tree.stat(name) if name not in resting else changed[name] for name in changed}
            changed = {name: stat for name, stat in looked_again.items() if stat is not None}
            resting = self._gate.look(changed, self._clock.monotonic())
        this.moving = changed.keys() - resting
        return {name: changed[name] for name in sorted(resting)}

    def _upload(self, this: Cycle, files: dict[str, Stat]) -> None:
        """Send them, end markers last. Raises the first StoreError that no other file would escape."""
        this.meter.expect(sum(stat.size for stat in files.values()))
        for batch in diff.batches(files, newest_first=self.deadline_s < float("inf")):
            self._send(this, batch)

    def _send(self, this: Cycle, files: dict[str, Stat]) -> None:
        source = self._source
        uploader = Uploader(self._opened(), source.tree, source.prefix, self._budget, this.meter, self._flow)
        pool = Pool(uploader, self._clock, self._settings.at_once, self._throttle, this)
        outcomes: list[Outcome] = []
        try:
            this.unsent |= pool.send(files, self._inventory.all, outcomes.append)
        finally:  # whatever happens, what is in the store is not sent again
            self._inventory.forget({outcome.name for outcome in outcomes if outcome.doubtful})
            self._inventory.sent({each.name: each.result for each in outcomes if isinstance(each.result, Saved)})
        for outcome in outcomes:
            if outcome.fatal is not None:
                raise outcome.fatal
            self._take_down(this, outcome.name, outcome.result)

    def _take_down(self, this: Cycle, name: str, result: Saved | Exception) -> None:
        match result:
            case OutOfTime():
                pass  # it is among the unsent
            case FileMoved():
                this.moving.add(name)
            case OSError() if not vanished(result):
                this.problems[name] = why(result)
                if this.last and hindered(result):
                    this.failed = StoreError(f"{self._source.tree.path(name)}: {why(result)}")
            case StoreError():
                this.problems[name] = str(result)
                if this.last:
                    this.failed = result

    def _set(self, this: Cycle) -> Mapping[str, Saved]:
        """What the next checkpoint holds: what is in the store, without what is gone, moving files as they were."""
        in_store = self._inventory.all
        gone = diff.gone(this.scan.files, in_store, this.problems) if this.scan.exists else set()
        old = this.moving | this.unsent
        flagged = {
            name: saved.deferred(name in old)
            for name, saved in in_store.items()
            if saved.record.deferred != (name in old) and name in this.due
        }
        if not gone and not flagged:
            return in_store
        return {name: flagged.get(name, saved) for name, saved in in_store.items() if name not in gone}

    def _is_new(self, this: Cycle, saved: Mapping[str, Saved]) -> bool:
        """Whether there is anything to commit."""
        if not diff.same_set(saved, self._inventory.committed):
            return True
        first_last = this.last and this.meter.begun and not self._last_made
        return this.scan.exists and (first_last or this.problems != self._problems)

    def _commit(self, this: Cycle, saved: Mapping[str, Saved]) -> None:
        def record(number: int, before: int | None) -> bytes:
            checkpoint = self._checkpoint(this, saved, number, before)
            self._offered = Committed(
                number=number,
                saved=saved,
                sent_files=this.meter.files,
                sent_size=this.meter.size,
                seconds=this.meter.seconds,
                deferred=tuple(sorted(this.moving & saved.keys())),
                left_out=checkpoint.left_out,
                unsent=checkpoint.unsent,
                gone=len(self._inventory.committed.keys() - saved.keys()),
                problems=this.problems,
            )
            return encode(checkpoint)

        self._device = this.scan.device
        self._log.append(self._opened(), record)
        self._last_made = this.last
        self._accept()

    def _checkpoint(self, this: Cycle, saved: Mapping[str, Saved], number: int, before: int | None) -> Checkpoint:
        return Checkpoint(
            number=number,
            prev=before,
            writer=self._writer,
            trigger=this.trigger,
            path=self.path,
            begun=this.begun,
            committed=self._clock.now(),
            files=tuple(saved[name].record for name in sorted(saved)),
            left_out=tuple(sorted(this.moving - saved.keys())),
            unsent=tuple(sorted(this.unsent)),
            problems=this.problems,
            exit_code=this.exit_code,
        )

    def _learn(self) -> None:
        """Go on where the process before us stopped: what it committed is not sent again."""
        if self._earlier is None:
            return
        found = self._log.newest(self._opened())
        # A newer one, too: the process may have died before it took it down. A look that it does not know is no look of
        # now, so that file's digest decides.
        if found is not None and found.number >= self._earlier.number and found.writer.run == self._writer.run:
            stats = self._earlier.stats
            files = {file.name: Saved(stats.get(file.name, UNKNOWN), file) for file in found.files}
            self._inventory.commit(files)
            self._inventory.compare(self._etags())
            self._problems = found.problems or {}
        self._earlier = None

    def _settle(self) -> None:
        """Find out how the last commit ended, if that is open."""
        if self._offered is None:
            return
        if self._log.settle(self._opened()):
            self._accept()
        else:
            self._offered = None

    def _accept(self) -> None:
        """What was offered is committed: only now it is true."""
        assert self._offered is not None
        event, self._offered = self._offered, None
        self._inventory.commit(event.saved)
        self._problems = event.problems
        self._report(event)
        self._report(Finished())

    def _out_of_time(self) -> bool:
        return self._clock.monotonic() >= self.deadline_s

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store
