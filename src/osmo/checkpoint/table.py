"""The files of a folder or a checkpoint, by name: a million of them in some hundred megabytes."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import Self

from osmo.checkpoint import packed
from osmo.checkpoint.key import CONTROL
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.packed import pack, unpack
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.sqlite import SIDECARS
from osmo.checkpoint.tree import UNKNOWN, Stat
from osmo.errors import StoreError

_NOTHING: Mapping[str, bytes] = {}


class Table(Mapping[str, Saved]):
    """It never changes. What is derived from it shares with it every folder that is the same.

    Each lookup makes its value anew. size: bytes of all files. deferred, unsure: the names of those that are (see
    `FileRecord`, `Saved`). odd: those that may mean something else together with others (see `_is_odd`).
    """

    __slots__ = ("_count", "_folders", "deferred", "odd", "size", "unsure")

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, bytes]] = {}
        self._count = 0
        self.size = 0
        self.deferred: frozenset[str] = frozenset()
        self.unsure: frozenset[str] = frozenset()
        self.odd: frozenset[str] = frozenset()

    @classmethod
    def of(cls, files: Iterable[Saved]) -> "Table":
        """The last of those with the same name counts."""
        draft = Draft()
        for saved in files:
            draft.put(saved)
        return draft.table()

    def __getitem__(self, name: str) -> Saved:
        cut = name.rfind("/") + 1
        return unpack(name, self._folders[name[:cut]][name[cut:]])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._packed(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Folder by folder, each in order."""
        for folder in sorted(self._folders):
            for base in sorted(self._folders[folder]):
                yield folder + base

    def __len__(self) -> int:
        return self._count

    def names(self) -> Iterator[str]:
        """In no order, which takes less time."""
        for folder, files in self._folders.items():
            for base in files:
                yield folder + base

    def folder(self, folder: str) -> Mapping[str, bytes]:
        """The packed files that lie in a folder itself, by their last part. folder: empty, or with its last slash."""
        return self._folders.get(folder, _NOTHING)

    def folders(self) -> Collection[str]:
        """All that files lie in, each as `folder` takes it."""
        return self._folders.keys()

    def looks(self, name: str, looks: bytes) -> bool:
        """Whether the file is there, and looked like this: see `tree.looks`."""
        found = self._packed(name)
        return found is not None and found.startswith(looks)

    def stat(self, name: str) -> Stat | None:
        """How the file looked."""
        found = self._packed(name)
        return None if found is None else Stat.beginning(found)

    def record(self, name: str) -> FileRecord | None:
        found = self._packed(name)
        return None if found is None else packed.record(name, found)

    def is_plain(self, name: str) -> bool:
        """Whether the file is there, and its content lies at its plain file's key: see `packed.is_plain`."""
        found = self._packed(name)
        return found is not None and packed.is_plain(found)

    def of_sizes(self, sizes: Collection[int]) -> Iterator[FileRecord]:
        """The records of these sizes."""
        wanted = {size.to_bytes(8, "little") for size in sizes}
        for folder, files in self._folders.items():
            for base, value in files.items():
                if value[packed.SIZE] in wanted:
                    yield packed.record(folder + base, value)

    def at(self, keys: Set[str]) -> Iterator[FileRecord]:
        """The records of the files whose bytes are at one of these keys of plain files.

        Such a key is the file's name, or ends with it behind one folder; unless the name is odd.
        """
        names = {name for key in keys for name in (key, key.partition("/")[2])} | self.odd
        for name in names:
            found = self.record(name)
            if found is not None and found.place in keys:
                yield found

    def objects(self) -> Iterator[str]:
        """The keys that the records name, but for those of plain files of their names."""
        for folder, files in self._folders.items():
            for base, value in files.items():
                if not packed.is_plain(value):
                    yield from packed.record(folder + base, value).keys

    def differs(self, other: "Table") -> Iterator[str]:
        """The names of the files that the other has not, or with another record."""
        for folder, files in self._folders.items():
            theirs = other.folder(folder)
            if files is theirs:
                continue
            for base, value in files.items():
                known = theirs.get(base)
                if known is not value and (known is None or not packed.same_record(known, value)):
                    yield folder + base

    def news(self, other: "Table") -> Iterator[str]:
        """The names of the files that the other has not, or with anything that is not the same."""
        for folder, files in self._folders.items():
            theirs = other.folder(folder)
            if files is not theirs:
                yield from (folder + base for base, value in files.items() if theirs.get(base) != value)

    def lacks(self, other: "Table") -> Iterator[str]:
        """The names of the files that only the other has."""
        for folder in other.folders():
            mine, theirs = self.folder(folder), other.folder(folder)
            if mine is not theirs:
                yield from (folder + base for base in theirs if base not in mine)

    def own_entries(self, other: "Table") -> int:
        """How many folders there are, and files in those that it does not share with the other."""
        files = sum(len(files) for folder, files in self._folders.items() if files is not other.folder(folder))
        return len(self._folders) + files

    def changed(self, new: Iterable[Saved], gone: Iterable[str] = ()) -> "Table":
        """The same without those that are gone, and with those that are new."""
        draft = Draft(self)
        for name in gone:
            draft.remove(name)
        for saved in new:
            draft.put(saved)
        return draft.table()

    def looking(self, stats: Mapping[str, Stat]) -> "Table":
        """The same, but that the files that have one of the stats look like this."""
        draft = Draft(self)
        for name, stat in stats.items():
            draft.look(name, stat)
        return draft.table()

    def _packed(self, name: str) -> bytes | None:
        cut = name.rfind("/") + 1
        return self.folder(name[:cut]).get(name[cut:])


EMPTY = Table()


def _is_odd(name: str) -> bool:
    """Its key is not its name, or may be osmo's own; or it is a part of a database, if that is there."""
    return not name.isprintable() or name.endswith(SIDECARS) or name.startswith(CONTROL)


class Draft:
    """A table that is being made. For one thread."""

    def __init__(self, begin: Table = EMPTY) -> None:
        self._take(begin)

    def put(self, saved: Saved) -> None:
        """Raises ValueError for a record that no file can have."""
        name = saved.record.name
        value = pack(saved)
        cut = name.rfind("/") + 1
        files = self._own(name[:cut])
        base = name[cut:]
        before = files.get(base)
        if before is None:
            self._count += 1
            if _is_odd(name):
                self._odd.add(name)
        else:
            self._forget(name, before)
        files[base] = value
        self._size += saved.record.size
        if saved.record.deferred:
            self._deferred.add(name)
        if saved.unsure:
            self._unsure.add(name)

    def look(self, name: str, stat: Stat) -> None:
        """Its stat is this, and nobody has it open. It is no error if it is not there."""
        cut = name.rfind("/") + 1
        if name[cut:] in self._folders.get(name[:cut], _NOTHING):
            files = self._own(name[:cut])
            files[name[cut:]] = packed.looking(files[name[cut:]], stat)
            self._unsure.discard(name)

    def remove(self, name: str) -> None:
        """It is no error if it is not there."""
        cut = name.rfind("/") + 1
        if name[cut:] not in self._folders.get(name[:cut], _NOTHING):
            return
        files = self._own(name[:cut])
        self._forget(name, files.pop(name[cut:]))
        self._odd.discard(name)
        self._count -= 1
        if not files:
            del self._folders[name[:cut]]
            self._owned.discard(name[:cut])

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: str) -> bool:
        cut = name.rfind("/") + 1
        return name[cut:] in self._folders.get(name[:cut], _NOTHING)

    def table(self) -> Table:
        """What it is now. More may be put into the draft: the table stays as it is."""
        table = Table()
        table._folders = self._folders
        table._count, table.size = self._count, self._size
        table.deferred, table.unsure, table.odd = map(frozenset, (self._deferred, self._unsure, self._odd))
        self._take(table)
        return table

    def _take(self, table: Table) -> None:
        self._folders = dict(table._folders)
        self._owned: set[str] = set()
        self._count, self._size = len(table), table.size
        self._deferred, self._unsure, self._odd = set(table.deferred), set(table.unsure), set(table.odd)

    def _own(self, folder: str) -> dict[str, bytes]:
        if folder not in self._owned:
            self._folders[folder] = dict(self._folders.get(folder, _NOTHING))
            self._owned.add(folder)
        return self._folders[folder]

    def _forget(self, name: str, value: bytes) -> None:
        self._size -= packed.size_of(value)
        if packed.is_deferred(value):
            self._deferred.discard(name)
        if packed.is_unsure(value):
            self._unsure.discard(name)


class Files(Collection[FileRecord]):
    """The records of a table: what a checkpoint holds."""

    __slots__ = ("_table",)

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def table(self) -> Table:
        """Raises StoreError if they could not be read."""
        return self._table

    @classmethod
    def of(cls, records: Iterable[FileRecord]) -> Self:
        """The last of those with the same name counts. How they look here is not known."""
        return cls(Table.of(Saved(UNKNOWN, record) for record in records))

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return self.table.size

    def __iter__(self) -> Iterator[FileRecord]:
        """Folder by folder, each in order."""
        for folder in sorted(self.table.folders()):
            files = self.table.folder(folder)
            for base in sorted(files):
                yield packed.record(folder + base, files[base])

    def __len__(self) -> int:
        return len(self.table)

    def __contains__(self, record: object) -> bool:
        return isinstance(record, FileRecord) and self.get(record.name) == record

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Files) or len(self) != len(other):
            return False
        return next(iter(self.table.differs(other.table)), None) is None

    __hash__ = None  # type: ignore[assignment]  # large, and nobody asks

    def get(self, name: str) -> FileRecord | None:
        """The record of this name."""
        return self.table.record(name)


class Unread(Files):
    """Files that could not be read, or were not asked for. Whoever needs them gets the reason, a StoreError."""

    __slots__ = ("_count", "_size", "why")

    def __init__(self, why: StoreError, count: int = 0, size: int = 0) -> None:
        super().__init__(EMPTY)
        self.why = why
        self._count = count
        self._size = size

    @property
    def table(self) -> Table:
        raise type(self.why)(str(self.why), hint=self.why.hint)

    @property
    def size(self) -> int:
        return self._size

    def __len__(self) -> int:
        return self._count
