"""A checkpoint into a folder: every file whole and verified, or as it was.

A record is not trusted: it may name what it likes, but nothing outside the folder is written.
"""

import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.parts import MIB
from osmo.errors import NoRanges, NotFound, OsmoError, StoreError
from osmo.store.base import Store

_RANGE = 8 * MIB
_RANGES_AHEAD = 4
_FILES_AT_ONCE = 8
_ZEROS = bytes(64 * 1024)
_UNFINISHED = ".osmo-restore"  # fixed length whatever the file's name: that may be as long as a name can be


class RestoreError(OsmoError):
    """A checkpoint could not be brought back whole. What was there before is still there."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of one file. fetched: bytes that came from the store; 0 if it was there already."""

    file: FileRecord
    fetched: int


def restore(
    store: Store, checkpoint: Checkpoint, folder: Path, report: Callable[[Restored], None]
) -> dict[str, OsmoError]:
    """Bring the files of a checkpoint into `folder`; what it holds besides stays.

    Each file gets a temporary name, its digest is checked, then it is flushed, gets its mode and time, and its name.
    Files that match already are not fetched; what an interrupted restore had fetched is used. `report` gets every file
    as it is done, from any thread. Returns the files that could not be brought back, and why: each of them is as it was
    before. Raises RestoreError before anything is written if the record is not to be trusted or the disk is too small.
    """
    targets = {_target(folder, file): file for file in checkpoint.files}
    if len(targets) < len(checkpoint.files):
        raise RestoreError("two files of the checkpoint have the same name: the record is damaged")
    _check_space(folder, sum(file.size for file in checkpoint.files))
    failures: dict[str, OsmoError] = {}

    def one(item: tuple[Path, FileRecord]) -> None:
        target, file = item
        try:
            report(Restored(file, _restore(store, file, target, folder)))
        except (OSError, StoreError, RestoreError) as error:
            failures[file.name] = _ours(error, target)

    with ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="restore") as threads:
        for _ in threads.map(one, targets.items()):
            pass
    return failures


def matches(path: Path, file: FileRecord) -> bool:
    """Whether the local file has the content that the record says. What is no regular file is not opened."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != file.size:
            return False
        hasher = blake3()
        with path.open("rb") as opened:
            while data := opened.read(MIB):
                hasher.update(data)
    except OSError:
        return False
    return hasher.hexdigest() == file.digest


def _target(folder: Path, file: FileRecord) -> Path:
    parts = file.name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in file.name:
        raise RestoreError(f"the record names {file.name!r}, which is no name beneath a folder: nothing was restored")
    return folder.joinpath(*parts)


def _check_space(folder: Path, size: int) -> None:
    place = folder
    while not place.exists():
        place = place.parent
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    already = sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file()) if folder.exists() else 0
    if size > free + already:
        raise RestoreError(f"{folder}: {size:,} bytes are to be restored, {free:,} are free: nothing was restored")


def _restore(store: Store, file: FileRecord, target: Path, folder: Path) -> int:
    if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(folder)):
        raise RestoreError(f"{target}: a link leads out of {folder}")
    if matches(target, file):
        _dress(target, file)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{_UNFINISHED}.{file.digest[:32]}.{blake3(os.fsencode(file.name)).hexdigest()[:8]}")
    try:
        fetched = _fetch(store, file, unfinished)
    except NotFound:  # there is nothing to go on with
        unfinished.unlink(missing_ok=True)
        raise
    _dress(unfinished, file)
    unfinished.replace(target)
    _flush(target.parent)
    return fetched


def _fetch(store: Store, file: FileRecord, unfinished: Path) -> int:
    """The object's bytes into a file, checked and flushed. What is in the file already is used. Returns what came."""
    hasher = blake3()
    with _opened(unfinished) as opened:
        while data := opened.read(MIB):
            hasher.update(data)
        have = opened.tell()
        for data in _ranges(store, file, have):
            hasher.update(data)
            _write(opened, data)
        opened.truncate()  # to where we are, which may lie behind a hole
        if hasher.hexdigest() != file.digest or opened.tell() != file.size:
            unfinished.unlink()
            if have:  # what was left over was not what it should be: once more from the beginning
                return _fetch(store, file, unfinished)
            raise RestoreError(
                f"{file.name}: the object {store.url}/{file.place} does not have the digest that the record says",
            )
        opened.flush()
        os.fsync(opened.fileno())
    return file.size - have


def _write(file: BinaryIO, data: bytes) -> None:
    """Write at the end of a file, but for blocks of zeros: they become holes, as a sparse file had them."""
    view, start = memoryview(data), 0
    for at in range(0, len(data), len(_ZEROS)):
        if data.startswith(_ZEROS, at):
            file.write(view[start:at])
            file.seek(len(_ZEROS), os.SEEK_CUR)
            start = at + len(_ZEROS)
    file.write(view[start:])


def _ranges(store: Store, file: FileRecord, start: int) -> Iterator[bytes]:
    """The object's bytes from `start` on, in order, some fetched ahead."""
    try:
        yield from _in_ranges(store, file, start)
    except NoRanges:  # said of the first one
        position = 0
        for data in store.stream(file.place, file.size):
            yield data[max(0, start - position) :]
            position += len(data)


def _in_ranges(store: Store, file: FileRecord, start: int) -> Iterator[bytes]:
    def get(offset: int) -> bytes:
        return store.get_range(file.place, offset, min(_RANGE, file.size - offset))

    offsets = iter(range(start, file.size, _RANGE))
    if file.size - start <= _RANGE:
        for offset in offsets:
            yield get(offset)
        return
    with ThreadPoolExecutor(_RANGES_AHEAD, thread_name_prefix="range") as threads:
        ahead = [threads.submit(get, offset) for offset in islice(offsets, _RANGES_AHEAD)]
        while ahead:
            data = ahead.pop(0).result()
            ahead += [threads.submit(get, offset) for offset in islice(offsets, 1)]
            yield data


def _opened(path: Path) -> BinaryIO:
    """The file for reading from its beginning and writing at its end, made if it is not there."""
    return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+b")


def _dress(path: Path, file: FileRecord) -> None:
    path.chmod(file.mode & 0o777)
    os.utime(path, ns=(file.mtime_ns, file.mtime_ns))


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ours(error: OSError | OsmoError, target: Path) -> OsmoError:
    if isinstance(error, NotFound):
        return RestoreError(f"{target.name}: the store does not have its object any more ({error})")
    if isinstance(error, OsmoError):
        return error
    return RestoreError(f"{target}: {(error.strerror or str(error)).lower()}")
