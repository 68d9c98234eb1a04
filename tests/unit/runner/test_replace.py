import pytest

from osmo.runner.replace import Seen, to_give_up, to_start
from osmo.states import State


@pytest.mark.parametrize(
    ("seen", "want"),
    [
        (Seen("t", State.SUBMITTING, alive=False), True),
        (Seen("t", State.SUBMITTING, alive=True), False),
        (Seen("t", State.RUNNING, alive=True), False),
        (Seen("t", State.RUNNING, alive=False), True),
        (Seen("t", State.COMPLETED, alive=False), False),
        (Seen("t", State.FAILED_CANCELED, alive=False), False),
        (Seen("t", State.RUNNING, False, starts=1, started_at=100.0), True),
        (Seen("t", State.RUNNING, False, starts=1, started_at=999.5), False),
        (Seen("t", State.RUNNING, False, starts=3, started_at=996.0), True),
        (Seen("t", State.RUNNING, False, starts=3, started_at=996.5), False),
        (Seen("t", State.RUNNING, False, starts=50, started_at=940.0), True),
        (Seen("t", State.RUNNING, False, starts=50, started_at=941.0), False),
        (Seen("t", State.RUNNING, False, starts=10**6, started_at=0.0), True),
    ],
)
def test_a_task_without_an_agent_gets_one_later_and_later(seen: Seen, want: bool) -> None:
    assert to_start([seen], now=1000.0) == (["t"] if want else [])


def test_tasks_do_not_wait_for_each_other() -> None:
    tasks = [Seen("a", State.RUNNING, True), Seen("b", State.SUBMITTING, False), Seen("c", State.SUBMITTING, False)]
    assert to_start(tasks, 0.0) == ["b", "c"]


@pytest.mark.parametrize(
    ("seen", "want"),
    [
        (Seen("t", State.SUBMITTING, alive=False, starts=10), True),
        (Seen("t", State.INITIALIZING, alive=False, starts=11), True),
        (Seen("t", State.SUBMITTING, alive=False, starts=9), False),
        (Seen("t", State.SUBMITTING, alive=True, starts=10), False),
        (Seen("t", State.RUNNING, alive=False, starts=1000, begun=True), False),
        (Seen("t", State.FAILED_CANCELED, alive=False, starts=10), False),
    ],
)
def test_a_task_whose_agent_cannot_live_is_given_up_unless_its_command_began(seen: Seen, want: bool) -> None:
    assert to_give_up([seen]) == (["t"] if want else [])
