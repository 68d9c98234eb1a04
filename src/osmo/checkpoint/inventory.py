"""What one stream has in the store, as far as this process knows."""

from collections.abc import Mapping

from osmo.checkpoint.diff import Saved


class Inventory:
    """The files of the last commit, and those sent since. For one thread. The mappings that it gives never change."""

    def __init__(self) -> None:
        self.committed: Mapping[str, Saved] = {}
        self._sent: Mapping[str, Saved] = {}

    @property
    def all(self) -> Mapping[str, Saved]:
        """What lies at each file's key now."""
        return {**self.committed, **self._sent} if self._sent else self.committed

    def sent(self, files: Mapping[str, Saved]) -> None:
        """These are in the store, and in no commit yet."""
        if files:
            self._sent = {**self._sent, **files}

    def forget(self, names: set[str]) -> None:
        """What lies at these files' keys is not what we put there, or nobody knows."""
        if not names.isdisjoint(self.all):
            self.committed = {name: saved for name, saved in self.committed.items() if name not in names}
            self._sent = {name: saved for name, saved in self._sent.items() if name not in names}

    def compare(self, etags: Mapping[str, str]) -> None:
        """Forget all that the store (key to etag) does not have, or has otherwise."""
        self.forget({name for name, saved in self.all.items() if etags.get(saved.record.place) != saved.record.etag})

    def commit(self, files: Mapping[str, Saved]) -> None:
        """This set, and nothing else, is what the newest checkpoint holds."""
        self.committed, self._sent = files, {}
