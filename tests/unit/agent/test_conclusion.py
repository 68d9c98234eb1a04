import pytest

from osmo.agent.conclusion import Cause, conclude
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
