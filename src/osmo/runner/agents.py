"""How the agents of one task fared under its supervisors."""

from dataclasses import dataclass
from typing import Self

from osmo.rundir.records import Record
from osmo.runner.replace import LIVES_S

MANY = 3


@dataclass(frozen=True, slots=True)
class Agents:
    """deaths: how many died before their work was done, under all supervisors of the run; died: when the last, ISO
    8601. in_a_row: how many of them, at the end, soon after their start. starts, started_at: as in `replace.Seen`."""

    deaths: int = 0
    in_a_row: int = 0
    died: str = ""
    starts: int = 0
    started_at: float = 0.0
    running: bool = False

    @property
    def ailing(self) -> bool:
        """It looks as if none could live."""
        return self.in_a_row >= MANY

    def started(self, now: float) -> Self:
        return type(self)(self.deaths, self.in_a_row, self.died, self.starts + 1, now, True)

    def seen(self, *, alive: bool, now: float, moment: str) -> Self:
        """What is known after a look at an attempt that is not over. now: monotonic; moment: the same for people."""
        if not self.running:
            return self
        long = now - self.started_at >= LIVES_S
        if alive:
            well = self.starts > 1 or self.in_a_row
            return type(self)(self.deaths, 0, self.died, 1, self.started_at, True) if long and well else self
        starts, in_a_row = (1, 1) if long else (self.starts, self.in_a_row + 1)
        return type(self)(self.deaths + 1, in_a_row, moment, starts, self.started_at, False)

    def record(self) -> Record:
        return {"deaths": self.deaths, "in_a_row": self.in_a_row, "died": self.died}

    @classmethod
    def read(cls, record: Record) -> Self:
        return cls(int(record["deaths"]), int(record["in_a_row"]), str(record["died"]))


def read(supervisor: Record | None, task: str) -> Agents:
    """As the record of a supervisor tells it."""
    found = (supervisor or {}).get("agents", {}).get(task)
    return Agents() if found is None else Agents.read(found)
