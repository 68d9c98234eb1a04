"""How a file is opened for the store: as a file at rest, as the beginning of a live one, or as a copy of a database."""

import os
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from osmo.checkpoint import live, sqlite
from osmo.checkpoint.lease import open_for_writing
from osmo.checkpoint.live import LiveNames, Prefix
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.reader import Reader, Whole
from osmo.checkpoint.tree import Stat, Tree
from osmo.errors import FileMoved


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens files of one tree. Many threads share one.

    scratch: the folder for copies of databases. databases: the files to be copied there. unsettled: those that did not
    look the same for long enough; only as live files may they be read. at_rest: somebody who knows says that nobody
    writes, even if a file is open for writing.
    """

    tree: Tree
    scratch: Path
    is_live: LiveNames
    databases: Set[str] = field(default_factory=frozenset)
    unsettled: Set[str] = field(default_factory=frozenset)
    at_rest: bool = False

    @contextmanager
    def __call__(self, name: str, stat: Stat, known: FileRecord | None, *, last_chance: bool) -> Iterator[Reader]:
        """What is to be stored of the file `name`.

        stat: how the walk found it. known: what is stored of it. last_chance: there is no later, so whatever moves is
        taken as it is, and called torn. Raises FileMoved if it is not at rest; OSError if it cannot be read.
        """
        with ExitStack() as stack:
            yield self._reader(stack, name, stat, known, last_chance=last_chance)

    def _reader(
        self, stack: ExitStack, name: str, stat: Stat, known: FileRecord | None, *, last_chance: bool
    ) -> Reader:
        if name in self.databases:
            try:
                copy = stack.enter_context(sqlite.snapshot(self.tree, name, self.scratch))
                return Reader(copy, name, stat, os.fstat(copy).st_size)
            except FileMoved:
                if not last_chance:
                    raise
        descriptor = stack.enter_context(self.tree.open(name))
        found = Stat.of(os.fstat(descriptor))

        def written() -> bool:
            return is_written(self.tree, name, descriptor)

        if last_chance:
            return Whole(descriptor, name, found, written, tolerant=True)
        if not self.at_rest and self.is_live(name) and (name in self.unsettled or written()):
            return _prefix(descriptor, name, found, known)
        if found != stat:
            raise FileMoved(f"{name} changed while it was looked at")
        if not self.at_rest:
            return Whole(descriptor, name, found, written)
        reader = Whole(descriptor, name, found, lambda: False)
        reader.unsure = written()
        return reader


def is_written(tree: Tree, name: str, descriptor: int) -> bool:
    """Whether somebody could be writing the open file just now. One who has a database open need not."""
    if not open_for_writing(descriptor):
        return False
    if sqlite.mode(descriptor) is None:
        return True
    with tree.beside(name) as (folder, part):
        return not sqlite.quiet(descriptor, folder, part)


def _prefix(descriptor: int, name: str, found: Stat, known: FileRecord | None) -> Prefix:
    size = live.whole(descriptor, name, found.size, known)
    if found.size and not size:
        raise FileMoved(f"{name} has no whole line yet")
    return Prefix(descriptor, name, found, size, known)
