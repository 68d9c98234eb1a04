"""A checkpoint into a folder: every file whole and verified, all of them or none.

A record is not trusted: it may name what it likes, but nothing outside the folder is written and nothing outside the
url is read.
"""

import errno
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from osmo.checkpoint import flushing, history, neighbours
from osmo.checkpoint.blocks import holes
from osmo.checkpoint.budget import ByteBudget, suitable_total
from osmo.checkpoint.copies import Copies
from osmo.checkpoint.fetch import Fetcher, Lost, RestoreError, Stopped, digest_of, dress, matches
from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.targets import Mark, Target, beneath, check_space, sweep, targets
from osmo.checkpoint.tree import why
from osmo.errors import AccessDenied, NoBucket, OsmoError, StoreError, Unavailable, UnknownHost
from osmo.store.base import Store

_FILES_AT_ONCE = 8
_MOST_FAILURES = 20
_MOST_RESTARTS = 20
_NO_USE_GOING_ON = (AccessDenied, NoBucket, Unavailable, UnknownHost, Stopped)
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True, slots=True)
class Restored:
    """One file that is complete. fetched: bytes that came from the store; 0 if it was there already."""

    file: FileRecord
    fetched: int


def _nobody(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Who is told while a restore goes on, from any thread.

    begun: of the checkpoint, and again if a newer one takes its place. received: of bytes of a file, by where it is to
    be (negative: they come again). done: of each file. stopped: asked often; True ends it.
    """

    begun: Callable[[Checkpoint], None] = _nobody
    received: Callable[[Path, int], None] = _nobody
    done: Callable[[Restored], None] = _nobody
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Outcome:
    """checkpoint: which one it was in the end. failures: by name, what could not be brought back; if there is any, no
    file of the folder was touched, unless `partial` was asked for."""

    checkpoint: Checkpoint
    failures: Mapping[str, OsmoError]


def restore(
    store: Store, stream: str, number: int | None, folder: Path, onlooker: Onlooker, *, partial: bool = False
) -> Outcome:
    """Bring checkpoint `number` of a stream (None: the newest) into `folder`. See `bring`.

    If bytes of the newest are gone because a newer one was made meanwhile, begins again with that, and uses what was
    fetched. Raises UsageError if there is no such checkpoint; RestoreError, also if `number` was dropped meanwhile;
    StoreError.
    """
    for _ in range(_MOST_RESTARTS):
        _, checkpoint = history.find(store, stream, number)
        onlooker.begun(checkpoint)
        failures = bring(store, stream, checkpoint, folder, onlooker, partial=partial)
        lost = any(isinstance(error, Lost) for error in failures.values())
        if not lost or partial or not _was_dropped(store, stream, checkpoint, newest=number is None):
            return Outcome(checkpoint, explained(store, stream, failures))
        if number is not None:
            raise RestoreError(
                f"checkpoint {number} of {stream} was dropped while it was read, for newer ones were made: "
                "nothing was restored",
                hint="`osmo checkpoint list` shows those that there are; a larger `keep` lets each live longer.",
            )
    raise RestoreError(
        f"{store.url}: new checkpoints of {stream} come faster than one can be read: nothing was restored",
        hint="With `keep: 2` or more each stays long enough.",
    )


def bring(
    store: Store, stream: str, checkpoint: Checkpoint, folder: Path, onlooker: Onlooker, *, partial: bool = False
) -> dict[str, OsmoError]:
    """Bring the files of this checkpoint into `folder`; what it holds besides stays.

    Each is fetched under a temporary name and its digest checked. When all of them are there, and on the disk, they get
    their modes, times and names; so whatever fails before that leaves every file as it was. Cut short while they get
    their names, each is as it was or as the checkpoint has it, and the next restore goes on. partial: those that are
    whole get their names even if others fail. What matches already is not fetched; what was fetched in vain is used by
    the next restore.

    Returns the files that could not be brought back, and why; after 20 no more are tried, unless `partial`. Raises
    RestoreError before anything is written if the record is not to be trusted, the disk is too small, or another
    restore is at work; later if the disk fails; StoreError if the store is not to be had; Stopped.
    """
    items = targets(checkpoint, stream, folder, store.url)
    check_space(folder, items, lambda file: holes(store, file))
    mark = Mark(folder, stream)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with mark.held():
            bringing = _Bringing(store, stream, folder, onlooker, partial=partial)
            ready = bringing.fetch(items)
            if partial or not bringing.failures:
                _name(ready, mark, folder)
                sweep({item.path.parent for item in items}, stream)
            return bringing.failures
    except OSError as error:
        raise _ours(error, folder) from error


def explained(store: Store, stream: str, failures: Mapping[str, OsmoError]) -> Mapping[str, OsmoError]:
    """The same, with the name of the stream that writes to the same plain file, where that is why. Raises
    StoreError."""
    overwritten = {name: error for name, error in failures.items() if isinstance(error, Lost) and error.other}
    owners = neighbours.owners(store, stream) if overwritten else {}
    known = {name: owners[error.place] for name, error in overwritten.items() if error.place in owners}
    told = {name: RestoreError(f"{failures[name]}: {owner} writes there, too") for name, owner in known.items()}
    return {**failures, **told}


class _Bringing:
    """One checkpoint's way to one folder."""

    def __init__(self, store: Store, stream: str, folder: Path, onlooker: Onlooker, *, partial: bool) -> None:
        self.failures: dict[str, OsmoError] = {}
        self._folder = folder
        self._onlooker = onlooker
        self._partial = partial
        budget = ByteBudget(2 * suitable_total())
        self._fetch = Fetcher(store, Copies(store, stream), budget, self._received, self._ended)
        self._fatal: OsmoError | None = None

    def fetch(self, items: list[Target]) -> dict[Target, bool]:
        """Those that are complete; whether under their temporary name. Raises what no other file would escape."""
        blocked = self._make({item.path.parent for item in items})
        ready: dict[Target, bool] = {}
        waiting, taking = iter(items), threading.Lock()

        def work() -> None:
            while not self._ended():
                with taking:
                    item = next(waiting, None)
                if item is None:
                    return
                try:
                    ready[item] = self._bring(item, blocked.get(item.path.parent))
                except (OSError, StoreError, RestoreError) as error:
                    self._failed(item, error)

        # A few threads that help themselves: a future for every small file would cost more than its request.
        with ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="restore") as threads:
            for each in [threads.submit(work) for _ in range(min(_FILES_AT_ONCE, len(items)))]:
                each.result()
        if self._onlooker.stopped():
            raise Stopped("stopped")
        if self._fatal is not None:
            raise self._fatal
        small = [item.unfinished for item, fetched in ready.items() if fetched and item.file.size <= flushing.SMALL]
        flushing.files(small, self._folder)
        return {item: ready[item] for item in items if item in ready}

    def _bring(self, item: Target, blocked: OsmoError | None) -> bool:
        """Whether it is under its temporary name now, or was there already. blocked: why it has no folder."""
        if blocked is not None:
            raise blocked
        if item.path.is_dir() and not item.path.is_symlink():
            raise RestoreError(f"{item.path} is a folder, the checkpoint has a file of that name")
        is_there = matches(item.path, item.file)
        came = 0 if is_there else self._fetch(item.file, item.unfinished)
        if is_there:
            self._received(item.file, item.file.size)
        self._onlooker.done(Restored(item.file, came))
        return not is_there

    def _received(self, file: FileRecord, count: int) -> None:
        """People know a file by the name that it is to have, not by that of what is fetched."""
        self._onlooker.received(self._folder / file.name, count)

    def _failed(self, item: Target, error: OSError | OsmoError) -> None:
        ours = _ours(error, item.path)
        if isinstance(error, _NO_USE_GOING_ON) or getattr(error, "errno", None) in _OF_THE_MACHINE:
            self._fatal = self._fatal or ours
        self.failures[item.file.name] = ours

    def _ended(self) -> bool:
        enough = len(self.failures) >= _MOST_FAILURES and not self._partial
        return self._fatal is not None or enough or self._onlooker.stopped()

    def _make(self, folders: set[Path]) -> dict[Path, OsmoError]:
        """Make these folders. Those that cannot be made, or that a link leads out of, and why."""
        root = os.path.realpath(self._folder)
        blocked: dict[Path, OsmoError] = {}
        for place in sorted(folders):
            try:
                if not Path(os.path.realpath(place)).is_relative_to(root):
                    raise RestoreError(f"{place}: a link leads out of {self._folder}")
                place.mkdir(parents=True, exist_ok=True)
            except (OSError, RestoreError) as error:
                blocked[place] = _ours(error, place)
        return blocked


def _name(ready: dict[Target, bool], mark: Mark, folder: Path) -> None:
    """Give all of them their names. Whoever comes after us, if this is cut short, learns from the mark what is new
    here: of another checkpoint it does not stay. Raises OSError."""
    earlier = mark.read()
    mark.set({**earlier, **{item.file.name: item.file.digest for item in ready if not os.path.lexists(item.path)}})
    for item, is_unfinished in ready.items():
        dress(item.unfinished if is_unfinished else item.path, item.file)
        if is_unfinished:
            item.unfinished.replace(item.path)
    for name in earlier.keys() - {item.file.name for item in ready}:
        path = beneath(folder, name)
        if path is not None and digest_of(path) == earlier[name]:
            path.unlink()
    for place in {item.path.parent for item in ready} | {folder}:
        flushing.folder(place)
    mark.path.unlink()


def _was_dropped(store: Store, stream: str, checkpoint: Checkpoint, *, newest: bool) -> bool:
    """Whether its bytes may be gone because newer ones were made. A checkpoint that is still in the log, and not the
    newest that was asked for, is damaged."""
    found = [each.mark for each in history.checkpoints(store, stream, None if newest else [])]
    return any(mark > checkpoint.mark for mark in found) if newest else checkpoint.mark not in found


def _ours(error: OSError | OsmoError, path: Path) -> OsmoError:
    return error if isinstance(error, OsmoError) else RestoreError(f"{path}: {why(error)}")
