"""SQLite databases, seen from outside: what their files tell, and a copy of one moment.

A database in WAL mode keeps what was committed last in `-wal` beside it, and lets anybody read while somebody writes.
In rollback mode, readers and the writer exclude each other, and what a transaction overwrites is kept in `-journal`.
The formats: sqlite.org/fileformat.html, locks: sqlite.org/lockingv3.html.
"""

import errno
import fcntl
import os
import shutil
import sqlite3
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum
from pathlib import Path

from osmo.checkpoint.lease import open_for_writing
from osmo.checkpoint.tree import READ_FILE, Stat, Tree
from osmo.errors import FileMoved

WAL, SHARED_MEMORY, JOURNAL = SIDECARS = "-wal", "-shm", "-journal"

_MAGIC = b"SQLite format 3\0"
_READ_VERSION = 19  # the byte of the header; 2 if nobody may read the file without its -wal
_HOT_JOURNAL = bytes.fromhex("d9d505f920a163d7")
_LOCKS = (0x40000000, 512)  # where and how many: PENDING, RESERVED, SHARED
_LOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux
_BUSY_S = 0.5
_COPY = 1024 * 1024
_LEFT_FREE = 16 * 1024 * 1024


class Mode(Enum):
    """How a database keeps a transaction whole."""

    ROLLBACK = "rollback"
    WAL = "wal"


def mode(descriptor: int) -> Mode | None:
    """Of the database in an open file; None if it holds none."""
    header = os.pread(descriptor, _READ_VERSION + 1, 0)
    if len(header) <= _READ_VERSION or not header.startswith(_MAGIC):
        return None
    return Mode.WAL if header[_READ_VERSION] == 2 else Mode.ROLLBACK


def is_hot(journal: int) -> bool:
    """Whether an open `-journal` holds what a transaction has overwritten: without it the database is not whole."""
    return os.pread(journal, len(_HOT_JOURNAL), 0) == _HOT_JOURNAL


def quiet(descriptor: int, folder: int, part: str) -> bool:
    """Whether nobody is within a transaction that writes, by SQLite's own signs, although somebody has the file open.

    descriptor: of the database `part` in the open `folder`. Between two transactions of rollback mode the file is whole
    and no lock that excludes readers is held: the kernel is asked who holds one, none is taken. False where it cannot
    be asked, and for a database with a -wal.
    """
    found = mode(descriptor)
    if found is None or _exists(part + WAL, folder):
        return False
    try:
        journal = os.open(part + JOURNAL, READ_FILE, dir_fd=folder)
    except FileNotFoundError:
        return not _locked(descriptor)
    try:
        return not is_hot(journal) and not _locked(descriptor)
    finally:
        os.close(journal)


def _locked(descriptor: int) -> bool:
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return True
    asked = _LOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, *_LOCKS, 0)
    kind, *_ = _LOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return bool(kind != fcntl.F_UNLCK)


@contextmanager
def snapshot(tree: Tree, name: str, scratch: Path) -> Iterator[int]:
    """A descriptor of a copy of the WAL database `name`: one moment of it, with all that was committed by then.

    The copy lies in the folder `scratch` and is gone afterwards. While it is made, a writer is not kept from writing,
    and nothing in the task's folder changes, but for SQLite's own marks of who reads, in -shm. Raises FileMoved if it
    cannot be had just now, or it is no sound database; OSError, ENOSPC among them: that there is room is seen to first.
    """
    with tree.beside(name) as (folder, part), _opened(folder, part) as database:
        _make_room(scratch, folder, part)
        copy = Path(tempfile.mkdtemp(prefix="database-", dir=scratch)) / "copy"
        try:
            with _errors(name):
                # With a -shm, somebody may be connected: then only SQLite can tell what is committed.
                if _exists(part + SHARED_MEMORY, folder):
                    _back_up(folder, part, os.fstat(database), copy)
                else:
                    _copy_pair(folder, part, database, copy)
            with copy.open("rb") as file:
                yield file.fileno()
        finally:
            shutil.rmtree(copy.parent, ignore_errors=True)


def _back_up(folder: int, part: str, found: os.stat_result, to: Path) -> None:
    """Through a connection that only reads. Its one step sees one moment; meanwhile others read and write.

    SQLite wants a path: that of the open folder. It resolves it, so a folder that is exchanged for a link just then
    could lead it elsewhere: hence the look at what lies there. A task that can do that can read all that we can.
    """
    place = Path(os.readlink(f"/proc/self/fd/{folder}") if sys.platform == "linux" else _path_of(folder)) / part
    to.touch(mode=0o600)
    source_url, copy_url = f"{place.as_uri()}?mode=ro", f"{to.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(source_url, uri=True, timeout=_BUSY_S)) as source:
        with closing(sqlite3.connect(copy_url, uri=True, isolation_level=None)) as copy:
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(copy, pages=-1, progress=_never_busy)
        there = os.stat(place, follow_symlinks=False)
        if (there.st_dev, there.st_ino) != (found.st_dev, found.st_ino):
            raise FileMoved(f"{place} was replaced while it was copied")


def _never_busy(status: int, _remaining: int, _total: int) -> None:
    """Python would ask a database that is locked for itself again and again, for ever."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise FileMoved("the database is locked")


def _path_of(folder: int) -> str:
    """macOS."""
    get_path = 50  # F_GETPATH
    return os.fsdecode(fcntl.fcntl(folder, get_path, bytes(1024)).rstrip(b"\0"))


def _copy_pair(folder: int, part: str, database: int, to: Path) -> None:
    """Of a database that nobody is connected to: its writer died. SQLite puts the two together, in our place."""
    with _opened(folder, part + WAL) as wal:
        before = _looks(database, wal)
        if open_for_writing(database):
            raise FileMoved(f"{part} is open, by somebody who shares it with nobody")
        _copy(database, to)
        _copy(wal, to.with_name(to.name + WAL))
        if _looks(database, wal) != before or open_for_writing(database) or _exists(part + SHARED_MEMORY, folder):
            raise FileMoved(f"{part} changed while it was copied")
    with closing(sqlite3.connect(to, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous = OFF")
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _looks(*descriptors: int) -> list[Stat]:
    return [Stat.of(os.fstat(descriptor)) for descriptor in descriptors]


def _copy(descriptor: int, to: Path) -> None:
    at = 0
    with open(to, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        while data := os.pread(descriptor, _COPY, at):
            file.write(data)
            at += len(data)


def _make_room(scratch: Path, folder: int, part: str) -> None:
    """Make the folder, and see that its disk holds the copy: the database, and its -wal twice while they are merged."""
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    wal = 0
    with suppress(FileNotFoundError):
        wal = os.stat(part + WAL, dir_fd=folder, follow_symlinks=False).st_size
    needed = os.stat(part, dir_fd=folder, follow_symlinks=False).st_size + 2 * wal
    disk = os.statvfs(scratch)
    if disk.f_bavail * disk.f_frsize < needed + _LEFT_FREE:
        raise OSError(errno.ENOSPC, f"no room in {scratch} for a copy of the database ({needed} bytes)", part)


@contextmanager
def _opened(folder: int, part: str) -> Iterator[int]:
    descriptor = os.open(part, READ_FILE, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _exists(part: str, folder: int) -> bool:
    try:
        os.stat(part, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _errors(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileMoved(f"{name}: its -wal went away") from error
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, "no room for a copy of the database", name) from error
        raise FileMoved(f"{name}: {error}") from error
