"""What an agent leaves for the next one of its attempt: what of a stream is durable, and how it looks here."""

from collections.abc import Iterator
from pathlib import Path

from osmo.checkpoint.table import Table
from osmo.rundir import looks
from osmo.rundir.looks import Numbers

_AT_LEAST = 1000


class Noted:
    """The note of one stream. It costs what has changed since the last one; now and then, all. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved: Table | None = None  # what the file says, None if that is not known
        self._added = 0  # lines, since it was begun

    def note(self, checkpoint: int | None, saved: Table, *, is_here: bool) -> None:
        """These files are durable. On disk when this returns. Raises OSError; the next note makes up for it.

        is_here: all have the bytes of the checkpoint, for they were just restored. Else one that is deferred has others
        here, even if it looks the same.
        """
        before, self._saved = self._saved, None
        if before is None or self._added > max(len(before), _AT_LEAST):
            looks.write(self._path, checkpoint, _all(saved, is_here=is_here))
            self._added = 0
        elif saved is not before:  # as it is in an idle cycle
            changed = [name for name in saved.news(before) if name not in saved.deferred]
            gone = [*saved.lacks(before), *saved.deferred]
            looks.add(self._path, checkpoint, ((name, saved[name].stat.numbers) for name in changed), gone)
            self._added += len(changed) + len(gone)
        self._saved = saved


def _all(saved: Table, *, is_here: bool) -> Iterator[tuple[str, Numbers]]:
    for name in saved.names():
        if (is_here or name not in saved.deferred) and (stat := saved.stat(name)) is not None:
            yield name, stat.numbers
