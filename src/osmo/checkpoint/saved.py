"""A file whose bytes are in the store."""

from dataclasses import dataclass, replace

from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.tree import Stat


@dataclass(frozen=True, slots=True)
class Saved:
    """A file whose bytes are in the store, and how it looked on this machine when they were read.

    unsure: somebody had it open for writing then. A memory map may change it afterwards, and its stat does not tell.
    """

    stat: Stat
    record: FileRecord
    unsure: bool = False

    def deferred(self, deferred: bool) -> "Saved":
        """The same, said to be of an earlier checkpoint, or not."""
        if self.record.deferred == deferred:
            return self
        return replace(self, record=replace(self.record, deferred=deferred))
