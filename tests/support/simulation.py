"""Several writers at one store, whose requests come in any order, late, or without an answer.

The code is the product's own, from the cycle down; only the store is in memory, and one request is applied at a time.
Who is next is decided by a schedule (`support.schedules`), or by a test, step by step.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from blake3 import blake3

from osmo.checkpoint import listing, log, table, tidy
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.decoding import decode
from osmo.checkpoint.epoch import Fenced
from osmo.checkpoint.events import Committed, Event
from osmo.checkpoint.manifest import Checkpoint, FileRecord, Listing, Mark, Trigger, Writer
from osmo.checkpoint.names import is_own
from osmo.checkpoint.restore import Onlooker, restore
from osmo.checkpoint.settings import Settings
from osmo.checkpoint.stream import Stream
from osmo.checkpoint.tree import Stat
from osmo.errors import OsmoError, StoreError
from osmo.spec.checkpoint import CheckpointEntry
from support.clock import FakeClock
from support.turns import Actor, Line, Pending, Server

R = TypeVar("R")
Files = Mapping[str, str]

# In a script, as a text: what the newest checkpoint had when this writer began. As a name: all that it had.
BASE = "BASE"
REST = "*"
A_DAY: Files = {"a day": "passes"}  # in place of a look: nothing changes for that long

TASK = "train"
_DAY = timedelta(hours=25)  # longer than any request is on its way


class Broken(AssertionError):
    """Something happened that must never happen."""


@dataclass(slots=True)
class World:
    """A store, those who work with it, and what must hold after every request.

    keep: how many checkpoints stay restorable. relay: each writer begins when the one before has ended, or is dead.
    overnight: and a day later, when no request of the one before can be on its way any more.
    late: requests that got no answer, and may still be applied. trace: what happened.
    """

    folder: Path
    keep: int = 1
    create_only: bool = True
    etag_per_write: bool = False
    relay: bool = False
    overnight: bool = False
    server: Server = field(init=False)
    actors: list[Actor] = field(default_factory=list)
    late: list[Pending] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    _exact: bool = True  # nobody wrote beside the owner
    _tasks: dict[str, bool] = field(default_factory=dict)  # and whether it knows of others
    _writers: list[Actor] = field(default_factory=list)
    _records: dict[tuple[str, Mark], Checkpoint] = field(default_factory=dict)
    _decoded: dict[bytes, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server = Server(create_only=self.create_only, etag_per_write=self.etag_per_write)
        self._exact = self.relay

    # Who is there.

    def writer(
        self,
        name: str,
        *script: Files,
        restores: bool = False,
        keep: int = 0,
        task: str = TASK,
        shared: bool = False,
    ) -> Actor:
        """One attempt: its folder looks like each of the script's entries in turn; then it ends.

        restores: it begins with the files of the newest checkpoint. shared: it knows that other tasks have the same
        plain files.
        """
        self._tasks[task] = shared

        def work(_: Actor, line: Line) -> None:
            self._attempt(name, line, script, task, restores=restores, keep=keep or self.keep, shared=shared)

        actor = self._add(name, work)
        self._writers.append(actor)
        return actor

    def pruner(self, name: str, keep: int) -> Actor:
        """A person who removes what is not needed for `keep` checkpoints."""
        return self._add(
            name, lambda _, line: void(tidy.remove(line, tidy.find(line, log.Reader(_stream(TASK), 1), keep), 1))
        )

    def restorer(self, name: str, tries: int = 2) -> Actor:
        """A person who brings the newest checkpoint back: all of it, or an error."""

        def work(_: Actor, line: Line) -> None:
            for number in range(tries):
                self._restore(name, line, self.folder / f"{name}{number}")

        return self._add(name, work)

    # Whose turn it is.

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within it everybody waits at a request."""
        try:
            for actor in self.actors:
                actor.start()
            yield
        finally:
            for actor in self.actors:
                actor.kill()

    def ready(self) -> list[Actor]:
        """Those whose turn it may be."""
        ready = [actor for actor in self.actors if actor.ready]
        if self.relay:
            first = next((actor for actor in self._writers if actor.ready), None)
            ready = [actor for actor in ready if actor not in self._writers or actor is first]
        return ready

    def go(self, actor: Actor) -> None:
        """Its request is applied and answered."""
        assert actor.pending is not None
        self._apply(actor.pending)
        actor.go_on()
        self._after(actor)

    def lose(self, actor: Actor, *, arrives: bool = True) -> None:
        """It gets no answer. arrives: the request is applied later."""
        pending = actor.pending
        assert pending is not None
        self.trace.append(f"{pending}: no answer")
        if arrives:
            self.late.append(pending)
        actor.go_on(lost=True)
        self._after(actor)

    def crash(self, actor: Actor, *, arrives: bool = False) -> None:
        """It is dead. arrives: its last request is applied later."""
        self.trace.append(f"{actor.name} crashes")
        actor.crashed = True
        if arrives and actor.pending is not None and actor.pending.writes:
            self.late.append(actor.pending)
        self._after(actor)

    def arrive(self, number: int = 0) -> None:
        """One of the late requests is applied."""
        self._exact = False
        self.trace.append("late:")
        self._apply(self.late.pop(number))

    def until(self, actor: Actor, what: str) -> None:
        """Let it go on until its next request is one that reads like this."""
        while actor.ready and what not in str(actor.pending):
            self.go(actor)
        if not actor.ready:
            raise AssertionError(f"{actor.name} never asked for: {what}\n{self}")

    def finish(self, *actors: Actor) -> None:
        """Let them go on to their ends, one after the other."""
        for actor in actors:
            while actor.ready:
                self.go(actor)

    # What must hold.

    def end(self) -> None:
        """Nobody runs any more: one more writer goes on from what is there, then somebody prunes. Nothing is left over;
        if the writers came one after the other, the plain files are those of the newest checkpoint."""
        self.actors, self.late, self.relay = [], [], False
        janitor = self.writer("janitor", *({REST: BASE, "j": f"j{n}"} for n in range(self.keep + 2)), restores=True)
        pruner = self.pruner("after all", self.keep)
        with self.running():
            self.finish(janitor, pruner)
        kept = self.kept()
        named = {key for checkpoint in kept for file in checkpoint.files for key in file.keys}
        named |= {checkpoint.listing.place for checkpoint in kept if checkpoint.listing is not None}
        digests = {file.digest for checkpoint in kept for file in checkpoint.files}
        for key in self.server.objects:
            if not key.startswith(f"{log.folder(_stream(TASK))}/"):
                continue
            if "/objects/" in key and key not in named:
                raise Broken(f"left over: {key}\n{self}")
            if "/old/" in key and key.rpartition("/")[2].partition(".")[0] not in digests:
                raise Broken(f"left over: {key}\n{self}")
        for file in kept[-1].files if self._exact else ():
            if _digest(self.server.objects[f"ckpt/{file.name}"]) != file.digest:
                raise Broken(f"the plain file of {file.name} is another\n{self}")

    def kept(self, task: str = TASK) -> list[Checkpoint]:
        """The checkpoints of a task that have to be restorable, oldest first."""
        records = []
        for key, body in self.server.objects.items():
            if key.startswith(f"{log.folder(_stream(task), 'log')}/"):
                if body not in self._decoded:
                    self._decoded[body] = decode(body, self._listed)
                records.append(self._decoded[body])
        return log.kept(records, self.keep)

    def contents(self, which: int = -1, task: str = TASK) -> dict[str, str | None]:
        """The files of one of the kept checkpoints (the newest) as a restore gives them; None: their bytes are lost."""
        return {file.name: self._content(file, task) for file in self.kept(task)[which].files}

    def plain(self, name: str) -> str:
        """What any other tool reads."""
        return self.server.objects[f"ckpt/{name}"].decode()

    def __str__(self) -> str:
        return "\n".join(self.trace)

    def _add(self, name: str, work: Callable[[Actor, Line], None]) -> Actor:
        actor = Actor(name, self.server, work)
        self.actors.append(actor)
        return actor

    def _apply(self, pending: Pending) -> None:
        pending.go()
        self.trace.append(str(pending))
        if pending.writes and pending.error is None:
            self._check()

    def _after(self, actor: Actor) -> None:
        if isinstance(actor.failure, Broken):
            raise actor.failure
        if actor.failure is not None:
            raise Broken(f"{actor.name} failed\n{self}") from actor.failure
        if self.overnight and not actor.ready and actor in self._writers:
            self.late.clear()
            self.server.now += _DAY

    def _check(self) -> None:
        """Every checkpoint that is kept can be restored."""
        for task, shared in self._tasks.items():
            for checkpoint in self.kept(task):
                self._records[task, checkpoint.mark] = checkpoint
                if checkpoint.listing is not None and not self._has(checkpoint.listing):
                    raise Broken(f"the listing of checkpoint {checkpoint.mark} of {task} is lost\n{self}")
                for file in checkpoint.files:
                    if self._content(file, task) is None and (shared or not self._is_others(file, task)):
                        raise Broken(f"{file.name} of checkpoint {checkpoint.mark} of {task} is lost\n{self}")

    def _has(self, found: Listing) -> bool:
        body = self.server.objects.get(found.place)
        return body is not None and _digest(body) == found.digest

    def _listed(self, place: str, digest: str, _size: int) -> table.Files:
        if place not in self.server.objects:  # of a checkpoint that is not kept any more, that is well
            return table.Unread(StoreError(f"{place} is lost"))
        return listing.read(self.server.objects[place], digest)

    def _is_others(self, file: FileRecord, task: str) -> bool:
        """Whether its plain file is that of another task, which did not know of this one."""
        others = [checkpoint for (other, _), checkpoint in self._records.items() if other != task]
        return not is_own(file.place) and any(file.name == each.name for other in others for each in other.files)

    def _content(self, file: FileRecord, task: str) -> str | None:
        objects = self.server.objects
        places = [file.place]
        if not is_own(file.place):
            olds = f"{log.folder(_stream(task), 'old')}/{file.digest}."
            places += [key for key in objects if key.startswith(olds)]
        bodies = (objects[place] for place in places if place in objects)
        return next((body.decode() for body in bodies if _digest(body) == file.digest), None)

    def _acknowledged(self, who: str, task: str, event: Committed) -> None:
        """What a writer reports as committed is the newest checkpoint, or one that it goes back to."""
        self.trace.append(f"{who} reports checkpoint {event.number}")
        contents = {name: saved.record.digest for name, saved in event.saved.items()}
        at = next(reversed(self.kept(task)), None)
        while at is not None:
            if at.number == event.number and {file.name: file.digest for file in at.files} == contents:
                return
            at = self._records.get((task, at.prev)) if at.prev is not None else None
        raise Broken(f"what {who} reported is not in the history\n{self}")

    # What they do.

    def _attempt(
        self, name: str, line: Line, script: tuple[Files, ...], task: str, *, restores: bool, keep: int, shared: bool
    ) -> None:
        folder = self.folder / name / "ckpt"
        folder.mkdir(parents=True)
        stop, clock = threading.Event(), FakeClock()
        entries = (CheckpointEntry(str(folder), line.url, 10.0, keep=keep),)

        def report(event: Event) -> None:
            if isinstance(event, Committed):
                self._acknowledged(name, task, event)

        writer = Writer(f"run-{name}", f"run-{name}", task, 0, "here", hashlib.md5(name.encode()).hexdigest()[:8])
        settings = Settings(settle_s=0.0, at_once=1, shared=shared)
        stream = Stream(entries, writer, lambda: line, report, clock, ByteBudget(2**24), settings)
        try:
            inherited = _insist(stream.claim)
            base: dict[str, str] = {}
            if restores and inherited is not None:
                base = {file.name: self._content(file, task) or "" for file in inherited.files}
                _become(folder, base)
                stream.restored({each: Stat.of(os.stat(folder / each)) for each in base})
            for files in script[:-1]:
                if files is A_DAY:
                    clock.advance(_DAY.total_seconds())
                    self.server.now += _DAY
                    continue
                _become(folder, _look(files, base))
                _insist(lambda: stream.cycle(entries, Trigger.INTERVAL, stop), tries=1)
            _become(folder, _look(script[-1], base))
            _insist(lambda: stream.cycle(entries, Trigger.FINAL, stop), tries=6)
            stream.close()
        except Fenced as error:
            self.trace.append(f"{name} is fenced")
            if error.by.id == writer.id:
                raise Broken(f"{name} is fenced by itself\n{self}") from error
        except StoreError:
            self.trace.append(f"{name} gives up")

    def _restore(self, name: str, line: Line, folder: Path) -> None:
        try:
            outcome = restore(line, _stream(TASK), None, folder, Onlooker())
        except OsmoError:
            self.trace.append(f"{name} could not restore")
            return
        if outcome.failures:
            raise Broken(f"{name} found the newest checkpoint damaged\n{self}")
        self.trace.append(f"{name} has checkpoint {outcome.checkpoint.mark}")
        here = {path.name: _digest(path.read_bytes()) for path in folder.glob("*")}  # none, if there was none
        if here != {file.name: file.digest for file in outcome.checkpoint.files}:
            raise Broken(f"{name} restored a mixture\n{self}")


def _insist(work: Callable[[], R], tries: int = 4) -> R | None:
    """Like a saver: again after an error, but for the one that ends it. None if it was no use."""
    for number in range(tries):
        try:
            return work()
        except Fenced:
            raise
        except StoreError:
            if number == tries - 1 and tries > 1:
                raise
    return None


def _look(files: Files, base: Files) -> Files:
    rest = base if REST in files else {}
    return {
        **rest,
        **{name: base.get(name, "") if text == BASE else text for name, text in files.items() if name != REST},
    }


def _become(folder: Path, files: Files) -> None:
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            fresh = folder.parent / "fresh"
            fresh.write_text(text)
            fresh.replace(path)


def void(_: object) -> None:
    """What it gives is not of interest."""


def _stream(task: str) -> str:
    return f"{task}.ckpt"


def _digest(body: bytes) -> str:
    return blake3(body).hexdigest()
