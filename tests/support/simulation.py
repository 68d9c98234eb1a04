"""Several writers at one store, whose requests come in any order, late, or without an answer.

The code is the product's own, from the cycle down; only the store is in memory, and one request is applied at a time.
A schedule is drawn from a seed, so one that fails can be had again.
"""

import hashlib
import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from blake3 import blake3

from osmo.checkpoint import log, tidy
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.encoding import decode
from osmo.checkpoint.epoch import Fenced
from osmo.checkpoint.events import Committed, Event
from osmo.checkpoint.manifest import Checkpoint, FileRecord, Mark, Trigger, Writer
from osmo.checkpoint.names import is_own
from osmo.checkpoint.stream import Settings, Stream
from osmo.checkpoint.tree import Stat
from osmo.errors import StoreError, Unavailable
from osmo.spec.checkpoint import CheckpointEntry
from osmo.store.base import Object, Unfinished
from support.clock import FakeClock
from support.memory import MemoryStore

R = TypeVar("R")
Files = Mapping[str, str]

STREAM = "train.ckpt"
_STUCK_S = 60.0


class Killed(BaseException):
    """The end of a writer whose turn never comes again."""


class Server(MemoryStore):
    """etag_per_write: two writes of the same bytes have different etags, as at some servers; else it is a digest."""

    def __init__(self, *, create_only: bool, etag_per_write: bool) -> None:
        super().__init__(create_only=create_only)
        self._etag_per_write = etag_per_write
        self._writes = 0

    def _store(self, key: str, body: bytes, etag: str, *, new: bool) -> str:
        self._writes += 1
        return super()._store(key, body, f"{etag}#{self._writes}" if self._etag_per_write else etag, new=new)

    def copy(self, source: str, key: str, size: int) -> None:
        super().copy(source, key, size)
        if self._etag_per_write:
            self._writes += 1
            self.etags[key] = f"copy#{self._writes}"


@dataclass(slots=True)
class _Pending:
    """A request that a writer waits for."""

    who: str
    method: str
    key: str
    apply: Callable[[], Any]
    writes: bool
    result: Any = None
    error: StoreError | None = None

    def go(self) -> None:
        try:
            self.result = self.apply()
        except StoreError as error:
            self.error = error

    def __str__(self) -> str:
        return f"{self.who}: {self.method} {self.key}{f' -> {type(self.error).__name__}' if self.error else ''}"


class _Line:
    """A store as one writer has it: each request waits until it is let through."""

    def __init__(self, actor: "Actor", server: Server) -> None:
        self._actor = actor
        self._server = server
        self.url = server.url

    def put(self, key: str, body: bytes) -> str:
        return self._ask("put", key, lambda: self._server.put(key, body), writes=True)

    def put_new(self, key: str, body: bytes) -> str:
        return self._ask("put_new", key, lambda: self._server.put_new(key, body), writes=True)

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
        whole = list(parts)
        send = self._server.put_parts
        return self._ask(
            "put_parts", key, lambda: send(key, whole, part_size=part_size, concurrency=concurrency), writes=True
        )

    def get(self, key: str) -> bytes:
        return self._ask("get", key, lambda: self._server.get(key))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self._ask("get_range", key, lambda: self._server.get_range(key, start, length))

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        yield self._ask("stream", key, lambda: self._server.get(key))

    def head(self, key: str) -> Object:
        return self._ask("head", key, lambda: self._server.head(key))

    def list(self, prefix: str) -> Iterator[Object]:
        yield from self._ask("list", prefix, lambda: [*self._server.list(prefix)])

    def folders(self, prefix: str) -> tuple[str, ...]:
        return self._ask("folders", prefix, lambda: self._server.folders(prefix))

    def copy(self, source: str, key: str, size: int) -> None:
        self._ask(f"copy {source} to", key, lambda: self._server.copy(source, key, size), writes=True)

    def delete(self, key: str) -> None:
        self._ask("delete", key, lambda: self._server.delete(key), writes=True)

    def excludes(self) -> bool:
        return self._server.excludes()

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        return iter(())

    def abort(self, upload: Unfinished) -> None:
        raise NotImplementedError

    def _ask(self, method: str, key: str, apply: Callable[[], R], *, writes: bool = False) -> R:
        return self._actor.ask(_Pending(self._actor.name, method, key, apply, writes))


class Actor:
    """Somebody who works with the store, on a thread that only runs when it is its turn."""

    def __init__(self, name: str, server: Server, work: Callable[["Actor", _Line], None]) -> None:
        self.name = name
        self.done = False
        self.crashed = False
        self.failure: BaseException | None = None
        self.pending: _Pending | None = None
        self._turn = threading.Semaphore(0)
        self._arrived = threading.Semaphore(0)
        self._lost = False
        self._killed = False
        line = _Line(self, server)
        self._thread = threading.Thread(target=self._run, args=(work, line), name=name, daemon=True)

    def start(self) -> None:
        """Let it come to its first request."""
        self._thread.start()
        self._wait()

    def go_on(self, *, lost: bool = False) -> None:
        """Its request was answered, or will never be: on to the next one."""
        self._lost = lost
        self._turn.release()
        self._wait()

    def kill(self) -> None:
        if not self.done:
            self._killed = True
            self._turn.release()
            self._thread.join(_STUCK_S)

    def ask(self, pending: _Pending) -> Any:
        if self._killed:
            raise Killed
        self.pending, self._lost = pending, False
        self._arrived.release()
        self._turn.acquire()
        if self._killed:
            raise Killed
        if self._lost:
            raise Unavailable(f"{pending.key}: no answer")
        if pending.error is not None:
            raise pending.error
        return pending.result

    def _wait(self) -> None:
        if not self._arrived.acquire(timeout=_STUCK_S):
            raise AssertionError(f"{self.name} is stuck")

    def _run(self, work: Callable[["Actor", _Line], None], line: _Line) -> None:
        try:
            work(self, line)
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  # told by the world
            self.failure = error
        self.pending = None
        self.done = True
        self._arrived.release()


@dataclass(slots=True)
class World:
    """A store, those who work with it, and what must hold after every request."""

    folder: Path
    keep: int = 1
    create_only: bool = True
    etag_per_write: bool = False
    server: Server = field(init=False)
    actors: list[Actor] = field(default_factory=list)
    late: list[_Pending] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    _records: dict[Mark, Checkpoint] = field(default_factory=dict)
    _decoded: dict[bytes, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server = Server(create_only=self.create_only, etag_per_write=self.etag_per_write)

    def writer(self, name: str, script: list[Files], *, run: str = "", restore: bool = False, keep: int = 0) -> None:
        """One attempt: its folder looks like each of the script's entries in turn; then it ends.

        restore: it begins with the files of the newest checkpoint.
        """

        def work(actor: Actor, line: _Line) -> None:
            self._attempt(actor, line, script, run or f"run-{name}", restore=restore, keep=keep or self.keep)

        self.actors.append(Actor(name, self.server, work))

    def pruner(self, name: str, keep: int) -> None:
        """A person who removes what is not needed for `keep` checkpoints."""

        def work(_: Actor, line: _Line) -> None:
            tidy.remove(line, tidy.find(line, log.Reader(STREAM, 1), keep), 1)

        self.actors.append(Actor(name, self.server, work))

    def run(self, rng: random.Random, losses: int = 0, crashes: int = 0, most: int = 2000) -> None:
        """Let them work in an order that is drawn from `rng`. losses, crashes: how many answers get lost, and how many
        of the actors stop for ever, at most."""
        stick = rng.choice((0.0, 0.5, 0.8, 0.95))
        last: Actor | None = None
        try:
            for actor in self.actors:
                actor.start()
            for _ in range(most):
                ready = [actor for actor in self.actors if not actor.done and not actor.crashed]
                if not ready and not self.late:
                    break
                if self.late and (not ready or rng.random() < 0.15):
                    self._apply(self.late.pop(rng.randrange(len(self.late))))
                    continue
                actor = last if last in ready and rng.random() < stick else rng.choice(ready)
                assert actor is not None
                last = actor
                assert actor.pending is not None
                if crashes and rng.random() < 0.03:
                    crashes -= 1
                    actor.crashed = True
                    if rng.random() < 0.5 and actor.pending.writes:
                        self.late.append(actor.pending)
                    self.trace.append(f"{actor.name} crashes")
                elif losses and actor.pending.writes and rng.random() < 0.15:
                    losses -= 1
                    pending = actor.pending
                    self.trace.append(f"{pending}: no answer")
                    if rng.random() < 0.8:
                        self.late.append(pending)
                    actor.go_on(lost=True)
                else:
                    self._apply(actor.pending)
                    actor.go_on()
                self._check_failures()
            else:
                raise AssertionError("it does not end")
        finally:
            for actor in self.actors:
                actor.kill()

    def end(self) -> None:
        """Nobody runs any more: one more writer goes on from what is there, then somebody prunes. Nothing is left over,
        and the plain files are those of the newest checkpoint."""
        self.actors, self.late = [], []
        self.writer("janitor", [{"janitor": f"j{number}"} for number in range(self.keep + 2)], restore=True)
        self.run(random.Random(0))
        self.actors = []
        self.pruner("after all", self.keep)
        self.run(random.Random(0))
        kept = self._kept()
        named = {file.place for checkpoint in kept for file in checkpoint.files}
        for key in self.server.objects:
            assert "/objects/" not in key or key in named, f"left over: {key}\n{self}"
            if "/old/" in key:
                digest = key.rpartition("/")[2].partition(".")[0]
                assert any(file.digest == digest for each in kept for file in each.files), f"left over: {key}\n{self}"
        for file in kept[-1].files:
            plain = self.server.objects[f"ckpt/{file.name}"]
            assert blake3(plain).hexdigest() == file.digest, f"the plain file of {file.name} is another\n{self}"

    def __str__(self) -> str:
        return "\n".join(self.trace)

    def _apply(self, pending: _Pending) -> None:
        pending.go()
        self.trace.append(str(pending))
        if pending.writes and pending.error is None:
            self._check()

    def _check(self) -> None:
        """Every checkpoint that is kept can be restored."""
        for checkpoint in self._kept():
            self._records[checkpoint.mark] = checkpoint
            for file in checkpoint.files:
                assert self._restorable(file), f"{file.name} of checkpoint {checkpoint.mark} is lost\n{self}"

    def _check_failures(self) -> None:
        for actor in self.actors:
            if actor.failure is not None:
                raise AssertionError(f"{actor.name} failed\n{self}") from actor.failure

    def _kept(self) -> list[Checkpoint]:
        records = []
        for key, body in self.server.objects.items():
            if key.startswith(f".osmo/{STREAM}/log/"):
                if body not in self._decoded:
                    self._decoded[body] = decode(body)
                records.append(self._decoded[body])
        return log.kept(records, self.keep)

    def _restorable(self, file: FileRecord) -> bool:
        objects = self.server.objects
        places = [file.place]
        if not is_own(file.place):
            places += [key for key in objects if key.startswith(f".osmo/{STREAM}/old/{file.digest}.")]
        return any(place in objects and _digest(objects[place]) == file.digest for place in places)

    def _attempt(self, actor: Actor, line: _Line, script: list[Files], run: str, *, restore: bool, keep: int) -> None:
        folder = self.folder / actor.name / "ckpt"
        folder.mkdir(parents=True)
        stop = threading.Event()
        entries = (CheckpointEntry(str(folder), line.url, 10.0, keep=keep),)

        def report(event: Event) -> None:
            if isinstance(event, Committed):
                self._acknowledged(actor.name, event)

        writer = Writer(run, run, "train", 0, "here", hashlib.md5(actor.name.encode()).hexdigest()[:8])
        settings = Settings(settle_s=0.0, at_once=1)
        stream = Stream(entries, writer, lambda: line, report, FakeClock(), ByteBudget(2**24), settings)
        try:
            inherited = _insist(stream.claim)
            base: dict[str, str] = {}
            if restore and inherited is not None:
                base = {file.name: self._content(file) for file in inherited.files}
                _become(folder, base)
                stream.restored({name: Stat.of(os.stat(folder / name)) for name in base})
            for number, files in enumerate(script):
                _become(folder, {name: base.get(name, "") if text == "BASE" else text for name, text in files.items()})
                last = number == len(script) - 1
                trigger = Trigger.FINAL if last else Trigger.INTERVAL
                _insist(lambda trigger=trigger: stream.cycle(entries, trigger, stop), tries=6 if last else 1)  # type: ignore[misc]
            stream.close()
        except Fenced:
            self.trace.append(f"{actor.name} is fenced")
        except StoreError:
            self.trace.append(f"{actor.name} gives up")

    def _content(self, file: FileRecord) -> str:
        objects = self.server.objects
        return next(body.decode() for body in objects.values() if _digest(body) == file.digest)

    def _acknowledged(self, who: str, event: Committed) -> None:
        """What a writer reports as committed is the newest checkpoint, or one that it goes back to."""
        self.trace.append(f"{who} reports checkpoint {event.number}")
        contents = {name: saved.record.digest for name, saved in event.saved.items()}
        at: Checkpoint | None = self._kept()[-1]
        while at is not None:
            if at.number == event.number and {file.name: file.digest for file in at.files} == contents:
                return
            at = self._records.get(at.prev) if at.prev is not None else None
        raise AssertionError(f"what {who} reported is not in the history\n{self}")


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


def _digest(body: bytes) -> str:
    return blake3(body).hexdigest()
