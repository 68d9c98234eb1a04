"""One stream: all checkpoints that a task makes of one path at one url. Here one cycle reads like the manual."""

import threading
from collections.abc import Callable, Iterable, Mapping

from osmo.checkpoint import diff, key
from osmo.checkpoint.archive import Archive, Earlier
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.cycle import Cycle
from osmo.checkpoint.epoch import Fenced, Place
from osmo.checkpoint.events import Claimed, Committed, Event, Finished, Holding, Looked, Restored, TakenOver
from osmo.checkpoint.hold import Hold
from osmo.checkpoint.inventory import Inventory
from osmo.checkpoint.live import LiveNames
from osmo.checkpoint.lookout import Lookout
from osmo.checkpoint.manifest import Checkpoint, Trigger, Writer
from osmo.checkpoint.meter import Meter
from osmo.checkpoint.schedule import PAUSES_S
from osmo.checkpoint.sender import Sender
from osmo.checkpoint.settings import Settings
from osmo.checkpoint.source import Source
from osmo.checkpoint.table import Table
from osmo.checkpoint.tree import Stat
from osmo.checkpoint.walk import Scan
from osmo.clock import Clock
from osmo.errors import StoreError, Unavailable
from osmo.spec.checkpoint import CheckpointEntry
from osmo.store.base import Store


class Stream:
    """Makes checkpoints of one path at one url. One thread at a time may call it.

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
        first = entries[0]
        self.entries = entries
        self.path = first.path
        self.url = first.url
        self.name = settings.name or f"{writer.task}.{first.stream}"
        self._writer = writer
        self._report = report
        self._clock = clock
        self._settings = settings
        self._source = Source(entries)
        is_live = LiveNames(settings.live)
        self._lookout = Lookout(self._source.tree, is_live, settings.settle_s, clock)
        prefix = "" if first.contents_only else key.escaped(first.basename)
        keep = max(entry.keep for entry in entries)
        place = Place(self.name, prefix, settings.shared, keep, settings.at_once)
        self._archive = Archive(place, writer, open_store, clock, earlier)
        self._offered: Committed | None = None  # as it will be, if the record got through
        self._problems: Mapping[str, str] = {}  # of the last commit
        self._device: int | None = None  # that the root was on at the last commit
        self._sender = Sender(self._source, self._archive, is_live, budget, settings, clock, lambda: self.deadline_s)
        self._never = threading.Event()
        self._last_made = False  # a try of the last cycle has committed already
        self._fenced: Fenced | None = None
        self.durable = False  # the last checkpoint is in the store
        self.deadline_s = float("inf")  # monotonic; what is not sent by then is left out of the checkpoint

    @property
    def flowed_at(self) -> float:
        """When bytes last got into the store, in the clock's monotonic seconds."""
        return self._sender.flowed_at

    @property
    def lost_to(self) -> Writer | None:
        """Another run, whose stream it is now. A newer attempt of this one is not another."""
        by = self._fenced.by if self._fenced is not None else None
        return by if by is not None and by.run != self._writer.run else None

    @property
    def upload_command(self) -> str:
        """What a person can type to bring the files to where they belong, without us."""
        return self._source.upload_command(self._settings.endpoint)

    @property
    def store(self) -> Store:
        return self._archive.store

    def reopen(self) -> None:
        """After an error that new credentials might mend: they are looked for again."""
        self._archive.reopen()

    def others(self) -> list[tuple[str, Checkpoint]]:
        """If there is nothing to go on from: the streams at the url that hold checkpoints of a path of the same name,
        and the newest of each. Raises StoreError."""
        return self._archive.others()

    def claim(self, *, restores: bool = False) -> Checkpoint | None:
        """Own the stream from now on. Returns its newest checkpoint. Raises StoreError, Fenced among them.

        The first cycle that finds a file does it, if nobody did before. restores: the checkpoint will be brought back.
        """
        if not self._archive.claimed:
            former = self._archive.claim()
            base = self._archive.base
            if base is not None and base.writer.run == self._writer.run:
                self._problems = base.problems or {}
            self._report(Claimed(None if restores else self._archive.inherited, former))
        return self._archive.base

    @property
    def unread(self) -> StoreError | None:
        """Why the files of the newest checkpoint are not known, once it was claimed. None if they are."""
        return self._archive.unread

    def restored(self, stats: Mapping[str, Stat], fetched: int = 0, seconds: float = 0.0) -> None:
        """The files of the newest checkpoint are in the folder again, and look like this: the run goes on from it, and
        nothing of it is sent again. fetched: bytes that came from the store."""
        base = self._archive.restored(stats)
        self._report(Restored(base, self._inventory.committed, fetched, seconds))

    def cycle(
        self,
        due: Iterable[CheckpointEntry],
        trigger: Trigger,
        stop: threading.Event,
        *,
        exit_code: int | None = None,
        at_rest: bool = False,
        patience_s: float = float("inf"),
    ) -> bool:
        """One pass over the files of the entries that are due. True if files wait for their writers to rest.

        While files of the last checkpoint are being rewritten, the commit is held: for the frequency of the entries,
        ten minutes or `patience_s`, whichever is the shortest.
        With the trigger FINAL or PREEMPT it is the last one: nothing is waited for, and the store itself is compared
        with what should be there. `stop`: set it, and nothing new is begun any more; what was uploaded by then is known
        to the next cycle. at_rest: who asks for it says that nobody writes just now, so no file need settle first.
        Raises StoreError; the next call goes on from what was reached. After Fenced it does not.
        """
        if self._fenced is not None:
            raise self._fenced
        try:
            self._settle()
            this = self._begin(tuple(due), trigger, stop, patience_s)
            this.exit_code, this.at_rest = exit_code, at_rest
            return self._run(this)
        except Fenced as error:
            self._fenced = error
            self._report(TakenOver(error.by))
            raise
        except StoreError as error:
            if not isinstance(error, Unavailable):
                self._archive.reopen()
            raise

    def close(self) -> None:
        """After the last cycle: tell whoever comes next that nothing more will be written. Raises StoreError."""
        if self._fenced is None and not self._out_of_time():
            self._archive.close()

    def _begin(
        self, due: tuple[CheckpointEntry, ...], trigger: Trigger, stop: threading.Event, patience_s: float
    ) -> Cycle:
        patience_s = min((patience_s, *(entry.frequency_s for entry in due)))
        hold = Hold.beginning(self._clock.monotonic(), patience_s)
        meter = Meter(self._report, self._clock)
        return Cycle(due, trigger, stop, self._clock.now(), meter, self._out_of_time, hold)

    def _look(self, this: Cycle) -> None:
        """Walk the folder: what is committed is the folder as it is now."""
        scan = self._source.scan(self._inventory.all)
        self._weigh(scan)
        self._report(Looked(len(scan.files), scan.exists or bool(scan.problems), self._source.misnamed))
        if scan.files or scan.problems or self._archive.goes_on:
            self.claim()
            self._weigh(scan)  # by what the store holds
        this.scan, this.problems = scan, scan.problems.copy()
        this.takes = takes = self._source.taken_by(this.entries)
        if takes is not None:  # what was wrong with the others is so still, as far as we know
            others = (name for name in self._problems if name in scan.files and not takes(name))
            this.problems.update({name: self._problems[name] for name in others})

    def _run(self, this: Cycle) -> bool:
        self._look(this)
        if this.last and this.scan.exists and (this.scan.files or self._inventory.all):
            this.meter.begin()  # the last checkpoint is always made, and said
            self._inventory.compare(self._etags())  # what the store lost is sent again
        changed = this.changed(self._inventory.all)
        if this.last:
            this.failed = this.hindrance(self.path)
        self._sender.send(this, changed if this.last else self._ready(this, changed))
        while self._holds(this):
            self._look(this)
            self._sender.send(this, self._ready(this, this.changed(self._inventory.all)))
        if this.makes_way:
            return True
        this.meter.end(complete=not this.unsent)
        saved = this.files(self._inventory.all)
        if is_new := self._is_new(this, saved):
            self._commit(this, saved)
        else:
            self._inventory.commit(saved)  # the same set: only how it looks here is newer
            self._report(this.unchanged(saved))
        self.durable = this.last and this.failed is None
        if is_new or self._archive.is_behind:
            self._follow(this)
        if is_new:
            self._tidy()
        if this.failed is not None:
            raise this.failed
        return bool(this.moving)

    def _weigh(self, scan: Scan) -> None:
        """What a walk means, given what was there before."""
        self._inventory.forget(scan.doubles)  # from now on another's bytes lie at their keys
        if not scan.files and scan.device != self._device and self._inventory.committed:
            scan.exists = False  # nothing, and on another filesystem: what was mounted there is not any more

    def _etags(self) -> dict[str, str]:
        """What is in the store now, by key."""
        if not self._inventory.all:
            return {}
        return self._archive.etags(self._source.plain, is_file=self._source.tree.is_file)

    def _ready(self, this: Cycle, changed: Mapping[str, Stat]) -> Mapping[str, Stat]:
        """Those of the changed files that may be read. The others are `moving`."""
        this.moving, this.unsettled, this.open = set(), frozenset(), set()
        if this.at_rest:
            return dict(sorted(changed.items()))
        ready = self._lookout.sort(changed, this.scan.databases, this.stop)
        this.moving, this.unsettled = set(ready.moving), ready.unsettled
        return ready.files

    def _holds(self, this: Cycle) -> bool:
        """Wait for the files of the last checkpoint that are being rewritten. True if they rest now."""
        held = self._lookout.holding(this.moving, this.scan.databases, self._inventory.committed)
        if not held or this.last or this.at_rest or self._is_urgent():
            return False
        self._report(Holding(tuple(sorted(held)), this.hold.left_s(self._clock.monotonic())))
        return self._lookout.wait(held, this.moving, this.hold, lambda: this.makes_way or self._is_urgent())

    def _is_new(self, this: Cycle, saved: Table) -> bool:
        """Whether there is anything to commit."""
        if not diff.same_set(saved, self._inventory.committed):
            return True
        first_last = this.last and this.meter.begun and not self._last_made
        return this.scan.exists and (first_last or this.problems.keys() != self._problems.keys())

    def _commit(self, this: Cycle, saved: Table) -> None:
        that = self._archive.next(saved, urgent=self._is_urgent())
        checkpoint = this.checkpoint(that, self.path, self._source.prefix, self._clock.now())
        gone = sum(1 for _ in saved.lacks(self._inventory.committed))
        self._offered = this.committed(checkpoint.number, saved, gone)
        self._device = this.scan.device
        self._archive.commit(checkpoint)
        self._last_made = this.last
        self._accept()

    def _settle(self) -> None:
        """Find out how the last commit ended, if that is open."""
        if self._archive.settle() and self._offered is not None:
            self._accept()
        self._offered = None

    def _accept(self) -> None:
        """What was offered is committed: only now it is true."""
        assert self._offered is not None
        event, self._offered = self._offered, None
        self._inventory.commit(event.saved)
        self._problems = event.problems
        self._report(event)

    def _follow(self, this: Cycle) -> None:
        """The plain files: now, a few times over, or, if time may run out, later."""
        resend = self._sender.resend(this)
        error = None
        for pause_s in (*PAUSES_S, None):
            if self._is_urgent():
                break
            error = self._archive.follow(resend, lambda: this.makes_way or self._is_urgent())
            if error is None or pause_s is None or this.makes_way:
                break
            self._clock.wait(self._never, pause_s)
        self._report(Finished(len(self._archive.epoch.behind), error))

    def _tidy(self) -> None:
        if not self._is_urgent():
            self._archive.tidy()

    def _is_urgent(self) -> bool:
        return self.deadline_s < float("inf")

    def _out_of_time(self) -> bool:
        return self._clock.monotonic() >= self.deadline_s

    @property
    def _inventory(self) -> Inventory:
        return self._archive.inventory
