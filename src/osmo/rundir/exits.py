"""Exit actions: what becomes of an attempt that ended with a certain exit code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from osmo.rundir.records import Record
from osmo.states import State

COMPLETE: Final = "COMPLETE"
FAIL: Final = "FAIL"
RESCHEDULE: Final = "RESCHEDULE"


@dataclass(frozen=True, slots=True)
class ExitAction:
    """What is done after the exit codes `first` to `last`, both included."""

    action: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Exit:
    """How an attempt ends. note: what an exit action has made of it, empty if none has."""

    state: State
    note: str = ""


def after(state: State, code: int, actions: Iterable[ExitAction], retries_left: int) -> Exit:
    """The end of an attempt that would end in `state` with this exit code if there were no actions."""
    action = next((each.action for each in actions if each.first <= code <= each.last), None)
    if action == COMPLETE:
        return Exit(State.COMPLETED, "" if state is State.COMPLETED else f"exit action COMPLETE for {code}")
    if action == FAIL:
        return Exit(state, "") if state.failed else Exit(State.FAILED, f"exit action FAIL for {code}")
    if action == RESCHEDULE and retries_left > 0:
        return Exit(State.RESCHEDULED, f"exit action RESCHEDULE for {code}")
    if action == RESCHEDULE:
        failed = state if state.failed else State.FAILED
        return Exit(failed, f"exit action RESCHEDULE for {code}, but no retry is left")
    return Exit(state)


def after_attempt(task: Record, state: State, code: int) -> Exit:
    """The same by the rules that `task.json` holds."""
    actions = [ExitAction(**each) for each in task.get("exit_actions", ())]
    return after(state, code, actions, task.get("max_retries", 0) - task.get("attempt", 0))
