"""The folder or file that an entry names, and the files beneath it, opened without ever leaving it."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from osmo.checkpoint.descent import FOLDER, resolved
from osmo.checkpoint.root import Here, Root

ROOT = "."  # the root's own name among the problems
UNFINISHED = (".osmo-restore.", ".osmo-part.")
"""How names begin that osmo alone gives: what a restore, or a store that is a folder, has not finished. No data."""
_DIRECTORY = FOLDER | os.O_NOFOLLOW
READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DEEPEST = 200  # each level holds a descriptor open while its folder is walked


class Stat(NamedTuple):
    """What tells whether a file is still the one that was looked at."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stat":
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, stat.S_IMODE(found.st_mode))


UNKNOWN = Stat(-1, 0, 0, 0, 0)
"""How a file looked when nobody remembers: like none."""


@dataclass(slots=True)
class Scan:
    """What one walk found.

    Names are relative to the root; `problems` says why a name is not among the files. doubles: those of them whose key
    is another file's. databases: those of the files that are SQLite databases in WAL mode with a -wal.
    device: the filesystem that the root is on. exists: there is a root, and it could be looked at. hindered: why this
    says less than it should, or empty.
    """

    files: dict[str, Stat] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    doubles: set[str] = field(default_factory=set)
    databases: set[str] = field(default_factory=set)
    device: int | None = None
    exists: bool = True
    hindered: str = ""


class Tree:
    """The regular files beneath one root, or the one file that the root is.

    A link to a file or folder beneath the root counts as what it points to, under the link's name. Links that lead
    out, that dangle or go round in a circle, and what is neither file nor folder are problems of their own name. Only
    regular files and folders are ever opened: opening a named pipe would wake its writer.
    """

    def __init__(self, root: Root | str) -> None:
        self._root = Here(root) if isinstance(root, str) else root
        self._is_file: bool | None = None

    @property
    def is_file(self) -> bool:
        """The root is one file (or was never there: then False). As the last scan found it, so that a cycle that sends
        many files need not ask for each."""
        if self._is_file is None:
            try:
                return stat.S_ISREG(self._root.stat().st_mode)
            except (OSError, ValueError):
                return False
        return self._is_file

    def path(self, name: str) -> str:
        """The path, as the task sees it, of a name that `scan` gave."""
        return self._root.path if self.is_file else os.path.join(self._root.path, name)

    def scan(self, takes: Callable[[str], bool] | None = None) -> Scan:
        """One walk over everything. Never raises for what it finds; a root that is not there gives no files.

        takes: whether the file of a name is wanted; None if all are. A root that is a file was named, and is wanted.
        """
        scan = Scan()
        try:
            found = self._root.stat()
            scan.device = found.st_dev
            self._is_file = stat.S_ISREG(found.st_mode)
            if self._is_file:
                scan.files[os.path.basename(self._root.path)] = Stat.of(found)
            elif stat.S_ISDIR(found.st_mode):
                descriptor = self._root.open(FOLDER)
                _Walk(self, scan, takes).folder(descriptor, "", ())
            else:
                scan.problems[ROOT] = _kind(found.st_mode)
        except OSError as error:
            scan.exists = self._is_file = False
            _note(scan, ROOT, error)
        return scan

    @contextmanager
    def open(self, name: str) -> Iterator[int]:
        """A descriptor for reading the regular file `name`. Raises OSError, LeadsOut among them."""
        descriptor = self._root.open(READ_FILE & ~os.O_NOFOLLOW) if self.is_file else self._open(name)
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
        with self._root.beside() as found:
            yield found

    def stat(self, name: str) -> Stat | None:
        """The file as it is now, whether it may be read or not; None if it is no regular file any more."""
        try:
            if self.is_file:
                return Stat.of(self._root.stat())
            with self.resolved(name) as (_, _, found):
                return Stat.of(found) if stat.S_ISREG(found.st_mode) else None
        except OSError:
            return None

    def _open(self, name: str) -> int:
        with self.resolved(name) as (within, part, found):
            _check_regular(found, name)
            return os.open(part, READ_FILE, dir_fd=within)

    def resolved(self, name: str) -> AbstractContextManager[tuple[int, str, os.stat_result]]:
        """Where `name` leads to beneath the root: an open folder, a name in it that is no link, and its stat.

        Every link on the way is read and its target taken apart likewise. Raises OSError, LeadsOut among them.
        """
        return resolved(self._root.open(FOLDER), self._root.paths, name)


class _Walk:
    """One walk over a tree, into `scan`."""

    def __init__(self, tree: Tree, scan: Scan, takes: Callable[[str], bool] | None) -> None:
        self._tree = tree
        self._scan = scan
        self._takes = takes

    def folder(self, descriptor: int, prefix: str, above: tuple[tuple[int, int], ...]) -> None:
        """Everything in an open folder, which is closed. above: the folders that led here."""
        try:
            here = os.fstat(descriptor)
            chain = (*above, (here.st_dev, here.st_ino))
            if chain[-1] in above:
                self._scan.problems[prefix.rstrip("/")] = "a link that goes round in a circle"
            elif len(chain) > _DEEPEST:
                self._scan.problems[prefix.rstrip("/")] = f"a folder more than {_DEEPEST} levels down"
            else:
                with os.scandir(descriptor) as found:
                    entries = list(found)  # read out, for an open listing is a descriptor, too
                for entry in entries:
                    if not entry.name.startswith(UNFINISHED):
                        self._visit(entry, descriptor, prefix + entry.name, chain)
        except OSError as error:
            _note(self._scan, prefix.rstrip("/") or ROOT, error)
        finally:
            os.close(descriptor)

    def _visit(self, entry: "os.DirEntry[str]", within: int, name: str, chain: tuple[tuple[int, int], ...]) -> None:
        try:
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                self.folder(os.open(entry.name, _DIRECTORY, dir_fd=within), name + "/", chain)
            elif stat.S_ISLNK(found.st_mode):
                self._follow(name, chain)
            else:
                self._take(name, found)
        except OSError as error:
            _note(self._scan, name, error)

    def _follow(self, name: str, chain: tuple[tuple[int, int], ...]) -> None:
        try:
            with self._tree.resolved(name) as (within, part, found):
                if not stat.S_ISDIR(found.st_mode):
                    self._take(name, found)
                    return
                descriptor = os.open(part, _DIRECTORY, dir_fd=within)
        except (FileNotFoundError, NotADirectoryError):
            self._scan.problems[name] = "a link to nothing"
            return
        self.folder(descriptor, name + "/", chain)

    def _take(self, name: str, found: os.stat_result) -> None:
        if self._takes is not None and not self._takes(name):
            return
        if stat.S_ISREG(found.st_mode):
            self._scan.files[name] = Stat.of(found)
        else:
            self._scan.problems[name] = _kind(found.st_mode)


def _note(scan: Scan, name: str, error: OSError) -> None:
    """What vanished between two looks is gone, not a problem."""
    if not vanished(error):
        scan.problems[name] = why(error)
    if hindered(error):
        scan.hindered = f"{name}: {why(error)}"


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
        raise OSError(errno.EINVAL, _kind(found.st_mode), name)


def _kind(mode: int) -> str:
    """What lies there instead of a regular file."""
    kinds = (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a block device"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISDIR, "a folder"),
    )
    return next((text for test, text in kinds if test(mode)), "not a regular file")
