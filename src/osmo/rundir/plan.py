"""What a run consists of, as submit wrote it into `run.json`: groups of tasks, what each needs, what waits for what."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Self

from osmo.rundir.records import Record
from osmo.rundir.resources import Capacity, Resources

RETRY_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """Tasks that run at the same time. `lead` is the one whose end is the group's end.

    upstream: the groups that have to be COMPLETED before. barrier: its commands start together. Timeouts are seconds,
    None: there is none.
    """

    name: str
    tasks: tuple[str, ...]
    lead: str
    upstream: tuple[str, ...] = ()
    barrier: bool = True
    ignore_nonlead_status: bool = True
    exec_timeout_s: float | None = None
    queue_timeout_s: float | None = None
    resources: dict[str, Resources] = field(default_factory=dict)

    @property
    def has_barrier(self) -> bool:
        """Whether its members wait for each other."""
        return self.barrier and len(self.tasks) > 1

    @classmethod
    def alone(cls, task: str) -> Self:
        """The group of a task that is in none."""
        return cls(f"{task}-group", (task,), task)

    @classmethod
    def read(cls, record: Record) -> Self:
        lists = {name: tuple(record[name]) for name in ("tasks", "upstream")}
        resources = {task: Resources(**asked) for task, asked in record["resources"].items()}
        return cls(**record | lists | {"resources": resources})


@dataclass(frozen=True, slots=True)
class Plan:
    """All groups, in the order of the spec.

    retry_wait_s: how long the first retry of a task waits, about; each further one twice as long. machine: what there
    is for the tasks of all runs; None if no task of this one asks for anything.
    """

    groups: tuple[PlannedGroup, ...]
    retry_wait_s: float = RETRY_WAIT_S
    machine: Capacity | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(task for group in self.groups for task in group.tasks)

    @property
    def asks_for(self) -> Iterator[Resources]:
        """What tasks want to have to themselves, those that want anything."""
        return (asked for group in self.groups for asked in group.resources.values() if asked)

    def record(self) -> Record:
        return asdict(self)

    @classmethod
    def read(cls, run: Record) -> Self:
        """As `run.json` has it; tasks of a run that has no plan are groups of their own."""
        record = run.get("plan")
        if record is None:
            return cls(tuple(map(PlannedGroup.alone, run.get("tasks", ()))))
        machine = record["machine"] and Capacity(**record["machine"] | {"gpus": tuple(record["machine"]["gpus"])})
        return cls(tuple(map(PlannedGroup.read, record["groups"])), record["retry_wait_s"], machine)
