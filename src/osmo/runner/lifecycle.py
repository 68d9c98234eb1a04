"""What becomes of groups and tasks: who may begin, who is to end, and how that is called. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from osmo.rundir.orders import Order
from osmo.rundir.plan import Plan, PlannedGroup
from osmo.states import PREEMPTED, UPSTREAM_FAILED, State, of_group, of_workflow

_BEGINS_AT_MOST = 2**20


@dataclass(frozen=True, slots=True)
class Seen:
    """One task's newest attempt. begun: it has, or had, an agent. ready: it waits for the others of its group."""

    attempt: int
    state: State
    begun: bool = False
    ready: bool = False

    @property
    def counted(self) -> State:
        """What it is to its group: a later attempt that has not begun yet is not a task that never ran."""
        return State.RUNNING if self.attempt > 0 and not self.state.settled else self.state

    @property
    def goes_on(self) -> bool:
        return not self.state.over


Tasks = Mapping[str, Seen]


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds since a group first ran, and since it last began to wait for resources; None: it did, or does, not."""

    running_s: float | None = None
    queued_s: float | None = None


def state_of(group: PlannedGroup, tasks: Tasks) -> State:
    """The group's state."""
    states = {task: tasks[task].counted for task in group.tasks}
    return of_group(states, group.lead, ignore_nonlead_status=group.ignore_nonlead_status)


def state_of_run(plan: Plan, tasks: Tasks) -> State:
    """The workflow's state."""
    return of_workflow(state_of(group, tasks) for group in plan.groups)


def states_of(plan: Plan, tasks: Tasks) -> dict[str, State]:
    """Each group's state."""
    return {group.name: state_of(group, tasks) for group in plan.groups}


def to_end(
    plan: Plan, tasks: Tasks, ages: Mapping[str, Ages], canceled: Order | None, *, preempted: bool = False
) -> Iterator[tuple[str, Order]]:
    """The tasks that are to end now, and why. Those that have an agent hear of a cancel and a preemption themselves."""
    states = states_of(plan, tasks)
    for group in plan.groups:
        if states[group.name].settled:
            continue
        order = _before_the_start(canceled, preempted=preempted)
        if order is not None:
            yield from ((task, order) for task in group.tasks if tasks[task].goes_on and not tasks[task].begun)
        elif (order := _of_all(group, states, ages.get(group.name, Ages()))) is not None:
            yield from ((task, order) for task in group.tasks if tasks[task].goes_on)
        else:
            yield from _because_of_another(group, tasks)


def may_begin(plan: Plan, tasks: Tasks) -> Iterator[tuple[PlannedGroup, list[str]]]:
    """The groups of which all that they wait for is COMPLETED, each with its tasks that have not begun.

    A task that starts again with its group waits until no former attempt of the others goes on.
    """
    states = states_of(plan, tasks)
    for group in plan.groups:
        if states[group.name].settled or any(states[name] is not State.COMPLETED for name in group.upstream):
            continue
        first = 0 if group.ignore_nonlead_status else _begins_from(group, tasks)
        waiting = [task for task in group.tasks if tasks[task].goes_on and not tasks[task].begun]
        if found := [task for task in waiting if tasks[task].attempt <= first or group.ignore_nonlead_status]:
            yield group, found


def waits_for(group: PlannedGroup, states: Mapping[str, State]) -> list[str]:
    """The groups that have to be COMPLETED before it."""
    return [name for name in group.upstream if states[name] is not State.COMPLETED]


def to_release(plan: Plan, tasks: Tasks) -> Iterator[str]:
    """The tasks that wait for others of their group, all of whom are ready now, or past that, or over."""
    for group in plan.groups:
        if not group.has_barrier:
            continue
        members = [tasks[task] for task in group.tasks]
        if all(one.ready or one.state is State.RUNNING or one.state.settled for one in members):
            yield from (task for task in group.tasks if tasks[task].ready and tasks[task].goes_on)


def _begins_from(group: PlannedGroup, tasks: Tasks) -> int:
    """The highest attempt that may begin: that of the oldest one which goes on and has an agent."""
    under_way = [tasks[task].attempt for task in group.tasks if tasks[task].goes_on and tasks[task].begun]
    return min(under_way, default=_BEGINS_AT_MOST)


def _before_the_start(canceled: Order | None, *, preempted: bool) -> Order | None:
    if canceled is not None:
        return Order(canceled.state, f"{canceled.message} (before the command was started)")
    if preempted:
        return Order(State.FAILED_PREEMPTED, "preempted before the command was started", PREEMPTED)
    return None


def _of_all(group: PlannedGroup, states: Mapping[str, State], ages: Ages) -> Order | None:
    """Why all of the group are to end."""
    for name in group.upstream:
        if states[name].failed:
            return Order(State.FAILED_UPSTREAM, f"{name}, whose output it needs, has failed", UPSTREAM_FAILED)
    if _longer(ages.running_s, group.exec_timeout_s):
        text = f"Task ran longer than the set limit of {in_words(group.exec_timeout_s or 0)}."
        return Order(State.FAILED_EXEC_TIMEOUT, text)
    if _longer(ages.queued_s, group.queue_timeout_s):
        text = f"Task stayed in queue longer than the set limit of {in_words(group.queue_timeout_s or 0)}."
        return Order(State.FAILED_QUEUE_TIMEOUT, text)
    return None


def _because_of_another(group: PlannedGroup, tasks: Tasks) -> Iterator[tuple[str, Order]]:
    lead = tasks[group.lead].state
    if lead.settled:
        order = Order(State.COMPLETED if lead is State.COMPLETED else State.FAILED, "Lead task finished")
        yield from ((task, order) for task in group.tasks if tasks[task].goes_on)
        return
    if group.ignore_nonlead_status:
        return
    if failed := next((task for task in group.tasks if tasks[task].state.failed), None):
        order = Order(State.FAILED, f"{failed}, a task of its group, has failed")
        yield from ((task, order) for task in group.tasks if tasks[task].goes_on)
        return
    newest = max(group.tasks, key=lambda task: tasks[task].attempt)
    for task in group.tasks:
        if tasks[task].goes_on and tasks[task].attempt < tasks[newest].attempt:
            yield task, Order(State.RESCHEDULED, f"starts again together with {newest}")


def _longer(age_s: float | None, limit_s: float | None) -> bool:
    return age_s is not None and limit_s is not None and age_s > limit_s


def in_words(seconds: float) -> str:
    """`2 minutes`, `1 hour 30 minutes`, `0.5 seconds`."""
    if seconds < 60:
        return _count(seconds, "second")
    rest, words = round(seconds), []
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        number, rest = divmod(rest, size)
        if number:
            words.append(_count(number, unit))
    return " ".join(words)


def _count(number: float, unit: str) -> str:
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
