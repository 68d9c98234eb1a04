"""Which changed files are at rest. Nothing that is being written may be read for the store."""

from collections.abc import Iterator, Mapping

from osmo.checkpoint.tree import Stat

SETTLE_S = 2.0


class Gate:
    """Remembers since when each changed file has looked the same.

    A file is at rest when its stat is the same in two looks `settle_s` apart, by the machine's monotonic clock: an
    mtime is never compared with our clock, for network filesystems and archives set it as they like.
    """

    def __init__(self, settle_s: float) -> None:
        self.settle_s = settle_s
        self._looks: Mapping[str, Stat] = {}
        self._first = 0.0  # since when they have looked like that, but for those that are `_later`
        self._later: dict[str, float] = {}

    def look(self, changed: Mapping[str, Stat], now: float) -> set[str]:
        """The names among `changed` that are at rest. Others than these are forgotten.

        changed: is kept, and has to stay as it is: there may be a million of them.
        """
        if self._looks.keys().isdisjoint(changed):
            self._first = now
        later = {name: since for name, since in self._since(changed, now) if since != self._first}
        self._looks, self._later = changed, later
        if now - self._first < self.settle_s:  # then the later ones are not, either
            return set()
        return {name for name in changed if now - later.get(name, self._first) >= self.settle_s}

    def _since(self, changed: Mapping[str, Stat], now: float) -> Iterator[tuple[str, float]]:
        looks, later, first = self._looks, self._later, self._first
        for name, stat in changed.items():
            yield name, later.get(name, first) if looks.get(name) == stat else now
