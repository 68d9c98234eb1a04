"""The bytes of one file of a checkpoint out of the store, into a file of a temporary name."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from osmo.checkpoint import flushing
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.copies import Copies
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.parts import MIB
from osmo.errors import NotFound, OsmoError, StoreError
from osmo.store import ahead
from osmo.store.base import Store

_RANGES_AHEAD = 4
_MEMORY = (_RANGES_AHEAD + 1) * ahead.RANGE  # for one file: those ahead, and the one that is being written
_ZEROS = bytes(64 * 1024)


class RestoreError(OsmoError):
    """A checkpoint could not be brought back whole. What was there before is still there."""


class Lost(RestoreError):
    """Nowhere in the store are the bytes that the record names. place: where they should be; other: whether there are
    other bytes."""

    def __init__(self, message: str, place: str, *, other: bool) -> None:
        super().__init__(message)
        self.place = place
        self.other = other


class Stopped(RestoreError):
    """Whoever wanted it wants it no more."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches files of one stream. Safe to use from many threads.

    Small files are not flushed to the disk: whoever has fetched them all does that, see `osmo.checkpoint.flushing`.

    budget: of memory, for all files together. received: told of bytes that came, negative for those that come again;
    asked often. stopped: whether to end.
    """

    store: Store
    copies: Copies
    budget: ByteBudget
    received: Callable[[FileRecord, int], None]
    stopped: Callable[[], bool]

    def __call__(self, file: FileRecord, path: Path) -> int:
        """All of it into `path`, checked. What is in there already is used, and stays there if the store
        fails. Returns how many bytes came. Raises StoreError, OSError, Lost, Stopped."""
        with self.budget.taken(min(file.size, _MEMORY)):
            return self._fetch(file, path)

    def _fetch(self, file: FileRecord, path: Path) -> int:
        came = 0
        other = False
        for place in self.copies.of(file):
            try:
                fetched, right = self._from(place, file, path)
                if not right and (fetched < file.size or self._looks_right(place, file)):
                    # What was left over was not what it should be, or what came is not what lies there.
                    came += fetched
                    fetched, right = self._from(place, file, path)
            except NotFound:
                path.unlink(missing_ok=True)
                continue
            except StoreError as error:
                if type(error) is not StoreError or self.store.head(place).size == file.size:
                    raise
                path.unlink(missing_ok=True)  # it is too short for the range that was asked for
                fetched, right = 0, False
            came += fetched
            if right:
                return came
            other = True
        what = "does not have the digest that the record says" if other else "is not there any more"
        raise Lost(f"{file.name}: the object {self.store.url}/{file.place} {what}", file.place, other=other)

    def _looks_right(self, place: str, file: FileRecord) -> bool:
        found = self.store.head(place)
        return (found.size, found.etag) == (file.size, file.etag)

    def _from(self, place: str, file: FileRecord, path: Path) -> tuple[int, bool]:
        """From one key. How many bytes came, and whether it all is what it should be; what is not is removed."""
        hasher = blake3()
        with _opened(path) as opened:
            have = _hashed(opened, hasher)
            self.received(file, have)
            try:
                for data in ahead.pieces(self.store, place, file.size, have, _RANGES_AHEAD):
                    if self.stopped():
                        raise Stopped(f"{file.name}: stopped")
                    hasher.update(data)
                    _write(opened, data)
                    if len(data) > flushing.SMALL:
                        flushing.begin(opened.fileno(), opened.tell() - len(data), len(data))
                    self.received(file, len(data))
                opened.flush()
                if os.fstat(opened.fileno()).st_size != opened.tell():  # a hole at the end, or what was there before
                    opened.truncate()
            except BaseException:
                self.received(file, -opened.tell())
                raise
            size = opened.tell()
            if hasher.hexdigest() == file.digest and size == file.size:
                if size > flushing.SMALL:
                    os.fsync(opened.fileno())
                return size - have, True
        path.unlink()
        self.received(file, -size)
        return max(0, size - have), False


def matches(path: Path, file: FileRecord) -> bool:
    """Whether the local file has the content that the record says. What is no regular file is not opened."""
    try:
        return path.lstat().st_size == file.size and digest_of(path) == file.digest
    except OSError:
        return False


def digest_of(path: Path) -> str:
    """Of the content of a regular file; empty if it is none, or cannot be read."""
    hasher = blake3()
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return ""
        with path.open("rb") as opened:
            while data := opened.read(MIB):
                hasher.update(data)
    except OSError:
        return ""
    return hasher.hexdigest()


def dress(path: Path, file: FileRecord) -> None:
    """Mode and time, as the record has them. Raises OSError."""
    path.chmod(file.mode & 0o777)
    os.utime(path, ns=(file.mtime_ns, file.mtime_ns))


def _opened(path: Path) -> BinaryIO:
    """The file for reading from its beginning and writing at its end, made if it is not there."""
    return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+b")


def _hashed(file: BinaryIO, hasher: blake3) -> int:
    """Take what is in the file into the digest. How many bytes."""
    if os.fstat(file.fileno()).st_size:
        while data := file.read(MIB):
            hasher.update(data)
    return file.tell()


def _write(file: BinaryIO, data: bytes) -> None:
    """Write at the end of a file, but for blocks of zeros: they become holes, as a sparse file had them."""
    view, start = memoryview(data), 0
    for at in range(0, len(data), len(_ZEROS)):
        if data.startswith(_ZEROS, at):
            file.write(view[start:at])
            file.seek(len(_ZEROS), os.SEEK_CUR)
            start = at + len(_ZEROS)
    file.write(view[start:])
