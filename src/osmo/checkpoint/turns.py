"""Whose turn it is: the files of one cycle, in the order in which they are begun."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping

from osmo.checkpoint import diff
from osmo.checkpoint.tree import Stat
from osmo.checkpoint.window import Window

_LOOK_AGAIN_S = 0.1  # whether a deadline has come meanwhile
_MOST_OF_A_FILE = 48 * 1024 * 1024  # more of it is never under way


class Turns:
    """The files that are to be sent, and which of them are under way. Safe to use from many threads.

    Without a deadline they come in the order given, end markers after what they speak for. When there is one, or one
    comes, those that wait are put into a new order: the newest folder first; files for which the time is too short come
    after all others, one by one, and those for which it is far too short not at all. over: whether nothing more is to
    be begun.
    """

    def __init__(self, files: Mapping[str, Stat], window: Window, over: Callable[[], bool]) -> None:
        self._window = window
        self._over = over
        self._changed = threading.Condition()
        self._waiting = dict(files)
        self._under_way: dict[str, Stat] = {}
        self._bytes = 0  # of those
        self._postponed: dict[str, Stat] = {}
        self.given_up: set[str] = set()
        self._order(hurried=window.hurried)

    def next(self) -> tuple[str, Stat] | None:
        """Another file to begin with, None if there is none. Waits until the line has room for it."""
        with self._changed:
            while not self._over() and (self._waiting or self._postponed):
                if self._window.hurried and not self._hurried:
                    self._order(hurried=True)
                name = self._pick()
                for those in (self._waiting, self._postponed):
                    if name is not None and name in those:
                        stat = self._under_way[name] = those.pop(name)
                        self._bytes += _counted(stat)
                        return name, stat
                if self._waiting or self._postponed:
                    self._changed.wait(_LOOK_AGAIN_S)
            return None

    def settle(self, name: str) -> None:
        """What became of a file is known."""
        with self._changed:
            self._bytes -= _counted(self._under_way.pop(name))
            if (number := self._batch_of.pop(name, None)) is not None:
                self._open[number] -= 1
            self._changed.notify_all()

    @property
    def unsettled(self) -> tuple[set[str], set[str]]:
        """The files that are under way, and those that were not begun."""
        with self._changed:
            return set(self._under_way), self._waiting.keys() | self._postponed.keys() | self.given_up

    def _order(self, *, hurried: bool) -> None:
        """Put what waits into batches. What is under way belongs to one, too: the next one waits for it."""
        self._hurried = hurried
        batches = diff.batches(self._waiting | self._under_way, newest_first=hurried)
        self._batches = deque(deque(name for name in batch if name in self._waiting) for batch in batches)
        under_way = self._under_way
        self._batch_of = {name: number for number, batch in enumerate(batches) for name in batch if name in under_way}
        self._open = [len(batch) for batch in batches]

    def _pick(self) -> str | None:
        """The file whose turn it is, None if it has to wait or there is none."""
        while self._batches:
            batch, number = self._batches[0], len(self._open) - len(self._batches)
            while batch:
                stat = self._waiting[name := batch[0]]
                if self._too_late(name, stat):
                    batch.popleft()
                    self._open[number] -= 1
                    self._postponed[name] = self._waiting.pop(name)
                elif self._window.room(stat.size, self._bytes):
                    self._batch_of[name] = number
                    return batch.popleft()
                else:
                    return None
            if self._open[number]:
                return None
            self._batches.popleft()
        return None if self._under_way else self._last_resort()

    def _too_late(self, name: str, stat: Stat) -> bool:
        if not self._hurried:
            return False
        return not self._window.in_time(stat.size, self._bytes) or _speaks_for(name, self._postponed)

    def _last_resort(self) -> str | None:
        """Of those that were postponed: an estimate may be wrong, and the line has nothing better to do."""
        for name in sorted(self._postponed, key=lambda name: (diff.is_end_marker(name), self._postponed[name].size)):
            if not self._window.hopeless(self._postponed[name].size) and not _speaks_for(name, self.given_up):
                return name
            del self._postponed[name]
            self.given_up.add(name)
        return None


def _counted(stat: Stat) -> int:
    return min(stat.size, _MOST_OF_A_FILE)


def _speaks_for(name: str, others: Collection[str]) -> bool:
    return diff.is_end_marker(name) and any(diff.speaks_for(name, other) for other in others)
