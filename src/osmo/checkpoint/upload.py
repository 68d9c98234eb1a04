"""One file into the store: opened once, stat before and after, hashed in the pass of the upload."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from blake3 import blake3

from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.diff import Saved
from osmo.checkpoint.key import key_of
from osmo.checkpoint.lease import open_for_writing
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.meter import Flow, Meter
from osmo.checkpoint.names import Names, is_own
from osmo.checkpoint.parts import SMALLEST_PART, Cut, cut
from osmo.checkpoint.tree import Stat, Tree
from osmo.checkpoint.window import Passage, Window
from osmo.errors import AlreadyExists, FileMoved, NoCopy, NotFound, Unavailable
from osmo.store.base import Store
from osmo.store.keys import check_key


@dataclass(frozen=True, slots=True)
class Uploader:
    """Sends files of one tree to one store. Many threads share one.

    names, number: what they may be called there, and the record that will name them. same_size: records of the base, by
    the size of their content. doubt: told when a request that writes got no answer.
    """

    store: Store
    tree: Tree
    prefix: str
    budget: ByteBudget
    meter: Meter
    flow: Flow
    window: Window
    names: Names
    number: int
    same_size: Mapping[int, Sequence[FileRecord]]
    doubt: Callable[[], None]

    def __call__(self, name: str, stat: Stat, known: FileRecord | None, *, last_chance: bool = False) -> Saved:
        """See that the file's content is in the store: sent, unless it is that of `known` or of another file there.

        stat: how it looked when it was found at rest. last_chance: nobody should write any more, and there is no later:
        if somebody does, the bytes that were read are taken, and marked.
        Raises FileMoved if it is not at rest after all; OSError if it cannot be read; StoreError, also for a name that
        can be no plain file's.
        """
        check_key(key_of(self.prefix, name), self.store.url)
        with self.tree.open(name) as descriptor:
            found = Stat.of(os.fstat(descriptor))
            if found != stat and not last_chance:
                raise FileMoved(f"{name} changed while it was looked at")
            unsure = open_for_writing(descriptor)
            try:
                record = self._already_there(descriptor, name, found, known)
                if record is not None:
                    self.meter.expect(-stat.size)
                    return Saved(found, record, unsure)
                self.meter.sending(self.tree.path(name))
                self.meter.expect(found.size - stat.size)
                saved = self._send(_Reader(descriptor, found, name, tolerant=last_chance))
            except Unavailable:
                self.doubt()
                raise
        self.meter.stored()
        self.flow.stored(name)
        return replace(saved, unsure=unsure)

    def resend(self, file: FileRecord, key: str) -> bool:
        """Write the content of a record to another key, if the local file still has it. Whether it had."""
        try:
            with self.tree.open(file.name) as descriptor:
                found = Stat.of(os.fstat(descriptor))
                if found.size != file.size or self._digest(descriptor, file.name) != file.digest:
                    return False
                os.lseek(descriptor, 0, os.SEEK_SET)
                self._put(_Reader(descriptor, found, file.name, tolerant=False), key)
        except (OSError, FileMoved):
            return False
        return True

    def _already_there(self, descriptor: int, name: str, found: Stat, known: FileRecord | None) -> FileRecord | None:
        """The record of the file if its content is in the store. Else None, and nothing of the file was read."""
        candidates = [*([known] if known is not None else []), *self.same_size.get(found.size, ())]
        candidates = [each for each in candidates if each.size == found.size and not each.torn_possible]
        if not candidates:
            return None
        digest = self._digest(descriptor, name)
        if Stat.of(os.fstat(descriptor)) == found:
            for twin in candidates:
                if twin.digest == digest and (place := self._reached(twin, name)) is not None:
                    return _record(name, found, digest, *place)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return None

    def _reached(self, twin: FileRecord, name: str) -> tuple[str, str] | None:
        """Where the content of `twin` can be named from by another file too, and its etag there.

        A plain file belongs to its own name alone, so the server copies it. Only afterwards it is asked whether that
        was what the record says: another stream may write there at any time.
        """
        if twin.name == name or is_own(twin.place):
            return twin.place, twin.etag
        place = self.names.object(self.number)
        try:
            self.store.copy(twin.place, place, twin.size)
            if self.store.head(twin.place).etag != twin.etag:
                return None
            return place, self.store.head(place).etag
        except (NotFound, NoCopy):
            return None

    def _digest(self, descriptor: int, name: str) -> str:
        hasher, done = blake3(), 0
        while data := os.read(descriptor, SMALLEST_PART):
            hasher.update(data)
            if done:  # a large file: whoever waits for the last checkpoint should see that it goes on
                self.flow.reached(f"digest of {name}", done)
            done += len(data)
        return hasher.hexdigest()

    def _send(self, file: "_Reader") -> Saved:
        """Straight to the plain file if that is allowed, else to an object of its own."""
        place = key_of(self.prefix, file.name)
        etag = self._send_directly(file, place) if self.names.takes_directly(place) else None
        if etag is None:
            file.rewind()
            place = self.names.object(self.number)
            etag = self._put(file, place)
        record = _record(file.name, file.stat, file.digest, place, etag, size=file.size, torn=file.moved)
        return Saved(file.stat, record)

    def _send_directly(self, file: "_Reader", key: str) -> str | None:
        """The etag of the plain file; None if there is something already."""
        try:
            etag = self._put(file, key, new=True)
        except AlreadyExists:
            return None
        except FileMoved:  # nothing of it became visible, nor will
            self.names.release(key)
            raise
        if file.size <= SMALLEST_PART or self._lies_at(key, etag):
            return etag
        self.meter.sent(-file.size)
        return None

    def _lies_at(self, key: str, etag: str) -> bool:
        try:
            return self.store.head(key).etag == etag
        except NotFound:
            return False

    def _put(self, file: "_Reader", key: str, *, new: bool = False) -> str:
        """new: create-only, where the size allows it."""
        size = file.stat.size
        if size <= SMALLEST_PART:
            with self.budget.taken(size):
                body = b"".join(file.parts(SMALLEST_PART))
                begun = self.window.begun()
                etag = self.store.put_new(key, body) if new else self.store.put(key, body)
                self.window.arrived(len(body), begun)
                self.meter.sent(len(body))
                return etag
        how = self.window.narrowed(cut(size, self.budget.total))
        with self.budget.taken(how.memory):
            return self._put_parts(file, key, how)

    def _put_parts(self, file: "_Reader", key: str, how: Cut) -> str:
        counted = 0
        passage = Passage(self.window, how.at_once)

        def parts() -> Iterator[bytes]:
            nonlocal counted
            for part in file.parts(how.part_size):
                passage.begin(len(part))
                yield part
                self.meter.sent(len(part))
                counted += len(part)
                self.flow.reached(file.name, counted)

        try:
            etag = self.store.put_parts(key, parts(), part_size=how.part_size, concurrency=how.at_once)
            passage.end()
            return etag
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

    def rewind(self) -> None:
        """Read it from the beginning."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.size, self._hasher = 0, blake3()

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
