"""A moment that outlives the process that took it down, and a change of the wall clock."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

from osmo.clock import Clock
from osmo.rundir.records import Record


@dataclass(frozen=True, slots=True)
class Moment:
    """wall: ISO 8601. elapsed_s: on the clock of this boot that goes on while the machine sleeps; it means nothing in
    another boot."""

    wall: str
    boot: str = ""
    elapsed_s: float = 0.0

    @classmethod
    def now(cls, clock: Clock, boot: str) -> Self:
        return cls(clock.now().isoformat(), boot, clock.elapsed())

    @classmethod
    def read(cls, record: Record) -> Self:
        return cls(**record)

    def record(self) -> Record:
        return asdict(self)

    def until(self, later: Self) -> float:
        """Seconds from this moment to a later one, never negative. The wall clock counts only across boots."""
        if self.boot and self.boot == later.boot:
            return max(0.0, later.elapsed_s - self.elapsed_s)
        gone = datetime.fromisoformat(later.wall) - datetime.fromisoformat(self.wall)
        return max(0.0, gone.total_seconds())
