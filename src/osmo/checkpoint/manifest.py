"""The records of a stream's log: who claimed it, which checkpoints there are and what they hold, who closed it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from osmo.checkpoint.table import Files


class Trigger(StrEnum):
    """Why a checkpoint was made."""

    INTERVAL = "interval"
    FINAL = "final"
    PREEMPT = "preempt"
    REQUEST = "request"


class Mark(NamedTuple):
    """Where a record stands in its log. Marks compare as their records came about: an epoch's records come after those
    of all lower epochs. number: counts the records of the stream."""

    epoch: int
    number: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a checkpoint.

    name: beneath the root, as the filesystem has it (bytes that are not UTF-8 as surrogates). size: bytes.
    digest: BLAKE3 of the content, hex, the one that `b3sum` prints. place: where its bytes are, a key relative to the
    url: an object of the stream's own, or the plain file's. etag: of the object there, empty if it is not known.
    deferred: it was being written at the time, so this is its content of an earlier checkpoint.
    torn_possible: it was still being written after the command had ended.
    live: it was being appended to, so this is its beginning, up to the last whole line or event.
    blocks: the key of the digests of its blocks (see `osmo.checkpoint.blocks`), empty if there are none.
    """

    name: str
    size: int
    mode: int
    mtime_ns: int
    digest: str
    place: str
    etag: str
    deferred: bool = False
    torn_possible: bool = False
    live: bool = False
    blocks: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Where everything lies that the record names."""
        return (self.place, self.blocks) if self.blocks else (self.place,)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who makes checkpoints: one attempt of one task of one run. id: of the process, no other ever has it."""

    run: str
    run_id: str
    task: str
    attempt: int
    host: str
    id: str

    def __str__(self) -> str:
        return f"{self.run_id} on {self.host}"


@dataclass(frozen=True, slots=True)
class Claim:
    """The beginning of an epoch. base: the newest checkpoint then. alone: see `osmo.checkpoint.epoch`.
    prefix: what every key of the stream's plain files begins with."""

    mark: Mark
    writer: Writer
    prefix: str
    alone: bool
    made: datetime
    base: Mark | None


@dataclass(frozen=True, slots=True)
class Listing:
    """An object that holds the files of an earlier checkpoint, of which a record says only what differs.

    digest, size: of the object. carried: how many files the records that build upon it have named, all together.
    """

    place: str
    digest: str
    size: int
    carried: int
    files: "Files"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One committed set of files.

    number: counts the checkpoints of the stream. prev: the checkpoint before. spared: the last one of an earlier run,
    which stays, for nobody went on from it. folder: what every key of its plain files begins with, `ckpt/` or nothing.
    behind: the files whose plain file may be older than this. listing: what its record builds upon, if it does.
    """

    mark: Mark
    writer: Writer
    prefix: str
    alone: bool
    number: int
    prev: Mark | None
    spared: Mark | None
    trigger: Trigger
    path: str
    folder: str
    begun: datetime
    committed: datetime
    files: "Files"
    behind: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    problems: dict[str, str] | None = None
    exit_code: int | None = None
    unsent: tuple[str, ...] = ()
    listing: Listing | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """The end of an epoch of which every request got a clear answer. behind: as in the newest checkpoint, but later."""

    mark: Mark
    writer: Writer
    prefix: str
    alone: bool
    made: datetime
    behind: tuple[str, ...]


Record = Claim | Checkpoint | Close
