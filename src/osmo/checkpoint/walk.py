"""One pass over a folder, in which each file is compared with how it looked before: what rests costs no memory."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from osmo.checkpoint.descent import FOLDER
from osmo.checkpoint.found import Found
from osmo.checkpoint.table import EMPTY, Table
from osmo.checkpoint.tree import DIRECTORY, ROOT, UNFINISHED, Stat, Tree, hindered, kind, looks, vanished, why

_KIND = 0o170000  # of `st_mode`
_DEEPEST = 200  # each level holds a descriptor open while its folder is walked


@dataclass(slots=True)
class Scan:
    """What one walk found.

    Names are relative to the root; `problems` says why a name is not among the files. doubles: those of them whose key
    is another file's. databases: those of the files that are SQLite databases in WAL mode with a -wal.
    device: the filesystem that the root is on. exists: there is a root, and it could be looked at. hindered: why this
    says less than it should, or empty.
    """

    files: Found = field(default_factory=Found)
    problems: dict[str, str] = field(default_factory=dict)
    doubles: set[str] = field(default_factory=set)
    databases: set[str] = field(default_factory=set)
    device: int | None = None
    exists: bool = True
    hindered: str = ""


def walk(tree: Tree, takes: Callable[[str], bool] | None = None, before: Table = EMPTY) -> Scan:
    """One walk over everything. Never raises for what it finds; a root that is not there gives no files.

    takes: whether the file of a name is wanted; None if all are. A root that is a file was named, and is wanted.
    before: the files that were known, and how they looked.
    """
    scan = Scan(Found(before))
    try:
        root = tree.look()
        scan.device = root.st_dev
        if stat.S_ISREG(root.st_mode):
            scan.files.end_folder("", ())
            scan.files[os.path.basename(tree.root.path)] = Stat.of(root)
        elif stat.S_ISDIR(root.st_mode):
            _Walk(tree, scan, takes).folder(tree.root.open(FOLDER), "", ())
        else:
            scan.problems[ROOT] = kind(root.st_mode)
    except OSError as error:
        scan.exists = False
        _note(scan, ROOT, error)
    scan.files.end()
    return scan


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
                for base in self._files(descriptor, prefix):  # afterwards: an open listing is a descriptor, too
                    if not base.startswith(UNFINISHED):
                        self._visit(base, descriptor, prefix + base, chain)
        except OSError as error:
            _note(self._scan, prefix.rstrip("/") or ROOT, error)
        finally:
            os.close(descriptor)

    def _files(self, descriptor: int, prefix: str) -> list[str]:
        """Take the files of an open folder. Returns the names of all else: folders, links, what is odd.

        Here a walk spends its time: whatever is not done for a file that looks as it did is saved a million times.
        """
        files, takes = self._scan.files, self._takes
        known = files.before.folder(prefix)
        seen: list[str] = []  # of those that are known
        others: list[str] = []
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    base = entry.name
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError as error:
                        _note(self._scan, prefix + base, error)
                        continue
                    if found.st_mode & _KIND != stat.S_IFREG:
                        others.append(base)
                    elif takes is None or takes(prefix + base):
                        before = known.get(base)
                        if before is None:
                            if not base.startswith(UNFINISHED):
                                files.new(prefix + base, Stat.of(found))
                            continue
                        seen.append(base)
                        if not before.startswith(looks(found)):
                            files.changed[prefix + base] = Stat.of(found)
        finally:
            files.end_folder(prefix, seen)
        return others

    def _visit(self, base: str, within: int, name: str, chain: tuple[tuple[int, int], ...]) -> None:
        """Something that was no file a moment ago. within: the open folder that it lies in."""
        try:
            found = os.stat(base, dir_fd=within, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                self.folder(os.open(base, DIRECTORY, dir_fd=within), name + "/", chain)
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
                descriptor = os.open(part, DIRECTORY, dir_fd=within)
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
            self._scan.problems[name] = kind(found.st_mode)


def _note(scan: Scan, name: str, error: OSError) -> None:
    """What vanished between two looks is gone, not a problem."""
    if not vanished(error):
        scan.problems[name] = why(error)
    if hindered(error):
        scan.hindered = f"{name}: {why(error)}"
