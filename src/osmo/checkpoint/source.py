"""What is checkpointed: the entries of one path and url, and the files that they take."""

from collections.abc import Callable, Iterable
from shlex import quote

from osmo.checkpoint import key, sidecars
from osmo.checkpoint.root import root_of
from osmo.checkpoint.table import EMPTY, Table
from osmo.checkpoint.tree import ROOT, Tree
from osmo.checkpoint.walk import Scan, walk
from osmo.spec.checkpoint import CheckpointEntry, Matcher
from osmo.store.keys import room


class Source:
    """One folder or file, as the entries that name it see it. All have the same path and url."""

    def __init__(self, entries: tuple[CheckpointEntry, ...]) -> None:
        self.entries = entries
        self.tree = Tree(root_of(entries[0].root, entries[0].seen, entries[0].real))
        self._room = room(entries[0].url)
        self._matchers = {entry: Matcher(entry.regex, entries[0].basename) for entry in entries}

    @property
    def prefix(self) -> str:
        """What every key begins with."""
        return "" if self.tree.is_file else self.entries[0].prefix

    @property
    def plain(self) -> str:
        """The folder of the plain files, or the one plain file, relative to the url."""
        return self.entries[0].basename if self.tree.is_file else self.prefix

    @property
    def misnamed(self) -> bool:
        """It is one file, which is always taken, and its name is not what the regex asks for."""
        return self.tree.is_file and not self._takes(self.entries[0].basename)

    def scan(self, before: Table = EMPTY) -> Scan:
        """The files that any entry takes and the store can hold. before: those that were known; what they are called is
        not looked into again."""
        takes_all = any(not entry.regex for entry in self.entries)
        scan = walk(self.tree, None if takes_all else self._takes_beside, before)
        sidecars.fold(self.tree, scan)
        if not takes_all and not self.tree.is_file:
            for name in [name for name in scan.files.suspects() if sidecars.owner(name) and not self._takes(name)]:
                del scan.files[name]
        for name in key.reserved(self.prefix, scan.files.suspects()):
            del scan.files[name]
            scan.problems[ROOT if self.prefix else key.CONTROL] = "this name is osmo's own at the url"
        for name, problem in key.too_long(self.prefix, scan.files.suspects(), self._room).items():
            del scan.files[name]
            scan.problems[name] = problem
        for name, owner in key.doubles(scan.files.suspects(), scan.files).items():
            del scan.files[name]
            scan.doubles.add(name)
            scan.problems[name] = f"{owner!r} has its name in the store"
        return scan

    def taken_by(self, entries: Iterable[CheckpointEntry]) -> Callable[[str], bool] | None:
        """Whether one of these entries takes the scanned file of a name; None if they take all."""
        matchers = [self._matchers[entry] for entry in entries]
        if len(matchers) == len(self.entries) or self.tree.is_file:  # a file was named: no regex is asked
            return None
        return lambda name: any(takes(name) for takes in matchers)

    def upload_command(self, endpoint: str) -> str:
        """What a person can type to bring the files to where they belong, without us. endpoint: of S3, if not AWS's."""
        root, to = self.entries[0].local, f"{self.entries[0].url}/{self.prefix}"
        if not to.startswith(("s3://", "file://")):
            what = root if self.tree.is_file else f"{root}/*"
            return f"osmo data upload {quote(to.rstrip('/'))} {quote(what)}"
        if not to.startswith("file://"):
            where = f"--endpoint-url {quote(endpoint)} " if endpoint else ""
            return f"aws s3 cp {where}{'' if self.tree.is_file else '--recursive '}{quote(root)} {quote(to)}"
        folder = quote(to.removeprefix("file://").rstrip("/"))
        return f"mkdir -p {folder} && cp -a {quote(root)}{'' if self.tree.is_file else '/.'} {folder}"

    def _takes_beside(self, name: str) -> bool:
        """Whether an entry takes the file, or the database that it may be a part of."""
        database = sidecars.owner(name)
        return self._takes(name) or (database is not None and self._takes(database))

    def _takes(self, name: str) -> bool:
        return any(takes(name) for takes in self._matchers.values())
