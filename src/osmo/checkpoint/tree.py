"""The folder or file that an entry names, and the files beneath it, opened without ever leaving it."""

import errno
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import groupby
from typing import Self

from osmo.checkpoint.descent import FOLDER, resolved
from osmo.checkpoint.root import Here, Root

ROOT = "."  # the root's own name among the problems
UNFINISHED = (".osmo-restore.", ".osmo-part.")
"""How names begin that osmo alone gives: what a restore, or a store that is a folder, has not finished. No data."""
DIRECTORY = FOLDER | os.O_NOFOLLOW
READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FORM = struct.Struct("<qqqQH")
LENGTH = _FORM.size
_FAR = 2**63 - 1


class Stat(bytes):
    """What tells whether a file is still the one that was looked at.

    The five numbers as one value of bytes: it is compared at once, takes a third of the memory that the numbers would,
    and is how a file of a `Table` begins.
    """

    __slots__ = ()

    def __new__(cls, size: int, mtime_ns: int, ctime_ns: int, inode: int, mode: int) -> Self:
        return super().__new__(cls, _FORM.pack(size, mtime_ns, ctime_ns, inode, mode))

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        return cls.beginning(looks(found))

    @classmethod
    def beginning(cls, packed: bytes) -> Self:
        """The one that these bytes begin with."""
        return super().__new__(cls, packed[:LENGTH])

    @property
    def numbers(self) -> tuple[int, int, int, int, int]:
        """What it was made of."""
        size, mtime_ns, ctime_ns, inode, mode = _FORM.unpack(self)
        return size, mtime_ns, ctime_ns, inode, mode

    @property
    def size(self) -> int:
        return self.numbers[0]

    @property
    def mtime_ns(self) -> int:
        return self.numbers[1]

    @property
    def ctime_ns(self) -> int:
        return self.numbers[2]

    @property
    def inode(self) -> int:
        return self.numbers[3]

    @property
    def mode(self) -> int:
        return self.numbers[4]

    def but(self, **others: int) -> "Stat":
        """The same with other numbers for some, each called as it is here."""
        return Stat(**dict(zip(("size", "mtime_ns", "ctime_ns", "inode", "mode"), self.numbers, strict=True)) | others)

    def __repr__(self) -> str:
        return f"Stat{self.numbers}"


UNKNOWN = Stat(-1, 0, 0, 0, 0)
"""How a file looked when nobody remembers: like none."""


def looks(found: os.stat_result) -> bytes:
    """The bytes of its `Stat`, which take as long again to make. A time that is too far away for 64 bits is as far as
    they can say."""
    size, mtime_ns, ctime_ns, inode = found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
    try:
        return _FORM.pack(size, mtime_ns, ctime_ns, inode, found.st_mode & 0o7777)
    except struct.error:
        mtime_ns, ctime_ns = (max(-_FAR, min(time_ns, _FAR)) for time_ns in (mtime_ns, ctime_ns))
        return _FORM.pack(size, mtime_ns, ctime_ns, inode, found.st_mode & 0o7777)


class Tree:
    """The regular files beneath one root, or the one file that the root is.

    A link to a file or folder beneath the root counts as what it points to, under the link's name. Links that lead
    out, that dangle or go round in a circle, and what is neither file nor folder are problems of their own name. Only
    regular files and folders are ever opened: opening a named pipe would wake its writer.
    """

    def __init__(self, root: Root | str) -> None:
        self.root = Here(root) if isinstance(root, str) else root
        self._is_file: bool | None = None

    @property
    def is_file(self) -> bool:
        """The root is one file (or was never there: then False). As the last walk found it, so that a cycle that sends
        many files need not ask for each."""
        if self._is_file is None:
            try:
                return stat.S_ISREG(self.root.stat().st_mode)
            except (OSError, ValueError):
                return False
        return self._is_file

    def look(self) -> os.stat_result:
        """The root as it is now, at the beginning of a walk. Raises OSError."""
        self._is_file = False
        found = self.root.stat()
        self._is_file = stat.S_ISREG(found.st_mode)
        return found

    def path(self, name: str) -> str:
        """The path, as the task sees it, of a name that `walk` gave."""
        return self.root.path if self.is_file else os.path.join(self.root.path, name)

    @contextmanager
    def open(self, name: str) -> Iterator[int]:
        """A descriptor for reading the regular file `name`. Raises OSError, LeadsOut among them."""
        descriptor = self.root.open(READ_FILE & ~os.O_NOFOLLOW) if self.is_file else self._open(name)
        try:
            _check_regular(os.fstat(descriptor), name)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def beside(self, name: str) -> Iterator[tuple[int, str]]:
        """The open folder that the file `name` really lies in, and its name there. Raises OSError, as `resolved`."""
        if not self.is_file:
            with self.resolved(name) as (within, part, _):
                yield within, part
            return
        with self.root.beside() as found:
            yield found

    def stat(self, name: str) -> Stat | None:
        """The file as it is now, whether it may be read or not; None if it is no regular file any more."""
        try:
            if self.is_file:
                return Stat.of(self.root.stat())
            with self.resolved(name) as (_, _, found):
                return Stat.of(found) if stat.S_ISREG(found.st_mode) else None
        except OSError:
            return None

    def stats(self, names: Iterable[str]) -> dict[str, Stat]:
        """Those of the files that are still there, as `stat` says. A folder is opened once for all that follow each
        other."""
        found = {}
        for place, group in groupby(names, lambda name: name[: name.rfind("/") + 1]):
            with suppress(OSError), self._folder(place) as folder:
                for name in group:
                    if (look := self._look(folder, name, len(place))) is not None:
                        found[name] = look
        return found

    def _look(self, folder: int, name: str, cut: int) -> Stat | None:
        try:
            found = os.stat(name[cut:], dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None
        if stat.S_ISLNK(found.st_mode):
            return self.stat(name)
        return Stat.of(found) if stat.S_ISREG(found.st_mode) else None

    @contextmanager
    def _folder(self, place: str) -> Iterator[int]:
        """A folder beneath the root, or with an empty name the root, open. Raises OSError, LeadsOut among them."""
        if place:
            with self.resolved(place) as (within, part, _):
                descriptor = os.open(part, DIRECTORY, dir_fd=within)
        else:
            descriptor = self.root.open(FOLDER)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, name: str) -> int:
        with self.resolved(name) as (within, part, found):
            _check_regular(found, name)
            return os.open(part, READ_FILE, dir_fd=within)

    def resolved(self, name: str) -> AbstractContextManager[tuple[int, str, os.stat_result]]:
        """Where `name` leads to beneath the root: an open folder, a name in it that is no link, and its stat.

        Every link on the way is read and its target taken apart likewise. Raises OSError, LeadsOut among them.
        """
        return resolved(self.root.open(FOLDER), self.root.paths, name)


def hindered(error: OSError) -> bool:
    """It says nothing about the file: the machine was short of something, or its disk did not answer."""
    return error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ENOBUFS)


def vanished(error: OSError) -> bool:
    """The file is simply not there any more."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR)


def why(error: OSError) -> str:
    """What a person is told of it, without the path."""
    return (error.strerror or str(error)).lower()


def _check_regular(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, kind(found.st_mode), name)


def kind(mode: int) -> str:
    """What lies there instead of a regular file, by its `st_mode`."""
    kinds = (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a block device"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISDIR, "a folder"),
    )
    return next((text for test, text in kinds if test(mode)), "not a regular file")
