"""A cap on how fast bytes go up, shared by all stores that were given it."""

import re
import threading
from collections.abc import Iterable, Iterator, Sized
from typing import Final, TypeVar

from osmo.clock import Clock, SystemClock
from osmo.store.base import Object, Range, Splicing, Store, Unfinished

P = TypeVar("P", bound=Sized)

_BURST_S = 0.25


_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?(?:/s|ps)?", re.IGNORECASE)


def rate(text: str) -> int:
    """`200MiB/s`, `1.5GB/s`, `500k`: bytes a second. `ValueError` says what is accepted."""
    match = _RATE.fullmatch(text.strip())
    found = int(float(match[1]) * _UNITS[(match[2] or "").lower()]) if match else 0
    if found < 1:
        raise ValueError(f"{text!r} is not a bandwidth (accepted: 200MiB/s, 1.5GB/s, 500k)")
    return found


class Bandwidth:
    """`rate` bytes a second over all that share it, 0 for no limit. Safe to use from many threads.

    Nobody is late for what was saved up: after a pause at most a quarter of a second's bytes go at once.
    """

    def __init__(self, rate: int, clock: Clock | None = None) -> None:
        self.rate = rate
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._lifted = threading.Event()

    def take(self, size: int) -> None:
        """Wait until `size` bytes may go."""
        if not self.rate or self._lifted.is_set():
            return
        with self._lock:
            now = self._clock.monotonic()
            begin = max(self._free_at, now - _BURST_S)
            self._free_at = begin + size / self.rate
            wait_s = self._free_at - now
        if wait_s > 0:
            self._clock.wait(self._lifted, wait_s)

    def lift(self) -> None:
        """No cap any more, for whoever waits now as well: the machine is about to go."""
        self._lifted.set()


class Limited:
    """A store whose writes keep to a bandwidth; what is read does not. See `Store`."""

    def __init__(self, inner: Store, bandwidth: Bandwidth) -> None:
        self._inner, self._bandwidth = inner, bandwidth

    @property
    def url(self) -> str:
        return self._inner.url

    def put(self, key: str, body: bytes) -> str:
        self._bandwidth.take(len(body))
        return self._inner.put(key, body)

    def put_new(self, key: str, body: bytes) -> str:
        self._bandwidth.take(len(body))
        return self._inner.put_new(key, body)

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
        return self._inner.put_parts(key, self._slowly(parts), part_size=part_size, concurrency=concurrency)

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        return self._inner.splice(key, source, self._slowly(parts), concurrency=concurrency)

    def _slowly(self, parts: Iterable[P]) -> Iterator[P]:
        for part in parts:
            if not isinstance(part, Range):  # those the server copies
                self._bandwidth.take(len(part))
            yield part

    def splices(self) -> Splicing | None:
        return self._inner.splices()

    def get(self, key: str) -> bytes:
        return self._inner.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self._inner.get_range(key, start, length)

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        return self._inner.stream(key, size)

    def head(self, key: str) -> Object:
        return self._inner.head(key)

    def list(self, prefix: str) -> Iterator[Object]:
        return self._inner.list(prefix)

    def folders(self, prefix: str) -> tuple[str, ...]:
        return self._inner.folders(prefix)

    def copy(self, source: str, key: str, size: int) -> None:
        self._inner.copy(source, key, size)

    def delete(self, key: str) -> None:
        self._inner.delete(key)

    def excludes(self) -> bool:
        return self._inner.excludes()

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        return self._inner.unfinished(prefix)

    def abort(self, upload: Unfinished) -> None:
        self._inner.abort(upload)
