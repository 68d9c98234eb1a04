"""Stores that behave, and sometimes do not: each wraps another store."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from osmo.errors import StoreError, Unavailable
from osmo.store.base import Object, Range, Splicing, Store, Unfinished


class Wrapper:
    """Passes everything on."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    @property
    def url(self) -> str:
        return self.inner.url

    def put(self, key: str, body: bytes) -> str:
        return self.inner.put(key, body)

    def put_new(self, key: str, body: bytes) -> str:
        return self.inner.put_new(key, body)

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
        return self.inner.put_parts(key, parts, part_size=part_size, concurrency=concurrency)

    def get(self, key: str) -> bytes:
        return self.inner.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self.inner.get_range(key, start, length)

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        return self.inner.stream(key, size)

    def head(self, key: str) -> Object:
        return self.inner.head(key)

    def list(self, prefix: str) -> Iterator[Object]:
        return self.inner.list(prefix)

    def folders(self, prefix: str) -> tuple[str, ...]:
        return self.inner.folders(prefix)

    def copy(self, source: str, key: str, size: int) -> None:
        self.inner.copy(source, key, size)

    def splices(self) -> Splicing | None:
        return self.inner.splices()

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        return self.inner.splice(key, source, parts, concurrency=concurrency)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    def excludes(self) -> bool:
        return self.inner.excludes()

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        return self.inner.unfinished(prefix)

    def abort(self, upload: Unfinished) -> None:
        self.inner.abort(upload)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of a store."""

    method: str
    key: str


class _Asking(Wrapper):
    """Calls `_before` and `_after` around each request."""

    def put(self, key: str, body: bytes) -> str:
        return self._asked("put", key, lambda: self.inner.put(key, body))

    def put_new(self, key: str, body: bytes) -> str:
        return self._asked("put_new", key, lambda: self.inner.put_new(key, body))

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
        send = self.inner.put_parts
        return self._asked("put_parts", key, lambda: send(key, parts, part_size=part_size, concurrency=concurrency))

    def get(self, key: str) -> bytes:
        self._before(Request("get", key))
        return self.inner.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        self._before(Request("get_range", key))
        return self.inner.get_range(key, start, length)

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        self._before(Request("stream", key))
        return self.inner.stream(key, size)

    def head(self, key: str) -> Object:
        self._before(Request("head", key))
        return self.inner.head(key)

    def list(self, prefix: str) -> Iterator[Object]:
        self._before(Request("list", prefix))
        return self.inner.list(prefix)

    def folders(self, prefix: str) -> tuple[str, ...]:
        self._before(Request("folders", prefix))
        return self.inner.folders(prefix)

    def copy(self, source: str, key: str, size: int) -> None:
        def write() -> str:
            self.inner.copy(source, key, size)
            return ""

        self._asked("copy", key, write)

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        return self._asked("splice", key, lambda: self.inner.splice(key, source, parts, concurrency=concurrency))

    def delete(self, key: str) -> None:
        def write() -> str:
            self.inner.delete(key)
            return ""

        self._asked("delete", key, write)

    def _asked(self, method: str, key: str, write: Callable[[], str]) -> str:
        request = Request(method, key)
        self._before(request)
        etag = write()
        self._after(request)
        return etag

    def _before(self, request: Request) -> None:
        """Called before the request is made; what it raises comes out instead."""

    def _after(self, request: Request) -> None:
        """Called after a write was applied; what it raises comes out instead."""


class Recording(_Asking):
    """Keeps what it was asked. `then`: called before each request."""

    def __init__(self, inner: Store, then: Callable[[Request], None] = lambda _: None) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self.then = then
        self.requests: list[Request] = []

    def _before(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
        self.then(request)

    def take(self) -> list[tuple[str, str]]:
        """The requests since the last call, as (method, key)."""
        with self._lock:
            taken, self.requests = self.requests, []
        return [(request.method, request.key) for request in taken]


class Flaky(_Asking):
    """Refuses the first `failures` of the requests that `which` picks, then behaves."""

    def __init__(
        self,
        inner: Store,
        failures: int,
        which: Callable[[Request], bool] = lambda _: True,
        error: Callable[[str], StoreError] = Unavailable,
    ) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self.failures = failures
        self._which = which
        self._error = error

    def _before(self, request: Request) -> None:
        with self._lock:
            if self.failures and self._which(request):
                self.failures -= 1
                raise self._error(f"{request.key}: refused for a test")


class Losing(_Asking):
    """Applies the first `losses` of the writes that `which` picks, and loses the answer."""

    def __init__(self, inner: Store, losses: int, which: Callable[[Request], bool] = lambda _: True) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self.losses = losses
        self._which = which

    def _after(self, request: Request) -> None:
        with self._lock:
            if self.losses and self._which(request):
                self.losses -= 1
                raise Unavailable(f"{request.key}: no answer, for a test")


def is_record(request: Request) -> bool:
    """Whether it writes a record of a stream's log."""
    return request.method == "put_new" and request.key.startswith(".osmo/") and "/log/" in request.key


def is_content(request: Request) -> bool:
    """Whether it sends the content of a file."""
    return request.method in ("put", "put_new", "put_parts", "splice") and not is_record(request)


class Late(_Asking):
    """Holds the `number`-th of the writes that `which` picks back. Its caller is told at once that there was no answer.

    `apply` lets it reach the store, when its caller is long gone.
    """

    def __init__(self, inner: Store, number: int = 1, which: Callable[[Request], bool] = lambda _: True) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._to_come = number
        self._which = which
        self._held: Callable[[], str] | None = None

    @property
    def holds(self) -> bool:
        return self._held is not None

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
        sent = tuple(parts)  # they are on their way before anybody knows whether an answer comes
        return super().put_parts(key, sent, part_size=part_size, concurrency=concurrency)

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        return super().splice(key, source, tuple(parts), concurrency=concurrency)

    def apply(self) -> None:
        """What the store says to it, nobody hears."""
        held, self._held = self._held, None
        assert held is not None, "nothing is held back"
        with contextlib.suppress(StoreError):
            held()

    def _asked(self, method: str, key: str, write: Callable[[], str]) -> str:
        with self._lock:
            if self._which(Request(method, key)):
                self._to_come -= 1
                if self._to_come == 0:
                    self._held = write
                    raise Unavailable(f"{key}: no answer, for a test")
        return super()._asked(method, key, write)


class Killed(BaseException):
    """The process ended here, for a test."""


class Killing(_Asking):
    """Ends its caller at the `number`-th request: before it is made, or (a write) after it was applied.

    Whatever is asked from then on meets the same end.
    """

    def __init__(self, inner: Store, number: int, *, after: bool = False) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._left = number - (0 if after else 1)

    def _before(self, request: Request) -> None:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                raise Killed(f"before {request}")

    def _after(self, request: Request) -> None:
        with self._lock:
            if self._left <= 0:
                raise Killed(f"after {request}")


class Dying(_Asking):
    """SIGKILL to its own process at the `number`-th request: before it is made, or (a write) after it was applied."""

    def __init__(self, inner: Store, number: int, *, after: bool = False) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._left = number
        self._later = after

    def _before(self, request: Request) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0 and not self._later:
                os.kill(os.getpid(), signal.SIGKILL)

    def _after(self, request: Request) -> None:
        with self._lock:
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Overwriting(Wrapper):
    """A server that ignores the condition of `put_new`."""

    def put_new(self, key: str, body: bytes) -> str:
        return self.inner.put(key, body)

    def excludes(self) -> bool:
        return False
