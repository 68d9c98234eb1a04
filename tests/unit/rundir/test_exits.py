import pytest

from osmo.rundir.exits import ExitAction, after, after_attempt
from osmo.states import State

ACTIONS = (
    ExitAction("COMPLETE", 16, 20),
    ExitAction("FAIL", 0, 0),
    ExitAction("RESCHEDULE", 11, 15),
    ExitAction("RESCHEDULE", 2010, 3006),
)


@pytest.mark.parametrize(
    ("state", "code", "left", "want"),
    [
        (State.FAILED, 16, 3, State.COMPLETED),
        (State.FAILED, 20, 3, State.COMPLETED),
        (State.FAILED, 21, 3, State.FAILED),
        (State.COMPLETED, 0, 3, State.FAILED),
        (State.FAILED, 11, 3, State.RESCHEDULED),
        (State.FAILED, 11, 1, State.RESCHEDULED),
        (State.FAILED, 11, 0, State.FAILED),
        (State.FAILED_PREEMPTED, 3006, 1, State.RESCHEDULED),
        (State.FAILED_PREEMPTED, 3006, 0, State.FAILED_PREEMPTED),
        (State.FAILED, 2012, 1, State.RESCHEDULED),
        (State.FAILED, 1, 1, State.FAILED),
    ],
)
def test_what_an_exit_code_means(state: State, code: int, left: int, want: State) -> None:
    assert after(state, code, ACTIONS, left).state is want


def test_what_an_action_changed_is_said() -> None:
    assert after(State.FAILED, 1, ACTIONS, 1).note == ""
    assert after(State.FAILED, 16, ACTIONS, 1).note == "exit action COMPLETE for 16"
    assert after(State.FAILED, 11, ACTIONS, 0).note == "exit action RESCHEDULE for 11, but no retry is left"


def test_a_record_of_a_task_holds_the_rules() -> None:
    task = {"exit_actions": [{"action": "RESCHEDULE", "first": 3001, "last": 3001}], "max_retries": 2, "attempt": 1}
    assert after_attempt(task, State.FAILED_BACKEND_ERROR, 3001).state is State.RESCHEDULED
    assert after_attempt(task | {"attempt": 2}, State.FAILED_BACKEND_ERROR, 3001).state is State.FAILED_BACKEND_ERROR
    assert after_attempt({}, State.FAILED_BACKEND_ERROR, 3001).state is State.FAILED_BACKEND_ERROR
