"""The files that a walk found, as what differs from those that were known: a folder that rests costs no memory."""

from collections.abc import Iterable, Iterator, MutableMapping

from osmo.checkpoint.table import EMPTY, Table
from osmo.checkpoint.tree import Stat


class Found(MutableMapping[str, Stat]):
    """All files of a folder, and how they look.

    before: those that were known. changed: those that were not, or look different now. gone: the names that were known
    and are not there.
    """

    def __init__(self, before: Table = EMPTY) -> None:
        self.before = before
        self.changed: dict[str, Stat] = {}
        self.gone: set[str] = set()
        self._new = 0  # of the changed ones
        self._ended: set[str] = set()

    def __getitem__(self, name: str) -> Stat:
        found = self.changed.get(name)
        if found is None and name not in self.gone:
            found = self.before.stat(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self.changed or (name not in self.gone and name in self.before)

    def __setitem__(self, name: str, stat: Stat) -> None:
        self.gone.discard(name)
        if name not in self.before:
            self.new(name, stat)
        elif self.before.looks(name, stat):
            self.changed.pop(name, None)
        else:
            self.changed[name] = stat

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.changed.pop(name, None)
        if name in self.before:
            self.gone.add(name)
        else:
            self._new -= 1

    def __iter__(self) -> Iterator[str]:
        yield from self.changed
        yield from (name for name in self.before.names() if name not in self.changed and name not in self.gone)

    def __len__(self) -> int:
        return len(self.before) - len(self.gone) + self._new

    def new(self, name: str, stat: Stat) -> None:
        """One that was not known."""
        self._new += name not in self.changed
        self.changed[name] = stat

    def end_folder(self, folder: str, seen: Iterable[str]) -> None:
        """A folder was gone through. seen: the last parts of the names in it that were known, and are there."""
        known = self.before.folder(folder)
        self._ended.add(folder)
        if known and len(seen := list(seen)) < len(known):
            self.gone.update(folder + base for base in known.keys() - set(seen))

    def end(self) -> None:
        """All folders that are there were gone through."""
        for folder in self.before.folders():
            if folder not in self._ended:
                self.gone.update(folder + base for base in self.before.folder(folder))

    def suspects(self) -> Iterator[str]:
        """The names that are to be looked at: all of those that were not known, and what is odd among the others."""
        yield from self.changed
        yield from (name for name in self.before.odd if name not in self.changed and name not in self.gone)

    def lacks(self, other: Table) -> set[str]:
        """The names of the files of a table that are not there."""
        if other is self.before:
            return self.gone
        not_before = {name for name in self.before.lacks(other) if name not in self.changed}
        return {name for name in self.gone if name in other} | not_before

    def unlike(self, other: Table) -> dict[str, Stat]:
        """The files that the table has not, or that look different there."""
        if other is self.before:
            return self.changed
        found = {name: stat for name, stat in self.changed.items() if not other.looks(name, stat)}
        for name in self.before.news(other):
            stat = self.get(name)
            if stat is not None and not other.looks(name, stat):
                found[name] = stat
        return found
