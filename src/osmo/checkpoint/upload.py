"""One file into the store: opened once, stat before and after, hashed in the pass of the upload."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from blake3 import blake3

from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.diff import Saved
from osmo.checkpoint.key import key_of
from osmo.checkpoint.lease import open_for_writing
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.meter import Flow, Meter
from osmo.checkpoint.parts import SMALLEST_PART, Cut, cut
from osmo.checkpoint.tree import Stat, Tree
from osmo.errors import FileMoved
from osmo.store.base import Store


@dataclass(frozen=True, slots=True)
class Uploader:
    """Sends files of one tree to one store. Many threads share one."""

    store: Store
    tree: Tree
    prefix: str
    budget: ByteBudget
    meter: Meter
    flow: Flow

    def __call__(self, name: str, stat: Stat, known: FileRecord | None, *, last_chance: bool = False) -> Saved:
        """Put the file where it belongs, if its content is not that of `known` already.

        stat: how it looked when it was found at rest. last_chance: nobody should write any more, and there is no later:
        if somebody does, the bytes that were read are taken, and marked.
        Raises FileMoved if it is not at rest after all; OSError if it cannot be read; StoreError.
        """
        with self.tree.open(name) as descriptor:
            found = Stat.of(os.fstat(descriptor))
            if found != stat and not last_chance:
                raise FileMoved(f"{name} changed while it was looked at")
            unsure = open_for_writing(descriptor)
            if known is not None and known.size == found.size and not known.torn_possible:
                digest = self._digest(descriptor, name)
                if digest == known.digest and Stat.of(os.fstat(descriptor)) == found:
                    self.meter.expect(-stat.size)
                    return Saved(found, _record(name, found, known.digest, known.place, known.etag), unsure)
                os.lseek(descriptor, 0, os.SEEK_SET)
            self.meter.sending(self.tree.path(name))
            self.meter.expect(found.size - stat.size)
            file = _Reader(descriptor, found, name, tolerant=last_chance)
            saved = replace(self._send(file, key_of(self.prefix, name)), unsure=unsure)
        self.meter.stored()
        self.flow.stored(name)
        return saved

    def _digest(self, descriptor: int, name: str) -> str:
        hasher, done = blake3(), 0
        while data := os.read(descriptor, SMALLEST_PART):
            hasher.update(data)
            if done:  # a large file: whoever waits for the last checkpoint should see that it goes on
                self.flow.reached(f"digest of {name}", done)
            done += len(data)
        return hasher.hexdigest()

    def _send(self, file: "_Reader", key: str) -> Saved:
        size = file.stat.size
        if size <= SMALLEST_PART:
            with self.budget.taken(size):
                body = b"".join(file.parts(SMALLEST_PART))
                etag = self.store.put(key, body)
                self.meter.sent(len(body))
        else:
            how = cut(size, self.budget.total)
            with self.budget.taken(how.memory):
                etag = self._send_parts(file, key, how)
        record = _record(file.name, file.stat, file.digest, key, etag, size=file.size, torn=file.moved)
        return Saved(file.stat, record)

    def _send_parts(self, file: "_Reader", key: str, how: Cut) -> str:
        counted = 0

        def parts() -> Iterator[bytes]:
            nonlocal counted
            for part in file.parts(how.part_size):
                yield part
                self.meter.sent(len(part))
                counted += len(part)
                self.flow.reached(file.name, counted)

        try:
            return self.store.put_parts(key, parts(), part_size=how.part_size, concurrency=how.at_once)
        except BaseException:
            self.meter.sent(-counted)
            raise


class _Reader:
    """One pass over an open file in parts of a given size; `digest` and `size` are known at the end."""

    def __init__(self, descriptor: int, stat: Stat, name: str, *, tolerant: bool) -> None:
        self.name = name
        self.stat = stat
        self.size = 0
        self.moved = False
        self._descriptor = descriptor
        self._tolerant = tolerant
        self._hasher = blake3()

    @property
    def digest(self) -> str:
        return self._hasher.hexdigest()

    def parts(self, part_size: int) -> Iterator[bytes]:
        """Parts of exactly `part_size` bytes, the last one shorter. Raises FileMoved as soon as the stat changes."""
        while self.size < self.stat.size:
            part = _read(self._descriptor, min(part_size, self.stat.size - self.size))
            self._check()
            if not part:  # cut short, and `tolerant`
                return
            self._hasher.update(part)
            self.size += len(part)
            yield part
        self._check()

    def _check(self) -> None:
        if Stat.of(os.fstat(self._descriptor)) != self.stat:
            if not self._tolerant:
                raise FileMoved(f"{self.name} changed while it was read")
            self.moved = True


def _read(descriptor: int, count: int) -> bytes:
    """`count` bytes, fewer only at the end of the file."""
    data = os.read(descriptor, count)
    if len(data) == count or not data:
        return data
    pieces = [data]
    while (missing := count - sum(map(len, pieces))) and (data := os.read(descriptor, missing)):
        pieces.append(data)
    return b"".join(pieces)


def _record(
    name: str, stat: Stat, digest: str, place: str, etag: str, *, size: int | None = None, torn: bool = False
) -> FileRecord:
    return FileRecord(
        name=name,
        size=stat.size if size is None else size,
        mode=stat.mode,
        mtime_ns=stat.mtime_ns,
        digest=digest,
        place=place,
        etag=etag,
        torn_possible=torn,
    )
