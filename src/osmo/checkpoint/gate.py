"""Which changed files are at rest. Nothing that is being written may be read for the store."""

from collections.abc import Mapping

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
        self._since: dict[str, float] = {}

    def look(self, changed: Mapping[str, Stat], now: float) -> set[str]:
        """The names among `changed` that are at rest. Others than these are forgotten.

        changed: is kept, and has to stay as it is: there may be a million of them.
        """
        looks, before = self._looks, self._since
        since = {name: before[name] if looks.get(name) == stat else now for name, stat in changed.items()}
        self._looks, self._since = changed, since
        return {name for name, when in since.items() if now - when >= self.settle_s}
