"""What the checkpoint engine relies on in a data store. Every implementation runs `tests/contract/store.py`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Object:
    """One object. `key` is relative to the store's url; `etag` is what the store says now.

    modified: when it was written, by the store's clock, perhaps cut to whole seconds.
    """

    key: str
    size: int
    etag: str
    modified: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A multipart upload that was begun and neither completed nor aborted. `begun`: by the store's clock."""

    key: str
    id: str
    begun: datetime


class Splicing(Enum):
    """What the parts of a splice must be like. EQUAL: all but the last one have the same length."""

    ANY = "any"
    EQUAL = "equal"


@dataclass(frozen=True, slots=True)
class Range:
    """`length` bytes of an object from byte `start` on. tail: what the last of them are known to be."""

    start: int
    length: int
    tail: bytes = b""

    def __len__(self) -> int:
        return self.length


class Store(Protocol):
    """Objects beneath one url. Read-after-write and list-after-write hold.

    Keys are relative to the url, segments joined by `/`, any UTF-8 text without control characters, empty segments,
    `.` or `..`. Every method raises a `StoreError` (see `osmo.errors`) and nothing else of its own. No request that
    writes is repeated here, but for the parts of a multipart upload: repeating is the caller's decision.
    Safe to use from many threads.
    """

    @property
    def url(self) -> str:
        """The url as written, without a trailing slash."""

    def put(self, key: str, body: bytes) -> str:
        """Write one object in one request, over what was there. Returns its etag."""

    def put_new(self, key: str, body: bytes) -> str:
        """The same, but only if there is no such object: else `AlreadyExists`, and what is there stays.

        Where `excludes` is False it is the same as `put`.
        """

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
        """Write one object from parts of exactly `part_size` bytes (the last may be shorter), `concurrency` at once.

        The object appears whole, or not at all: if `parts` raises, that error comes out and nothing is visible.
        Returns the etag that a later `head` or `list` shows.
        """

    def get(self, key: str) -> bytes:
        """The whole object. `NotFound` if there is none."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes of the object from byte `start` on, fewer only at its end. `NotFound` if there is none.

        `NoRanges` if the store cannot do that: use `stream`.
        """

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        """The whole object, in pieces. `size`: how large it should be; so much time it gets. `NotFound` if there is
        none."""

    def head(self, key: str) -> Object:
        """Size and etag. `NotFound` if there is none."""

    def list(self, prefix: str) -> Iterator[Object]:
        """All objects whose key begins with `prefix` (whole segments; empty for all), in no promised order."""

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The segments that follow `prefix` (as for `list`) in keys that go on after them, each once, sorted."""

    def copy(self, source: str, key: str, size: int) -> None:
        """Write the object `source` to `key` as well, over what was there, without its bytes coming here.

        size: how large it is; so much time it gets. `NotFound` if there is no source. `NoCopy` if the server cannot do
        it.
        """

    def splices(self) -> Splicing | None:
        """How `splice` wants its parts; None where it is not to be tried. Asks nobody."""

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        """Write one object from parts: bytes, `concurrency` of them at once, and ranges of `source`, which the server
        copies. Each but the last has 5 MiB to 5 GiB, there are at most 10,000, and a range lies where it lay: `start`
        is where the parts before it end.

        The object appears whole, or not at all: if `parts` raises, that error comes out and nothing is visible. Its
        size, and some of the tails, are read back before this returns the etag that a later `head` shows. `NotFound` if
        there is no such source any more, with this etag. `NoCopy` if the server cannot do it, or did it wrong: then
        something may be at `key` that is of no use, and `splices` says None for a while.
        """

    def delete(self, key: str) -> None:
        """Remove one object. It is no error if it is gone already."""

    def excludes(self) -> bool:
        """Whether `put_new` really never overwrites: some servers ignore the condition. Asked of the server once for
        each endpoint and bucket, by writing twice under a name of its own."""

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """Multipart uploads whose key begins with `prefix` (as for `list`) and that nobody has ended. None where the
        server cannot say."""

    def abort(self, upload: Unfinished) -> None:
        """Give one up: its parts go. It is no error if it has ended already."""
