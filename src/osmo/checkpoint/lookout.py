"""Looks at changed files, again if need be, and tells which may be read now."""

import threading
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass

from osmo.checkpoint.gate import Gate
from osmo.checkpoint.hold import Hold, holding
from osmo.checkpoint.live import LiveNames
from osmo.checkpoint.opener import is_written
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.tree import Stat, Tree
from osmo.clock import Clock


@dataclass(frozen=True, slots=True)
class Ready:
    """files: may be read now, in the order of the scan. unsettled: those of them that still change, and are read as
    live files. moving: the others, that wait for their writers to rest."""

    files: Mapping[str, Stat]
    unsettled: Set[str]
    moving: Set[str]


class Lookout:
    """Remembers how the files of one tree looked."""

    def __init__(self, tree: Tree, is_live: LiveNames, settle_s: float, clock: Clock) -> None:
        self._tree = tree
        self._is_live = is_live
        self._gate = Gate(settle_s)
        self._clock = clock
        self._never = threading.Event()

    def sort(self, changed: Mapping[str, Stat], databases: Set[str], stop: threading.Event) -> Ready:
        """What of the changed files may be read. Looks twice if it has to, unless `stop` is set.

        databases: those that are copied, and need no rest. Whether somebody has a file open is seen when it is read.
        """
        found = changed
        if databases:
            found = {name: stat for name, stat in changed.items() if name not in databases}
        resting = self._gate.look(found, self._clock.monotonic())
        if not all(name in resting or self._is_live(name) for name in found):
            self._clock.wait(stop, self._gate.settle_s)
            found = self._again(found, resting)
            resting = self._gate.look(found, self._clock.monotonic())
        restless = [name for name in found if name not in resting]
        unsettled = {name for name in restless if self._is_live(name)}
        moving = {name for name in restless if name not in unsettled}
        if found is changed and not moving:
            return Ready(changed, unsettled, moving)
        files = {name: found.get(name, stat) for name, stat in changed.items() if name not in moving}
        return Ready(files, unsettled, moving)

    def _again(self, found: Mapping[str, Stat], resting: Set[str]) -> Mapping[str, Stat]:
        """How they look now, those at rest as they did. What is gone is left out. The same mapping if all is the same:
        a million of them are there once, not twice."""
        now = self._tree.stats(name for name in found if name not in resting)
        if len(resting) + len(now) == len(found) and all(stat == found[name] for name, stat in now.items()):
            return found
        return {name: now.get(name, stat) for name, stat in found.items() if name in resting or name in now}

    def holding(self, moving: Set[str], databases: Set[str], last: Mapping[str, Saved]) -> set[str]:
        """Which of the moving files hold the commit. Live files and databases never do: they have ways of their own."""
        return {name for name in holding(moving, last) if name not in databases and not self._is_live(name)}

    def wait(self, names: Set[str], moving: Set[str], hold: Hold, hurried: Callable[[], bool]) -> bool:
        """Look every second until the files of these names rest, or are gone. False if patience ends before.

        moving: those among others, whose looks are remembered, too. hurried: whether patience has to end at once.
        """
        while pause_s := hold.pause_s(self._clock.monotonic()):
            if hurried():
                return False
            self._clock.wait(self._never, pause_s)
            looks = self._looks(moving)
            resting = self._gate.look(looks, self._clock.monotonic())
            if all(name not in looks or (name in resting and not self._is_written(name)) for name in names):
                return True
        return False

    def _looks(self, names: Iterable[str]) -> dict[str, Stat]:
        """Those that are still there."""
        return self._tree.stats(sorted(names))

    def _is_written(self, name: str) -> bool:
        with suppress(OSError), self._tree.open(name) as descriptor:
            return is_written(self._tree, name, descriptor)
        return False  # told when it is to be read
