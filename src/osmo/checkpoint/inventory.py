"""What one stream has in the store, as far as this process knows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from osmo.checkpoint.table import EMPTY, Draft, Table


class Inventory:
    """The files of the last commit, and those sent since. For one thread.

    committed: what the newest checkpoint holds. all: what lies in the store for each file now.
    """

    def __init__(self) -> None:
        self.committed = self.all = EMPTY

    @contextmanager
    def sending(self) -> Iterator[Draft]:
        """What is put into the draft is in the store, and in no commit yet. It is so also after an error."""
        draft = Draft(self.all)
        try:
            yield draft
        finally:
            self.all = draft.table()

    def forget(self, names: set[str]) -> None:
        """What lies at these files' keys is not what we put there, or nobody knows."""
        if not names.isdisjoint(self.all):
            self.committed = self.committed.changed((), names)
            self.all = self.all.changed((), names)

    def compare(self, etags: Mapping[str, str]) -> None:
        """Forget all that the store (key to etag) does not have, or has otherwise."""
        self.forget({name for name, saved in self.all.items() if etags.get(saved.record.place) != saved.record.etag})

    def commit(self, files: Table) -> None:
        """This set, and nothing else, is what the newest checkpoint holds."""
        self.committed = self.all = files
