import pytest

from osmo.agent.conclusion import Cause, Conclusion, conclude, with_actions
from osmo.rundir.exits import ExitAction
from osmo.rundir.orders import Order
from osmo.states import State

LOST = "the last checkpoint is not in the store"


@pytest.mark.parametrize(
    ("cause", "code", "lost", "state", "exit_code", "words"),
    [
        (Cause.ITSELF, 0, "", State.COMPLETED, 0, []),
        (Cause.ITSELF, 3, "", State.FAILED, 3, ["exit code 3"]),
        (Cause.ITSELF, 139, "", State.FAILED, 139, ["SIGSEGV"]),
        (Cause.ITSELF, 0, LOST, State.FAILED, 2012, [LOST]),
        (Cause.ITSELF, 3, LOST, State.FAILED, 3, ["exit code 3", LOST]),
        (Cause.CANCELED, 143, "", State.FAILED_CANCELED, 143, ["canceled"]),
        (Cause.CANCELED, 0, "", State.FAILED_CANCELED, 0, ["canceled"]),
        (Cause.CANCELED, 143, LOST, State.FAILED_CANCELED, 143, ["canceled", LOST]),
        (Cause.PREEMPTED, 143, "", State.FAILED_PREEMPTED, 3006, ["preempted"]),
        (Cause.PREEMPTED, 0, LOST, State.FAILED_PREEMPTED, 3006, ["preempted", LOST]),
    ],
)
def test_how_an_attempt_ends(
    cause: Cause, code: int, lost: str, state: State, exit_code: int, words: list[str]
) -> None:
    ending = conclude(cause, code, lost)
    assert (ending.state, ending.exit_code) == (state, exit_code)
    assert all(word in ending.message for word in words)
    assert bool(ending.message) == bool(words)


def test_a_command_that_went_with_its_machine_is_not_said_to_be_killed() -> None:
    assert conclude(Cause.ITSELF, 137, "", "the machine was restarted").message == (
        "the command failed: the machine was restarted"
    )


@pytest.mark.parametrize(
    ("order", "lost", "want"),
    [
        (Order(State.COMPLETED, "Lead task finished"), "", Conclusion(State.COMPLETED, 143, "Lead task finished")),
        (
            Order(State.COMPLETED, "Lead task finished"),
            LOST,
            Conclusion(State.FAILED, 2012, f"Lead task finished. {LOST}", LOST),
        ),
        (Order(State.RESCHEDULED, "again"), LOST, Conclusion(State.RESCHEDULED, 143, f"again. {LOST}", LOST)),
        (
            Order(State.FAILED_EXEC_TIMEOUT, "Too long."),
            LOST,
            Conclusion(State.FAILED_EXEC_TIMEOUT, 143, f"Too long. {LOST}", LOST),
        ),
    ],
)
def test_who_ended_it_says_what_that_is_called_but_what_is_lost_is_not_completed(
    order: Order, lost: str, want: Conclusion
) -> None:
    assert conclude(Cause.ORDERED, 143, lost, "", order) == want


ACTIONS = (ExitAction("COMPLETE", 16, 16), ExitAction("RESCHEDULE", 3006, 3006), ExitAction("RESCHEDULE", 143, 143))


@pytest.mark.parametrize(
    ("cause", "code", "lost", "state", "exit_code"),
    [
        (Cause.ITSELF, 16, "", State.COMPLETED, 16),
        (Cause.ITSELF, 16, LOST, State.FAILED, 2012),
        (Cause.ITSELF, 0, "", State.COMPLETED, 0),
        (Cause.ITSELF, 143, LOST, State.RESCHEDULED, 143),
        (Cause.PREEMPTED, 0, "", State.RESCHEDULED, 3006),
        (Cause.CANCELED, 143, "", State.FAILED_CANCELED, 143),
    ],
)
def test_exit_actions_have_no_say_in_a_cancel_and_do_not_make_up_for_what_is_lost(
    cause: Cause, code: int, lost: str, state: State, exit_code: int
) -> None:
    ending = with_actions(conclude(cause, code, lost), cause, ACTIONS, retries_left=1)
    assert (ending.state, ending.exit_code) == (state, exit_code)
