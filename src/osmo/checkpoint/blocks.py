"""Digests of the blocks of a large file's content: what tells which of them a later content has, too.

They lie in the store, as an object that the file's record names, so that whoever goes on from a checkpoint knows them.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from blake3 import blake3

from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.parts import MIB
from osmo.checkpoint.room import fetch
from osmo.errors import StoreError, Unavailable
from osmo.store.base import Store

BLOCK = 8 * MIB
LEAST = 64 * MIB  # a smaller file is sent whole: the requests that a part of it would need are no gain
_BYTES = 16  # of each digest: blocks are compared with those that once lay at their own place, and nobody forges them
_SHELF = 4 * MIB  # bytes of digests that stay in memory: those of 2 TiB


@dataclass(frozen=True, slots=True)
class Blocks:
    """A content: its length, its digest, and one digest for each `BLOCK` bytes of it, the last may be shorter."""

    size: int
    digest: str
    each: tuple[bytes, ...]

    def same(self, other: "Blocks") -> list[bool]:
        """For each block, whether the other content has the same at the same place."""
        there = dict(enumerate(other.each))
        return [there.get(number) == digest for number, digest in enumerate(self.each)]

    def encode(self) -> bytes:
        """A line of JSON, then the digests."""
        return _head(self.size, self.digest) + b"".join(self.each)

    @classmethod
    def decode(cls, body: bytes | bytearray, size: int, digest: str) -> "Blocks | None":
        """Those of the content with this length and digest; None if these bytes are not that."""
        head = _head(size, digest)
        if not body.startswith(head) or len(body) != _length(size, digest):
            return None
        return cls(size, digest, tuple(bytes(body[at : at + _BYTES]) for at in range(len(head), len(body), _BYTES)))


def _head(size: int, digest: str) -> bytes:
    facts = {"format": 1, "block": BLOCK, "size": size, "digest": digest}
    return json.dumps(facts, sort_keys=True).encode() + b"\n"


def _length(size: int, digest: str) -> int:
    """Bytes of the object that a content's blocks are."""
    return len(_head(size, digest)) + _BYTES * -(-size // BLOCK)


class Gathering:
    """Digests of blocks, from parts of any length, in order."""

    def __init__(self) -> None:
        self._each: list[bytes] = []
        self._hasher = blake3()
        self._filled = 0

    def update(self, part: bytes) -> None:
        view = memoryview(part)
        while view:
            piece = view[: BLOCK - self._filled]
            self._hasher.update(piece)
            self._filled += len(piece)
            view = view[len(piece) :]
            if self._filled == BLOCK:
                self._end()

    @property
    def so_far(self) -> tuple[bytes, ...]:
        """Of the blocks that are complete."""
        return tuple(self._each)

    def all(self) -> tuple[bytes, ...]:
        """Nothing more comes: that of what is left over, too."""
        if self._filled:
            self._end()
        return tuple(self._each)

    def _end(self) -> None:
        self._each.append(self._hasher.digest(_BYTES))
        self._hasher, self._filled = blake3(), 0


def digests(parts: Iterable[bytes]) -> tuple[bytes, ...]:
    """Of a content in parts."""
    gathering = Gathering()
    for part in parts:
        gathering.update(part)
    return gathering.all()


def holes(store: Store, file: FileRecord) -> int:
    """How many bytes of a record's content are whole blocks of zeros, as far as its blocks are known: they take no room
    on a disk. Raises Unavailable."""
    found = Shelf().of(store, file)
    if found is None:
        return 0
    zeros = blake3(bytes(BLOCK)).digest(_BYTES)
    return BLOCK * sum(each == zeros for each in found.each[: file.size // BLOCK])


class Shelf:
    """Blocks by the key that they lie at, those of the last files at hand. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_hand: OrderedDict[str, Blocks] = OrderedDict()
        self._blocks = 0

    def of(self, store: Store, file: FileRecord) -> Blocks | None:
        """Those of a record's content. None if it has none, or they are gone. Raises Unavailable."""
        with self._lock:
            if (found := self._at_hand.get(file.blocks)) is not None and found.digest == file.digest:
                return found
        if not file.blocks:
            return None
        try:
            found = Blocks.decode(fetch(store, file.blocks, _length(file.size, file.digest)), file.size, file.digest)
        except Unavailable:
            raise
        except StoreError:  # whatever it is: they are only a help
            return None
        if found is not None:
            self._keep(file.blocks, found)
        return found

    def put(self, store: Store, key: str, blocks: Blocks) -> None:
        """Write them to a key. Raises StoreError."""
        store.put(key, blocks.encode())
        self._keep(key, blocks)

    def _keep(self, key: str, blocks: Blocks) -> None:
        with self._lock:
            self._at_hand[key] = blocks
            self._blocks += len(blocks.each)
            while self._blocks * _BYTES > _SHELF and len(self._at_hand) > 1:
                self._blocks -= len(self._at_hand.popitem(last=False)[1].each)
