"""The folder or file that an entry names, and the files beneath it, opened without ever leaving it.

Names are opened component by component, so that neither a link nor a folder that is swapped for a link while we look
leads out. The root itself is what the user wrote, and may be a link to anywhere.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MOST_LINKS = 40
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


@dataclass(slots=True)
class Scan:
    """What one walk found. Names are relative to the root; `problems` says why a name is not among the files."""

    files: dict[str, Stat] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    exists: bool = True


class LeadsOut(OSError):
    """A link points to something outside the root."""


class Tree:
    """The regular files beneath one root, or the one file that the root is.

    A link to a file or folder beneath the root counts as what it points to, under the link's name. Links that lead
    out, that dangle or go round in a circle, and what is neither file nor folder are problems of their own name.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    @property
    def is_file(self) -> bool:
        """The root is one file (or was never there: then False)."""
        return os.path.isfile(self.root)

    def path(self, name: str) -> str:
        """The local path of a name that `scan` gave."""
        return self.root if self.is_file else os.path.join(self.root, name)

    def scan(self) -> Scan:
        """One walk over everything. Never raises for what it finds; a root that is not there gives no files."""
        scan = Scan()
        try:
            found = os.stat(self.root)
        except OSError as error:
            scan.exists = False
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                scan.problems[os.path.basename(self.root)] = _why(error)
            return scan
        if stat.S_ISREG(found.st_mode):
            scan.files[os.path.basename(self.root)] = Stat.of(found)
        elif stat.S_ISDIR(found.st_mode):
            self._walk(self.root, "", (), scan, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        else:
            scan.problems[os.path.basename(self.root)] = _kind(found.st_mode)
        return scan

    @contextmanager
    def open(self, name: str) -> Iterator[int]:
        """A descriptor for reading the regular file `name`. Raises OSError, LeadsOut among them."""
        descriptor = os.open(self.root, _FILE & ~os.O_NOFOLLOW) if self.is_file else self._resolve(name, _FILE)
        try:
            if not stat.S_ISREG((found := os.fstat(descriptor)).st_mode):
                raise OSError(errno.EINVAL, _kind(found.st_mode), name)
            yield descriptor
        finally:
            os.close(descriptor)

    def stat(self, name: str) -> Stat | None:
        """The file as it is now; None if it cannot be opened any more."""
        try:
            with self.open(name) as descriptor:
                return Stat.of(os.fstat(descriptor))
        except OSError:
            return None

    def _walk(self, path: str | int, prefix: str, above: tuple[tuple[int, int], ...], scan: Scan, flags: int) -> None:
        try:
            descriptor = path if isinstance(path, int) else os.open(path, flags)
        except OSError as error:
            _note(scan, prefix or os.path.basename(self.root), error)
            return
        try:
            here = os.fstat(descriptor)
            chain = (*above, (here.st_dev, here.st_ino))
            if chain[-1] in above:
                scan.problems[prefix.rstrip("/")] = "a link that goes round in a circle"
                return
            if len(chain) > _DEEPEST:
                scan.problems[prefix.rstrip("/")] = f"a folder more than {_DEEPEST} levels down"
                return
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    self._visit(entry, descriptor, prefix, chain, scan)
        except OSError as error:
            _note(scan, prefix or os.path.basename(self.root), error)
        finally:
            os.close(descriptor)

    def _visit(
        self, entry: "os.DirEntry[str]", within: int, prefix: str, chain: tuple[tuple[int, int], ...], scan: Scan
    ) -> None:
        name = prefix + entry.name
        try:
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                scan.files[name] = Stat.of(found)
            elif stat.S_ISDIR(found.st_mode):
                self._walk(os.open(entry.name, _DIRECTORY, dir_fd=within), name + "/", chain, scan, 0)
            elif stat.S_ISLNK(found.st_mode):
                self._follow(name, chain, scan)
            else:
                scan.problems[name] = _kind(found.st_mode)
        except OSError as error:
            _note(scan, name, error)

    def _follow(self, name: str, chain: tuple[tuple[int, int], ...], scan: Scan) -> None:
        try:
            descriptor = self._resolve(name, _FILE)
        except FileNotFoundError:
            scan.problems[name] = "a link to nothing"
            return
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            self._walk(descriptor, name + "/", chain, scan, 0)
            return
        os.close(descriptor)
        if stat.S_ISREG(found.st_mode):
            scan.files[name] = Stat.of(found)
        else:
            scan.problems[name] = _kind(found.st_mode)

    def _resolve(self, name: str, flags: int) -> int:
        """Open `name` beneath the root. Every link on the way is read and its target taken apart likewise."""
        ahead = deque(name.split("/"))
        links = 0
        inside = _Descent(self.root)
        try:
            while ahead:
                part = ahead.popleft()
                if part in ("", ".", ".."):
                    inside.leave(part, name)
                elif (target := inside.link(part)) is not None:
                    links += 1
                    if links > _MOST_LINKS:
                        raise OSError(errno.ELOOP, "a link that goes round in a circle", name)
                    if target.startswith("/"):
                        target = self._beneath(target, name)
                        inside.to_the_root()
                    ahead.extendleft(reversed(target.split("/")))
                elif ahead:
                    inside.enter(part)
                else:
                    return os.open(part, flags, dir_fd=inside.here)
            return os.open(".", flags, dir_fd=inside.here)  # the last part was a folder's `.` or `..`
        finally:
            inside.close()

    def _beneath(self, target: str, name: str) -> str:
        for root in {self.root, os.path.realpath(self.root)}:
            if target == root or target.startswith(root.rstrip("/") + "/"):
                return target[len(root) :].lstrip("/") or "."
        raise LeadsOut(errno.EXDEV, "a link that leads out of the folder", name)


class _Descent:
    """The folders from the root down to where a name has led so far, all open."""

    def __init__(self, root: str) -> None:
        self._open = [os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]

    @property
    def here(self) -> int:
        return self._open[-1]

    def enter(self, part: str) -> None:
        self._open.append(os.open(part, _DIRECTORY, dir_fd=self.here))

    def leave(self, part: str, name: str) -> None:
        """Go up for `..`; stay for `.` and nothing. Raises LeadsOut above the root."""
        if part == "..":
            if len(self._open) == 1:
                raise LeadsOut(errno.EXDEV, "a link that leads out of the folder", name)
            os.close(self._open.pop())

    def to_the_root(self) -> None:
        while len(self._open) > 1:
            os.close(self._open.pop())

    def link(self, part: str) -> str | None:
        """What the link points to; None if it is none."""
        try:
            return os.readlink(part, dir_fd=self.here)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)


def _note(scan: Scan, name: str, error: OSError) -> None:
    """What vanished between two looks is gone, not a problem."""
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        scan.problems[name.rstrip("/")] = _why(error)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a block device"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISDIR, "a folder"),
    )
    return next((text for test, text in kinds if test(mode)), "not a regular file")
