"""Work with a store in which one request is applied at a time, and somebody else decides whose is the next."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from osmo.errors import StoreError, Unavailable
from osmo.store.base import Object, Range, Splicing, Unfinished
from support.memory import MemoryStore

R = TypeVar("R")

_STUCK_S = 60.0


class Killed(BaseException):
    """The end of somebody whose turn never comes again."""


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
class Pending:
    """A request that somebody waits for."""

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


class Line:
    """A store as one actor has it: each request waits until it is let through."""

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

    def splices(self) -> Splicing | None:
        return self._server.splices()

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        """Two requests, between which the source may change or go: the parts, then the end of the upload."""
        whole = list(parts)

        def copy() -> list[bytes]:
            return [each if isinstance(each, bytes) else self._server._range(source, each) for each in whole]

        got = self._ask(f"copy ranges of {source.key} for", key, copy)
        return self._ask(
            "splice", key, lambda: self._server.splice(key, source, got, concurrency=concurrency), writes=True
        )

    def delete(self, key: str) -> None:
        self._ask("delete", key, lambda: self._server.delete(key), writes=True)

    def excludes(self) -> bool:
        return self._server.excludes()

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        return iter(())

    def abort(self, upload: Unfinished) -> None:
        raise NotImplementedError

    def _ask(self, method: str, key: str, apply: Callable[[], R], *, writes: bool = False) -> R:
        return self._actor.ask(Pending(self._actor.name, method, key, apply, writes))


class Actor:
    """Somebody who works with the store, on a thread that only runs when it is its turn.

    pending: the request that it waits for. done: it has none any more. crashed: its turn will never come again.
    failure: what ended it, if that was an error.
    """

    def __init__(self, name: str, server: Server, work: Callable[["Actor", Line], None]) -> None:
        self.name = name
        self.done = False
        self.crashed = False
        self.failure: BaseException | None = None
        self.pending: Pending | None = None
        self._one = threading.Lock()
        self._turn = threading.Semaphore(0)
        self._arrived = threading.Semaphore(0)
        self._lost = False
        self._killed = False
        line = Line(self, server)
        self._thread = threading.Thread(target=self._run, args=(work, line), name=name, daemon=True)

    @property
    def ready(self) -> bool:
        """Whether it waits for its turn."""
        return not self.done and not self.crashed

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

    def ask(self, pending: Pending) -> Any:
        """Wait for the answer to a request; of several threads, one at a time. Raises Unavailable if it got lost."""
        with self._one:
            if self._killed:
                raise Killed
            self.pending, self._lost = pending, False
            self._arrived.release()
            self._turn.acquire()
            if self._killed:
                raise Killed
            lost = self._lost
        if lost:
            raise Unavailable(f"{pending.key}: no answer")
        if pending.error is not None:
            raise pending.error
        return pending.result

    def _wait(self) -> None:
        if not self._arrived.acquire(timeout=_STUCK_S):
            raise AssertionError(f"{self.name} is stuck")

    def _run(self, work: Callable[["Actor", Line], None], line: Line) -> None:
        try:
            work(self, line)
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  # told by the world
            self.failure = error
        self.pending = None
        self.done = True
        self._arrived.release()
