"""Local files into a store."""

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from osmo.clock import Clock, SystemClock
from osmo.errors import FileMoved, StoreError
from osmo.store.base import Store
from osmo.transfer.run import Done, Progress, Report, each
from osmo.transfer.walk import Source

MIB = 1024 * 1024
SMALLEST_PART = 8 * MIB
_MOST_PARTS = 9_000
_PARTS_AT_ONCE = 4
AT_ONCE = 16


def part_size(size: int) -> int:
    """Of every part but the last: whole MiB, so that a file fits into 10,000 of them."""
    return max(SMALLEST_PART, -(-size // _MOST_PARTS // MIB) * MIB)


def upload(
    store: Store,
    sources: Iterable[Source],
    *,
    at_once: int = AT_ONCE,
    progress: Progress = lambda _path, _size: None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Send each file to its key. A file that changes while it is read is not stored: it is tried again, then reported.

    progress: told of a file's path and of bytes that were handed over, negative where they have to go again.
    """

    def send(source: Source) -> Done:
        if source.problem:
            raise StoreError(f"{source.path}: {source.problem}")
        return Done(_send(store, source, progress))

    def name(source: Source) -> str:
        return str(source.path)

    return each(sources, send, name, at_once=at_once, clock=clock or SystemClock(), stop=stop)


def _send(store: Store, source: Source, progress: Progress) -> int:
    with open(os.open(source.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        before = os.fstat(file.fileno())
        sent = 0

        def parts() -> Iterator[bytes]:
            nonlocal sent
            for part in _read(file, source.path, before):
                sent += len(part)
                progress(str(source.path), len(part))
                yield part

        try:
            if before.st_size <= SMALLEST_PART:
                store.put(source.key, b"".join(parts()))
            else:
                store.put_parts(source.key, parts(), part_size=part_size(before.st_size), concurrency=_PARTS_AT_ONCE)
        except BaseException:
            progress(str(source.path), -sent)
            raise
    return sent


def _read(file: BinaryIO, path: Path, before: os.stat_result) -> Iterator[bytes]:
    """The file in parts, as long as it is the one that it was. Raises FileMoved."""
    step, left = part_size(before.st_size), before.st_size
    while left > 0:
        part = file.read(min(step, left))
        left -= len(part)
        now = os.fstat(file.fileno())
        if not part or (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise FileMoved(f"{path}: it changed while it was read")
        yield part
