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
        self._seen: dict[str, tuple[Stat, float]] = {}

    def look(self, changed: Mapping[str, Stat], now: float) -> set[str]:
        """The names among `changed` that are at rest. Others than these are forgotten."""
        seen = {}
        for name, stat in changed.items():
            before = self._seen.get(name)
            seen[name] = before if before is not None and before[0] == stat else (stat, now)
        self._seen = seen
        return {name for name, (_, since) in seen.items() if now - since >= self.settle_s}
