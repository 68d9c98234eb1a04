"""Where the files of a record are to be in a folder, and what a restore leaves there while it is not done.

While files are fetched they have names of their own, which begin with `.osmo-restore.` and are never checkpointed. The
mark is one of them: it keeps a second restore out, and says which files are new here while they get their names.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from osmo.checkpoint.fetch import RestoreError
from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.tree import UNFINISHED
from osmo.errors import StoreError
from osmo.store.keys import check_key


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One file: where it is to be, and the name it has until it is complete. No two of one record are the same."""

    file: FileRecord
    path: Path
    unfinished: Path


def targets(checkpoint: Checkpoint, stream: str, folder: Path, url: str) -> list[Target]:
    """Raises RestoreError if the record names what it may not: nothing outside the folder is ever written, nothing
    outside the url read."""
    names = {file.name for file in checkpoint.files}
    if len(names) < len(checkpoint.files):
        raise _untrusted("a file twice")
    found = []
    for file in checkpoint.files:
        path = beneath(folder, file.name)
        if path is None:
            raise _untrusted(f"{file.name!r}, which is no name beneath a folder")
        if any(above in names for above in _above(file.name)):
            raise _untrusted(f"{file.name!r} and a file where its folder should be")
        try:
            check_key(file.place, url)
        except StoreError as error:
            raise _untrusted(f"the place {file.place!r}, which is no key at {url}") from error
        found.append(Target(file, path, path.with_name(_unfinished(stream, file))))
    return found


def beneath(folder: Path, name: str) -> Path | None:
    """Where a name leads to in the folder, None if it does not."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        return None
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # JSON can say what no folder can hold
        return None
    return folder.joinpath(*parts)


def check_space(folder: Path, items: Iterable[Target], holes: Callable[[FileRecord], int]) -> None:
    """Raises RestoreError if they do not fit. What is there under its name, or a part of it under its temporary one,
    needs no room again. holes: how many bytes of a file take none; asked if it matters."""
    place = folder
    while not place.exists():
        place = place.parent
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    size = sum(item.file.size for item in items)
    if size > free:
        size -= sum(map(_there, items))
    if size > free:
        size -= sum(holes(item.file) for item in items)
    if size > free:
        raise RestoreError(f"{folder}: {size:,} bytes are to be restored, {free:,} are free: nothing was restored")


class Mark:
    """The sign of a restore in a folder."""

    def __init__(self, folder: Path, stream: str) -> None:
        self.path = folder / _of(stream)

    @property
    def is_set(self) -> bool:
        """Whether files were being given their names when a restore was cut short."""
        try:
            return self.path.stat().st_size > 0
        except OSError:
            return False

    def read(self) -> Mapping[str, str]:
        """The files that a restore which was cut short had for new: name to digest."""
        try:
            found = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}

    def set(self, new: Mapping[str, str]) -> None:
        """Files begin to get their names. Raises OSError."""
        with self.path.open("w") as file:
            json.dump(new, file)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep another restore of the stream out. What is not set is removed. Raises RestoreError, OSError."""
        with open(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RestoreError(f"{self.path.parent}: another restore is at work there") from error
            except OSError:
                pass  # a file system without locks
            try:
                yield
            finally:
                if not self.is_set:
                    self.path.unlink(missing_ok=True)


def sweep(folders: Iterable[Path], stream: str) -> None:
    """Remove what restores of the stream had begun to fetch."""
    beginning = f"{_of(stream)}."
    for place in folders:
        with suppress(OSError):
            for name in os.listdir(place):
                if name.startswith(beginning):
                    (place / name).unlink()


def _untrusted(what: str) -> RestoreError:
    return RestoreError(f"the record names {what}: nothing was restored")


def _above(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name


def _there(item: Target) -> int:
    with suppress(OSError):
        return min(item.unfinished.lstat().st_size, item.file.size)
    with suppress(OSError):
        return item.file.size if item.path.lstat().st_size == item.file.size else 0
    return 0


def _of(stream: str) -> str:
    return f"{UNFINISHED[0]}{blake3(os.fsencode(stream)).hexdigest()[:8]}"


def _unfinished(stream: str, file: FileRecord) -> str:
    """Of a fixed length whatever the file's name: that may be as long as a name can be."""
    return f"{_of(stream)}.{blake3(f'{file.digest}/{file.name}'.encode(errors='surrogatepass')).hexdigest()[:32]}"
