"""One file into the store: opened once, hashed in the pass of the upload."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from osmo.checkpoint.blocks import Shelf
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.key import key_of
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.meter import Flow, Meter
from osmo.checkpoint.names import Names, is_own
from osmo.checkpoint.opener import Opener
from osmo.checkpoint.parts import SMALLEST_PART, WHOLE, Cut, cut
from osmo.checkpoint.reader import Reader
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.splice import Splicer
from osmo.checkpoint.throttle import Throttle
from osmo.checkpoint.tree import Stat
from osmo.checkpoint.window import Passage, Window
from osmo.errors import AlreadyExists, FileMoved, NoCopy, NotFound, StoreError, Unavailable
from osmo.store.base import Store
from osmo.store.keys import check_key


@dataclass(frozen=True, slots=True)
class Uploader:
    """Sends files of one tree to one store. Many threads share one.

    names, number: what they may be called there, and the record that will name them. same_size: records of the base, by
    the size of their content. doubt: told when a request that writes got no answer. shelf: of the blocks of files.
    throttle: asked how many parts of a file may be under way at once.
    """

    store: Store
    opener: Opener
    prefix: str
    budget: ByteBudget
    meter: Meter
    flow: Flow
    window: Window
    names: Names
    number: int
    same_size: Mapping[int, Sequence[FileRecord]]
    doubt: Callable[[], None]
    shelf: Shelf
    throttle: Throttle

    def __call__(self, name: str, stat: Stat, known: FileRecord | None, *, last_chance: bool = False) -> Saved:
        """See that the file's content is in the store: sent, unless it is that of `known` or of another file there.

        stat: how it looked when it was found at rest. last_chance: nobody should write any more, and there is no later:
        if somebody does, the bytes that were read are taken, and marked.
        Raises FileMoved if it is not at rest after all; OSError if it cannot be read; StoreError, also for a name that
        can be no plain file's.
        """
        check_key(key_of(self.prefix, name), self.store.url)
        with self.opener(name, stat, known, last_chance=last_chance) as file:
            file.gathers = self._splicer.wants(file)
            try:
                record = self._already_there(file, known)
                if record is not None:
                    self.meter.expect(-stat.size)
                    return Saved(file.looks, record, file.unsure)
                self.meter.sending(self.opener.tree.path(name))
                self.meter.expect(file.size - stat.size)
                saved = Saved(file.looks, self._send(file, None if last_chance else known), file.unsure)
            except Unavailable:
                self.doubt()
                raise
        self.meter.stored()
        self.flow.stored(name)
        return saved

    def resend(self, file: FileRecord, key: str) -> bool:
        """Write the content of a record to another key, if the local file still has it. Whether it had."""
        try:
            stat = self.opener.tree.stat(file.name)
            if stat is None or stat.size != file.size:
                return False
            with self.opener(file.name, stat, file, last_chance=False) as reader:
                if self._digest(reader) != file.digest:
                    return False
                self._put(reader, key)
        except (OSError, FileMoved):
            return False
        return True

    def _already_there(self, file: Reader, known: FileRecord | None) -> FileRecord | None:
        """The record of the file if its content is in the store."""
        if known is not None and file.is_known:
            return replace(known, deferred=False)
        candidates = [*([known] if known is not None else []), *self.same_size.get(file.size, ())]
        candidates = [each for each in candidates if each.size == file.size and not each.torn_possible]
        if not candidates:
            return None
        digest = self._digest(file)
        for twin in candidates if not file.torn else ():
            if twin.digest == digest and (place := self._reached(twin, file.name)) is not None:
                return replace(_record(file, *place), blocks=twin.blocks)
        return None

    def _reached(self, twin: FileRecord, name: str) -> tuple[str, str] | None:
        """Where the content of `twin` can be named from by another file too, and its etag there.

        A plain file belongs to its own name alone, so the server copies it. Only afterwards it is asked whether that
        was what the record says: another stream may write there at any time.
        """
        if twin.name == name or is_own(twin.place):
            return twin.place, twin.etag
        place = self._object()
        try:
            self.store.copy(twin.place, place, twin.size)
            if self.store.head(twin.place).etag != twin.etag:
                return None
            return place, self.store.head(place).etag
        except (NotFound, NoCopy):
            return None

    def _digest(self, file: Reader) -> str:
        file.read_through(SMALLEST_PART, self.flow.reached)
        return file.digest

    def _send(self, file: Reader, known: FileRecord | None) -> FileRecord:
        """What of it is not in `known`, if that is worth it; else all."""
        place = self._splicer(file, known, self._object) if known is not None and not known.torn_possible else None
        return self._with_blocks(file, _record(file, *(place or self._send_whole(file))))

    def _send_whole(self, file: Reader) -> tuple[str, str]:
        """Straight to the plain file if that is allowed, else to an object of its own. Its key and etag."""
        place = key_of(self.prefix, file.name)
        etag = self._send_directly(file, place) if self.names.takes_directly(place) else None
        if etag is None:
            place = self._object()
            etag = self._put(file, place)
        return place, etag

    def _with_blocks(self, file: Reader, record: FileRecord) -> FileRecord:
        """The record, naming the digests of the file's blocks, if they got into the store: they are only a help."""
        if (blocks := file.blocks) is None or self.window.left_s <= 0:
            return record
        key = self._object()
        try:
            self.shelf.put(self.store, key, blocks)
        except StoreError as error:
            if isinstance(error, Unavailable):
                self.doubt()
            return record
        return replace(record, blocks=key)

    def _object(self) -> str:
        return self.names.object(self.number)

    @property
    def _splicer(self) -> Splicer:
        return Splicer(self.store, self.shelf, self.budget, self.meter, self.flow, self.window, self.throttle)

    def _send_directly(self, file: Reader, key: str) -> str | None:
        """The etag of the plain file; None if there is something already."""
        try:
            etag = self._put(file, key, new=True)
        except AlreadyExists:
            return None
        except FileMoved:  # nothing of it became visible, nor will
            self.names.release(key)
            raise
        if file.size <= WHOLE or self._lies_at(key, etag):
            return etag
        self.meter.sent(-file.size)
        return None

    def _lies_at(self, key: str, etag: str) -> bool:
        try:
            return self.store.head(key).etag == etag
        except NotFound:
            return False

    def _put(self, file: Reader, key: str, *, new: bool = False) -> str:
        """new: create-only, where the size allows it."""
        size = file.size
        if size <= WHOLE:
            with self.budget.taken(size):
                body = b"".join(file.parts(WHOLE))
                begun = self.window.begun()
                etag = self.store.put_new(key, body) if new else self.store.put(key, body)
                self.window.arrived(len(body), begun)
                self.meter.sent(len(body))
                return etag
        how = self.throttle.narrowed(self.window.narrowed(cut(size, self.budget.total)))
        with self.budget.taken(how.memory):
            return self._put_parts(file, key, how)

    def _put_parts(self, file: Reader, key: str, how: Cut) -> str:
        counted = 0
        passage = Passage(self.window, how.at_once)

        def parts() -> Iterator[bytes]:
            nonlocal counted
            for number, part in enumerate(file.parts(how.part_size)):
                passage.begin(len(part))
                if number > how.at_once:
                    self.throttle.went_well()  # one of those before is through, else nobody would ask for this one
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


def _record(file: Reader, place: str, etag: str) -> FileRecord:
    return FileRecord(
        name=file.name,
        size=file.size,
        mode=file.stat.mode,
        mtime_ns=file.stat.mtime_ns,
        digest=file.digest,
        place=place,
        etag=etag,
        torn_possible=file.torn,
        live=file.live,
    )
