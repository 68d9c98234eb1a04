"""The states of tasks and workflows, and which may follow which (OSMO's names, so that OSMO's tools read them)."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum


class State(StrEnum):
    """One state of a task. A workflow has the same, but for the ones before RUNNING, which it shows as PENDING."""

    PENDING = "PENDING"
    SUBMITTING = "SUBMITTING"
    WAITING = "WAITING"
    PROCESSING = "PROCESSING"
    SCHEDULING = "SCHEDULING"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    RESCHEDULED = "RESCHEDULED"
    FAILED = "FAILED"
    FAILED_SUBMISSION = "FAILED_SUBMISSION"
    FAILED_SERVER_ERROR = "FAILED_SERVER_ERROR"
    FAILED_BACKEND_ERROR = "FAILED_BACKEND_ERROR"
    FAILED_START_ERROR = "FAILED_START_ERROR"
    FAILED_START_TIMEOUT = "FAILED_START_TIMEOUT"
    FAILED_IMAGE_PULL = "FAILED_IMAGE_PULL"
    FAILED_EXEC_TIMEOUT = "FAILED_EXEC_TIMEOUT"
    FAILED_QUEUE_TIMEOUT = "FAILED_QUEUE_TIMEOUT"
    FAILED_UPSTREAM = "FAILED_UPSTREAM"
    FAILED_EVICTED = "FAILED_EVICTED"
    FAILED_PREEMPTED = "FAILED_PREEMPTED"
    FAILED_CANCELED = "FAILED_CANCELED"

    @property
    def failed(self) -> bool:
        return self.value.startswith("FAILED")

    @property
    def over(self) -> bool:
        """Nothing follows it. After RESCHEDULED there is another attempt."""
        return not NEXT[self]

    @property
    def settled(self) -> bool:
        """It is how a task, a group or a workflow has ended."""
        return self.over and self is not State.RESCHEDULED


_BEFORE_RUNNING = (State.SUBMITTING, State.WAITING, State.PROCESSING, State.SCHEDULING, State.INITIALIZING)
_ENDS = frozenset(state for state in State if state.failed) | {State.COMPLETED, State.RESCHEDULED}

NEXT: dict[State, frozenset[State]] = (
    {
        state: frozenset(_BEFORE_RUNNING[place + 1 :]) | {State.RUNNING} | _ENDS
        for place, state in enumerate(_BEFORE_RUNNING)
    }
    | {State.PENDING: frozenset(State) - {State.PENDING}, State.RUNNING: _ENDS}
    | dict.fromkeys(_ENDS, frozenset())
)

# What the process of ours exits with, and what is recorded, when it was not the command's own doing (OSMO's numbers).
RESTORE_FAILED = 2010
STORE_FAILED = 2012
UPSTREAM_FAILED = 3000
AGENT_LOST = 3001
COULD_NOT_START = 3003
PREEMPTED = 3006

_SAID_FIRST = (
    State.FAILED_CANCELED,
    State.FAILED_SERVER_ERROR,
    State.FAILED_EXEC_TIMEOUT,
    State.FAILED_QUEUE_TIMEOUT,
)


def of_group(tasks: Mapping[str, State], lead: str, *, ignore_nonlead_status: bool) -> State:
    """A group's state, given its tasks' and which of them leads it."""
    if not all(state.settled for state in tasks.values()):
        return _going(tasks.values())
    for state in (*_SAID_FIRST, State.FAILED_UPSTREAM):
        if state in tasks.values():
            return state
    return _together([tasks[lead]] if ignore_nonlead_status else tasks.values())


def of_workflow(groups: Iterable[State]) -> State:
    """A workflow's state, given its groups' (OSMO's order of what is said first)."""
    states = tuple(groups)
    if not all(state.settled for state in states):
        return _going(states)
    for state in _SAID_FIRST:
        if state in states:
            return state
    return _together(states)


def _going(states: Collection[State]) -> State:
    """What has begun never goes back to PENDING, also while nothing runs between two groups."""
    begun = any(state is State.RUNNING or state.over for state in states)
    return State.RUNNING if begun else State.PENDING


def _together(states: Collection[State]) -> State:
    """What all of them add up to: what failed for itself has one name, or is FAILED."""
    failed = {state for state in states if state.failed} - {State.FAILED_UPSTREAM}
    if not failed:
        return State.FAILED if State.FAILED_UPSTREAM in states else State.COMPLETED
    return failed.pop() if len(failed) == 1 else State.FAILED
