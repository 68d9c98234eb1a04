"""A folder whose files are sent to a store in memory, one by one."""

from pathlib import Path

from osmo.checkpoint.blocks import Shelf
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.diff import by_size
from osmo.checkpoint.events import Event
from osmo.checkpoint.live import LiveNames
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.meter import Flow, Meter
from osmo.checkpoint.names import Names
from osmo.checkpoint.opener import Opener
from osmo.checkpoint.parts import MIB
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.throttle import Throttle
from osmo.checkpoint.tree import Stat, Tree
from osmo.checkpoint.upload import Uploader
from osmo.checkpoint.window import Window
from osmo.store.base import Store
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stores import Recording

OBJECT = ".osmo/t.ckpt/objects/00000007-00000003-1"


class Sending:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = MemoryStore()
        self.asked = Recording(self.memory)
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.meter = Meter(self.events.append, self.clock)
        self.flow = Flow(self.clock)
        self.deadline = float("inf")
        self.tree = Tree(str(folder))
        self.names = Names("t.ckpt", 3)
        self.names.alone = True
        self.doubts: list[None] = []
        self.base: list[FileRecord] = []
        self.shelf = Shelf()
        self.throttle = Throttle(16, 16, self.clock)

    def upload(self, name: str, known: FileRecord | None = None, stat: Stat | None = None, **more: bool) -> Saved:
        """Send a file of which `known` is in the store, as it was found (or is now)."""
        return self.uploader(self.asked)(name, stat or self.stat(name), known, **more)

    def uploader(self, store: Store) -> Uploader:
        return Uploader(
            store,
            Opener(self.tree, self.folder.parent / "scratch", LiveNames()),
            "ckpt/",
            ByteBudget(24 * MIB),
            self.meter,
            self.flow,
            Window(self.clock, lambda: self.deadline),
            self.names,
            7,
            by_size(self.base, [self.stat(path.name) for path in self.folder.iterdir()]),
            lambda: self.doubts.append(None),
            self.shelf,
            self.throttle,
        )

    def stat(self, name: str) -> Stat:
        found = self.tree.stat(name)
        assert found is not None
        return found
