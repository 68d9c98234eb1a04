"""Who may have what of a machine. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from osmo.rundir.identity import Process
from osmo.rundir.records import Record
from osmo.rundir.resources import Capacity, Resources

Devices = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Claim:
    """What the tasks of one group have or, if devices is None, wait for.

    owner: the supervisor. since: when it was first asked for, ISO 8601. devices: the names of each task's own.
    """

    run: str
    group: str
    owner: Process
    since: str
    wanted: Mapping[str, Resources]
    devices: Devices | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.run, self.group

    @property
    def total(self) -> Resources:
        return sum(self.wanted.values(), start=Resources())

    def record(self) -> Record:
        wanted = {task: [one.cpu, one.memory, one.gpu] for task, one in self.wanted.items()}
        mine = {"run": self.run, "group": self.group, "owner": self.owner.record(), "since": self.since}
        devices = None if self.devices is None else {task: list(names) for task, names in self.devices.items()}
        return mine | {"wanted": wanted, "devices": devices}

    @classmethod
    def read(cls, record: Record) -> Self:
        devices = record["devices"]
        return cls(
            record["run"],
            record["group"],
            Process.read(record["owner"]),
            record["since"],
            {task: Resources(*asked) for task, asked in record["wanted"].items()},
            None if devices is None else {task: tuple(names) for task, names in devices.items()},
        )


def admit(capacity: Capacity, others: Sequence[Claim], claim: Claim) -> Devices | str:
    """The devices of the claim's tasks, if all of them may begin now; else what they wait for.

    Who has waited longer comes first: what is free for that one is not given to another, so nobody waits for ever.
    """
    free = capacity.all
    for other in others:
        if other.devices is not None:
            free = free.without(other.total)
    if not claim.total.fits(free):
        return f"waits for {claim.total}; free: {_positive(free)}"
    for other in others:
        if other.devices is None and (other.since, other.key) < (claim.since, claim.key):
            free = free.without(other.total)
    if not claim.total.fits(free):
        return f"waits for {claim.total}: another run has waited longer"
    return _give(claim.wanted, _unused(capacity.gpus, others))


def _unused(gpus: Iterable[str], others: Iterable[Claim]) -> list[str]:
    used = {name for other in others for names in (other.devices or {}).values() for name in names}
    return [name for name in gpus if name not in used]


def _give(wanted: Mapping[str, Resources], gpus: list[str]) -> Devices:
    given: Devices = {}
    for task, asked in wanted.items():
        given[task], gpus = tuple(gpus[: asked.gpu]), gpus[asked.gpu :]
    return given


def _positive(free: Resources) -> Resources:
    return Resources(max(0.0, free.cpu), max(0, free.memory), max(0, free.gpu))
