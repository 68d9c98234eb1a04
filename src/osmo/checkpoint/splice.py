"""A large file that changed, put together in the store from what lies there and what is new."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from osmo.checkpoint import blocks
from osmo.checkpoint.blocks import Blocks, Shelf, digests
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.delta import Plan, plan
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.meter import Flow, Meter
from osmo.checkpoint.parts import SMALLEST_PART, cut_into
from osmo.checkpoint.reader import Reader
from osmo.checkpoint.throttle import Throttle
from osmo.checkpoint.window import OutOfTime, Window
from osmo.errors import FileMoved, NoCopy, NotFound
from osmo.store.base import Object, Range, Splicing, Store

_TAIL = 4096  # bytes of what is copied that are compared


@dataclass(frozen=True, slots=True)
class Splicer:
    """Sends what changed of files whose earlier content is in the store. Many threads share one."""

    store: Store
    shelf: Shelf
    budget: ByteBudget
    meter: Meter
    flow: Flow
    window: Window
    throttle: Throttle

    def wants(self, file: Reader) -> bool:
        """Whether the blocks of this file are worth to be known: it, or what comes after it, may be spliced."""
        return file.size >= blocks.LEAST and self.store.splices() is not None

    def __call__(self, file: Reader, known: FileRecord, name: Callable[[], str]) -> tuple[str, str] | None:
        """Write the file's content to a key of that `name`, with what is the same in `known` copied there by the store.
        The key and its etag.

        None if that is not worth it, or not possible: nothing of use is at the key then. Raises FileMoved, StoreError;
        OSError if it cannot be read.
        """
        how = self.store.splices()
        old = self.shelf.of(self.store, known) if file.gathers and how is not None else None
        new = self._blocks(file) if old is not None else None
        if old is None or new is None:
            return None
        that = plan(new.same(old), new.size, blocks.BLOCK, equal=how is Splicing.EQUAL)
        if that is None:
            return None
        source, key = Object(known.place, known.size, known.etag), name()
        try:
            return key, self._splice(file, new, that, source, key)
        except (NoCopy, NotFound):
            return None

    def _blocks(self, file: Reader) -> Blocks | None:
        """The file's, which is read for that unless it was already."""
        if file.blocks is None:
            file.read_through(SMALLEST_PART, self.flow.reached)
        return file.blocks

    def _splice(self, file: Reader, new: Blocks, that: Plan, source: Object, key: str) -> str:
        how = self.throttle.narrowed(self.window.narrowed(cut_into(that.grid, new.size, self.budget.total)))
        sent = copied = 0

        def parts() -> Iterator[bytes | Range]:
            nonlocal sent, copied
            for piece in that.pieces:
                if self.window.left_s <= 0:
                    raise OutOfTime("no time was left")
                end = piece.start + piece.length
                if piece.same:
                    tail = file.piece(max(piece.start, end - _TAIL), min(piece.length, _TAIL))
                    self.meter.copied(piece.length)
                    copied += piece.length
                    yield Range(piece.start, piece.length, tail)
                else:
                    body = file.piece(piece.start, piece.length)
                    _check(file, body, piece.start, new)
                    yield body
                    self.meter.sent(piece.length)
                    sent += piece.length
                self.flow.reached(file.name, end)
            file.settled()

        try:
            with self.budget.taken(how.memory):
                return self.store.splice(key, source, parts(), concurrency=how.at_once)
        except BaseException:
            self.meter.sent(-sent)
            self.meter.copied(-copied)
            raise


def _check(file: Reader, body: bytes, start: int, new: Blocks) -> None:
    """These are the bytes whose digests are known. Raises FileMoved."""
    found = digests((body,))
    first = start // blocks.BLOCK
    if found != new.each[first : first + len(found)]:
        raise FileMoved(f"{file.name} changed while it was read")
