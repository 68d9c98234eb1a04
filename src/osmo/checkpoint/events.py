"""What the engine reports while it works. Whoever uses it decides what to say."""

from collections.abc import Mapping
from dataclasses import dataclass

from osmo.checkpoint.manifest import Checkpoint, Writer
from osmo.checkpoint.table import Table
from osmo.errors import StoreError


@dataclass(frozen=True, slots=True)
class Looked:
    """A cycle has looked at the folder. exists: whether it is there; files: how many it holds that are wanted.

    misnamed: it is one file, taken although its name does not match the regex.
    """

    files: int
    exists: bool
    misnamed: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The stream is ours. inherited: the checkpoint of an earlier run that is there, and that this one does not go on
    from. former: another run that wrote there and did not say that it had ended."""

    inherited: Checkpoint | None
    former: Writer | None


@dataclass(frozen=True, slots=True)
class Restoring:
    """The files of a checkpoint begin to come back, before the command starts."""

    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Restored:
    """They are there; the run goes on from it. saved: as in Committed. fetched: bytes that came from the store."""

    checkpoint: Checkpoint
    saved: Table
    fetched: int
    seconds: float


@dataclass(frozen=True, slots=True)
class NotRestored:
    """What was to be restored is not, and the command starts nevertheless. occupied: something is at the path already;
    else there was never a checkpoint."""

    occupied: bool


@dataclass(frozen=True, slots=True)
class RestoreFailed:
    """It is tried again `retry_s` seconds later, and given up in `left_s` if nothing comes; `failures` in a row."""

    error: StoreError
    failures: int
    retry_s: float
    left_s: float


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The stream is another writer's by now. Nothing more is written."""

    by: Writer


@dataclass(frozen=True, slots=True)
class Holding:
    """The commit waits, `seconds` at most, for files of the last checkpoint that are being rewritten."""

    files: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Begun:
    """Files are about to be uploaded."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """`done` of `total` bytes are sent after `seconds`; `path` was worked on last."""

    done: int
    total: int
    seconds: float
    path: str


@dataclass(frozen=True, slots=True)
class Committed:
    """Checkpoint `number` exists from now on.

    saved: everything in it. sent_files, sent_size: what this cycle uploaded. copied_size: bytes of those files that did
    not travel, for the store had them. seconds: since the first bytes went.
    deferred: kept with their earlier content, for they are being written. left_out: new, and still being written.
    gone: no longer in the folder. unsent: there was no time for them before the deadline. problems: name to reason,
    what could not be read. open: those that look at rest, but somebody has them open for writing.
    """

    number: int
    saved: Table
    sent_files: int
    sent_size: int
    seconds: float
    deferred: tuple[str, ...]
    left_out: tuple[str, ...]
    gone: int
    unsent: tuple[str, ...]
    problems: Mapping[str, str]
    open: tuple[str, ...] = ()
    copied_size: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """All that follows a commit is done, too. behind: how many plain files are older than it; error: why, if that was
    not for want of time."""

    behind: int = 0
    error: StoreError | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The cycle found nothing to do. saved, open: as in Committed. moving: how many files wait for their writers."""

    saved: Table
    files: int
    moving: int
    exists: bool
    problems: Mapping[str, str]
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The cycle could not be finished. It is tried again `retry_s` seconds later; `failures` of them in a row."""

    error: StoreError
    failures: int
    retry_s: float


OfRestore = Restoring | Restored | NotRestored | RestoreFailed
OfSaving = Looked | Claimed | TakenOver | Holding | Begun | Progressed | Committed | Finished | Unchanged | Failed
Event = OfRestore | OfSaving
