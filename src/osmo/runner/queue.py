"""Which tasks may begin now, and what the others wait for."""

from collections.abc import Mapping

from osmo.rundir.plan import Plan, PlannedGroup
from osmo.rundir.resources import Resources
from osmo.runner.admission import Devices
from osmo.runner.ledger import Ledger
from osmo.runner.lifecycle import Tasks, may_begin, states_of, waits_for
from osmo.runner.moment import Moment
from osmo.runner.waiting import Waiting
from osmo.states import State

Waits = dict[str, tuple[State, str]]


class Queue:
    """The tasks of one run before they begin. ledger: None if the machine has room for everything."""

    def __init__(self, plan: Plan, ledger: Ledger | None, waiting: Waiting) -> None:
        self._plan = plan
        self._ledger = ledger
        self._waiting = waiting
        self._kept: dict[str, frozenset[str]] | None = None
        self._queued: set[str] = set()

    def next(self, tasks: Tasks, now: Moment) -> tuple[Waits, Devices]:
        """What tasks wait for; and those that may begin, with their devices. Raises OSError, RunDirectoryError."""
        self._give_back(tasks)
        waits: Waits = {}
        ready: dict[str, tuple[PlannedGroup, list[str]]] = {}
        self._upstream(tasks, waits)
        for group, found in may_begin(self._plan, tasks):
            mine = [task for task in found if not self._is_to_wait(task, now, waits)]
            if mine:
                ready[group.name] = group, mine
        devices: Devices = {}
        for name, answer in self._claimed({name: _wanted(group, tasks) for name, (group, _) in ready.items()}).items():
            group, mine = ready[name]
            if isinstance(answer, str):
                self._waiting.waits(name, now)
                waits |= dict.fromkeys(mine, (State.SCHEDULING, answer))
            else:
                self._waiting.begins(name)
                devices |= {task: answer.get(task, ()) for task in mine}
        return waits, devices

    def close(self) -> None:
        """All is over. Raises OSError, RunDirectoryError."""
        if self._ledger is not None and self._kept:
            self._ledger.keep({group: frozenset() for group in self._kept})

    def _upstream(self, tasks: Tasks, waits: Waits) -> None:
        states: Mapping[str, State] = {}
        for group in self._plan.groups:
            going = [task for task in group.tasks if tasks[task].goes_on and not tasks[task].begun]
            if group.upstream and going:
                states = states or states_of(self._plan, tasks)
                if names := waits_for(group, states):
                    waits |= {task: (State.WAITING, f"waits for {', '.join(names)}") for task in going}

    def _is_to_wait(self, task: str, now: Moment, waits: Waits) -> bool:
        left_s = self._waiting.left_s(task, now)
        if left_s:
            waits[task] = State.WAITING, "waits before it is tried again"
        return left_s > 0

    def _claimed(self, wanted: Mapping[str, Mapping[str, Resources]]) -> dict[str, Devices | str]:
        answers: dict[str, Devices | str] = {name: {} for name in wanted}
        asking = {name: each for name, each in wanted.items() if each}
        if self._ledger is None or not asking:
            self._queued = set()
            return answers
        claimed = self._ledger.claim(asking)
        self._keeps().update({name: frozenset(each) for name, each in asking.items()})
        self._queued = {name for name, answer in claimed.items() if isinstance(answer, str)}
        return answers | claimed

    def _give_back(self, tasks: Tasks) -> None:
        """What tasks have that do not need it any more."""
        if self._ledger is None:
            return
        kept = self._keeps()
        needed = {group.name: self._needed(group, tasks) for group in self._plan.groups if group.name in kept}
        if changed := {name: each for name, each in needed.items() if each != kept[name]}:
            self._ledger.keep(changed)
            self._kept = {name: each for name, each in (kept | changed).items() if each}

    def _needed(self, group: PlannedGroup, tasks: Tasks) -> frozenset[str]:
        """The tasks that need what they have, or stand in the queue for it: else none, while none of the group runs."""
        if group.name in self._queued or any(tasks[task].goes_on and tasks[task].begun for task in group.tasks):
            return frozenset(_wanted(group, tasks))
        return frozenset()

    def _keeps(self) -> dict[str, frozenset[str]]:
        """Of each group that has something, which tasks. What one before us had is looked at first of all."""
        if self._kept is None:
            assert self._ledger is not None
            self._kept = dict.fromkeys(self._ledger.groups(), frozenset({""})) if any(self._plan.asks_for) else {}
        return self._kept


def _wanted(group: PlannedGroup, tasks: Tasks) -> dict[str, Resources]:
    asking = {task: group.resources.get(task, Resources()) for task in group.tasks if tasks[task].goes_on}
    return {task: asked for task, asked in asking.items() if asked}
