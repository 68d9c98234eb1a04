import pytest

from osmo.states import NEXT, State, of_group, of_workflow

ENDS = [state for state in State if state.failed or state in (State.COMPLETED, State.RESCHEDULED)]


@pytest.mark.parametrize("state", list(State))
def test_a_state_is_over_if_nothing_follows_it(state: State) -> None:
    assert state.over == (state in ENDS) == (not NEXT[state])


@pytest.mark.parametrize(
    ("old", "new", "legal"),
    [
        (State.SUBMITTING, State.RUNNING, True),
        (State.SUBMITTING, State.INITIALIZING, True),
        (State.INITIALIZING, State.SCHEDULING, False),
        (State.RUNNING, State.INITIALIZING, False),
        (State.RUNNING, State.RUNNING, False),
        (State.RUNNING, State.RESCHEDULED, True),
        (State.RUNNING, State.COMPLETED, True),
        (State.INITIALIZING, State.FAILED_START_ERROR, True),
        (State.COMPLETED, State.FAILED, False),
    ],
)
def test_a_task_only_moves_on(old: State, new: State, legal: bool) -> None:
    assert (new in NEXT[old]) == legal


@pytest.mark.parametrize("state", [state for state in State if not state.over])
def test_a_task_can_fail_at_any_moment(state: State) -> None:
    assert set(ENDS) <= NEXT[state]


@pytest.mark.parametrize(
    ("tasks", "want"),
    [
        ("SUBMITTING SUBMITTING", "PENDING"),
        ("SUBMITTING INITIALIZING", "PENDING"),
        ("SUBMITTING RUNNING", "RUNNING"),
        ("COMPLETED SUBMITTING", "RUNNING"),
        ("FAILED RUNNING", "RUNNING"),
        ("COMPLETED COMPLETED", "COMPLETED"),
        ("COMPLETED FAILED", "FAILED"),
        ("FAILED_PREEMPTED COMPLETED", "FAILED_PREEMPTED"),
        ("FAILED_PREEMPTED FAILED", "FAILED"),
        ("FAILED FAILED_CANCELED", "FAILED_CANCELED"),
        ("FAILED_EXEC_TIMEOUT FAILED_SERVER_ERROR", "FAILED_SERVER_ERROR"),
        ("FAILED_QUEUE_TIMEOUT FAILED", "FAILED_QUEUE_TIMEOUT"),
        ("FAILED_UPSTREAM FAILED_EVICTED", "FAILED_EVICTED"),
        ("FAILED_UPSTREAM COMPLETED", "FAILED"),
    ],
)
def test_a_workflows_state_is_what_its_tasks_add_up_to(tasks: str, want: str) -> None:
    assert of_workflow(map(State, tasks.split())) == State(want)


@pytest.mark.parametrize(
    ("lead", "other", "ignoring", "heeding"),
    [
        ("SUBMITTING", "SUBMITTING", "PENDING", "PENDING"),
        ("RUNNING", "FAILED", "RUNNING", "RUNNING"),
        ("RESCHEDULED", "COMPLETED", "RUNNING", "RUNNING"),
        ("RESCHEDULED", "FAILED_CANCELED", "RUNNING", "RUNNING"),
        ("COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED"),
        ("COMPLETED", "FAILED", "COMPLETED", "FAILED"),
        ("COMPLETED", "FAILED_PREEMPTED", "COMPLETED", "FAILED_PREEMPTED"),
        ("FAILED", "COMPLETED", "FAILED", "FAILED"),
        ("FAILED_PREEMPTED", "FAILED", "FAILED_PREEMPTED", "FAILED"),
        ("FAILED", "FAILED_EXEC_TIMEOUT", "FAILED_EXEC_TIMEOUT", "FAILED_EXEC_TIMEOUT"),
        ("FAILED_UPSTREAM", "FAILED_UPSTREAM", "FAILED_UPSTREAM", "FAILED_UPSTREAM"),
    ],
)
def test_a_groups_state_is_its_leads_unless_the_others_count(
    lead: str, other: str, ignoring: str, heeding: str
) -> None:
    tasks = {"lead": State(lead), "other": State(other)}
    assert of_group(tasks, "lead", ignore_nonlead_status=True) == State(ignoring)
    assert of_group(tasks, "lead", ignore_nonlead_status=False) == State(heeding)
