"""How long a commit waits for files of the last checkpoint that are being rewritten. Pure."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Self

from osmo.checkpoint.saved import Saved

LOOK_EVERY_S = 1.0
_LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Hold:
    """One cycle's patience: it ends at `until`, in the clock's monotonic seconds."""

    until: float

    @classmethod
    def beginning(cls, now: float, patience_s: float) -> Self:
        """A cycle has begun: ten minutes, or what patience its entries have if that is shorter."""
        return cls(now + min(patience_s, _LONGEST_S))

    def left_s(self, now: float) -> float:
        """How long it lasts."""
        return max(0.0, self.until - now)

    def pause_s(self, now: float) -> float:
        """Until the next look; 0 once patience has ended."""
        return min(LOOK_EVERY_S, self.left_s(now))


def holding(moving: Set[str], last: Mapping[str, Saved]) -> set[str]:
    """Which of the moving files hold the commit: those that were whole in the last checkpoint.

    A commit without them would pair their old content with the new one of others. A new file is only left out: nothing
    of it is lost. One that the last checkpoint deferred had its time, or a file that never rests would hold every one.
    """
    return {name for name in moving if name in last and not last[name].record.deferred}
