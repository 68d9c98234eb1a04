"""Since when groups run and wait, and tasks wait to be tried again. All of it outlives the supervisor."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from osmo.rundir.records import Record
from osmo.runner.lifecycle import Ages
from osmo.runner.moment import Moment


class Waiting:
    """running: since when each group runs; queued: since when it waits for resources; again: of each task that is to be
    tried again, from when it waits and for how many seconds."""

    def __init__(self) -> None:
        self._running: dict[str, Moment] = {}
        self._queued: dict[str, Moment] = {}
        self._again: dict[str, tuple[Moment, float]] = {}

    def runs(self, group: str, started: Iterable[str], now: Moment) -> None:
        """The group runs. started: when its commands were started, ISO 8601."""
        if group not in self._running:
            wall = min(started, key=datetime.fromisoformat, default=now.wall)
            ago_s = Moment(wall).until(now)
            self._running[group] = Moment(wall, now.boot, now.elapsed_s - ago_s)

    def waits(self, group: str, now: Moment) -> None:
        """The group waits for resources."""
        self._queued.setdefault(group, now)

    def begins(self, group: str) -> None:
        """The group does not wait any more."""
        self._queued.pop(group, None)

    def is_to_wait(self, task: str, wait_s: float, now: Moment) -> None:
        """The task is not to begin before that."""
        self._again[task] = now, wait_s

    def left_s(self, task: str, now: Moment) -> float:
        """How many seconds the task still waits to be tried again."""
        if task not in self._again:
            return 0.0
        since, wait_s = self._again[task]
        return max(0.0, wait_s - since.until(now))

    def ages(self, now: Moment) -> dict[str, Ages]:
        """Of all groups that ever ran or waited."""

        def age(moments: dict[str, Moment], group: str) -> float | None:
            return moments[group].until(now) if group in moments else None

        groups = self._running.keys() | self._queued.keys()
        return {group: Ages(age(self._running, group), age(self._queued, group)) for group in groups}

    def record(self) -> Record:
        return {
            "running": {group: moment.record() for group, moment in self._running.items()},
            "queued": {group: moment.record() for group, moment in self._queued.items()},
            "again": {task: [moment.record(), wait_s] for task, (moment, wait_s) in self._again.items()},
        }

    @classmethod
    def read(cls, record: Record) -> Self:
        """What an earlier supervisor knew."""
        self = cls()
        self._running = {group: Moment.read(moment) for group, moment in record.get("running", {}).items()}
        self._queued = {group: Moment.read(moment) for group, moment in record.get("queued", {}).items()}
        again = record.get("again", {}).items()
        self._again = {task: (Moment.read(moment), wait_s) for task, (moment, wait_s) in again}
        return self
