import pytest

from osmo.rundir.orders import Order
from osmo.rundir.plan import Plan, PlannedGroup
from osmo.runner.lifecycle import Ages, Seen, in_words, may_begin, state_of_run, to_end, to_release
from osmo.states import State

PAIR = PlannedGroup("g", ("lead", "other"), "lead")
STRICT = PlannedGroup("g", ("lead", "other"), "lead", ignore_nonlead_status=False)
CHAIN = Plan(
    (
        PlannedGroup.alone("a"),
        PlannedGroup("b-group", ("b",), "b", upstream=("a-group",)),
        PlannedGroup("c-group", ("c",), "c", upstream=("a-group", "b-group")),
    )
)
CANCEL = Order(State.FAILED_CANCELED, "canceled by the user: enough")


def seen(text: str, *, ready: str = "") -> dict[str, Seen]:
    """`lead=RUNNING other=SUBMITTING/1`: states, and attempts that are not the first. A `+` before a state: it has an
    agent; RUNNING, and what is over, has one anyhow."""
    tasks = {}
    for part in text.split():
        task, state, attempt = [*part.replace("/", "=").split("="), "0"][:3]
        found = State(state.lstrip("+"))
        begun = state.startswith("+") or found is State.RUNNING or found.over
        tasks[task] = Seen(int(attempt), found, begun, task in ready.split())
    return tasks


@pytest.mark.parametrize(
    ("tasks", "may"),
    [
        ("a=SUBMITTING b=SUBMITTING c=SUBMITTING", "a"),
        ("a=+SUBMITTING b=SUBMITTING c=SUBMITTING", ""),
        ("a=RUNNING b=SUBMITTING c=SUBMITTING", ""),
        ("a=COMPLETED b=SUBMITTING c=SUBMITTING", "b"),
        ("a=COMPLETED b=COMPLETED c=SUBMITTING", "c"),
        ("a=RESCHEDULED b=SUBMITTING c=SUBMITTING", ""),
        ("a=SUBMITTING/1 b=SUBMITTING c=SUBMITTING", "a"),
        ("a=FAILED b=SUBMITTING c=SUBMITTING", ""),
    ],
)
def test_a_group_begins_when_all_that_it_waits_for_is_completed(tasks: str, may: str) -> None:
    assert [task for _, found in may_begin(CHAIN, seen(tasks)) for task in found] == may.split()


@pytest.mark.parametrize(
    ("group", "tasks", "may"),
    [
        (STRICT, "lead=SUBMITTING other=SUBMITTING", "lead other"),
        (STRICT, "lead=SUBMITTING/1 other=RUNNING", ""),  # the other is to end first
        (STRICT, "lead=SUBMITTING/1 other=SUBMITTING/1", "lead other"),
        (STRICT, "lead=SUBMITTING/1 other=RUNNING/1", "lead"),
        (STRICT, "lead=SUBMITTING/1 other=COMPLETED", "lead"),
        (PAIR, "lead=SUBMITTING/1 other=RUNNING", "lead"),
    ],
)
def test_who_starts_again_with_others_waits_for_them_to_end(group: PlannedGroup, tasks: str, may: str) -> None:
    assert [task for _, found in may_begin(Plan((group,)), seen(tasks)) for task in found] == may.split()


@pytest.mark.parametrize(
    ("group", "tasks", "want"),
    [
        (PAIR, "lead=RUNNING other=RUNNING", {}),
        (PAIR, "lead=COMPLETED other=RUNNING", {"other": "COMPLETED"}),
        (PAIR, "lead=FAILED other=RUNNING", {"other": "FAILED"}),
        (PAIR, "lead=FAILED_PREEMPTED other=RUNNING", {"other": "FAILED"}),
        (PAIR, "lead=RESCHEDULED other=RUNNING", {}),
        (PAIR, "lead=SUBMITTING/1 other=RUNNING", {}),
        (PAIR, "lead=RUNNING other=FAILED", {}),
        (PAIR, "lead=COMPLETED other=SUBMITTING/1", {"other": "COMPLETED"}),
        (STRICT, "lead=COMPLETED other=RUNNING", {"other": "COMPLETED"}),
        (STRICT, "lead=RUNNING other=FAILED", {"lead": "FAILED"}),
        (STRICT, "lead=RUNNING other=COMPLETED", {}),
        (STRICT, "lead=SUBMITTING/1 other=RUNNING", {"other": "RESCHEDULED"}),
        (STRICT, "lead=RUNNING other=SUBMITTING/1", {"lead": "RESCHEDULED"}),
        (STRICT, "lead=SUBMITTING/1 other=FAILED", {"lead": "FAILED"}),
        (STRICT, "lead=RUNNING/1 other=RUNNING/1", {}),
    ],
)
def test_what_the_end_of_one_means_for_its_group(group: PlannedGroup, tasks: str, want: dict[str, str]) -> None:
    ends = dict(to_end(Plan((group,)), seen(tasks), {}, None))
    assert {task: order.state for task, order in ends.items()} == want


def test_why_others_end_is_said() -> None:
    [(_, order)] = to_end(Plan((PAIR,)), seen("lead=COMPLETED other=RUNNING"), {}, None)
    assert order.message == "Lead task finished"
    [(_, order)] = to_end(Plan((STRICT,)), seen("lead=RUNNING other=FAILED"), {}, None)
    assert order.message == "other, a task of its group, has failed"
    [(_, order)] = to_end(Plan((STRICT,)), seen("lead=SUBMITTING/1 other=RUNNING"), {}, None)
    assert order.message == "starts again together with lead"


@pytest.mark.parametrize(
    ("tasks", "want"),
    [
        ("a=FAILED b=SUBMITTING c=SUBMITTING", {"b": 3000, "c": 3000}),
        ("a=FAILED_CANCELED b=SUBMITTING c=SUBMITTING", {"b": 3000, "c": 3000}),
        ("a=COMPLETED b=FAILED c=SUBMITTING", {"c": 3000}),
        ("a=COMPLETED b=FAILED c=FAILED_UPSTREAM", {}),
        ("a=RESCHEDULED b=SUBMITTING c=SUBMITTING", {}),
    ],
)
def test_what_needs_a_group_that_failed_fails(tasks: str, want: dict[str, int]) -> None:
    ends = dict(to_end(CHAIN, seen(tasks), {}, None))
    assert {task: order.exit_code for task, order in ends.items()} == want
    assert {order.state for order in ends.values()} <= {State.FAILED_UPSTREAM}


def test_a_cancel_ends_what_has_no_agent_to_hear_of_it() -> None:
    [(task, order), *rest] = to_end(CHAIN, seen("a=RUNNING b=SUBMITTING c=SUBMITTING/1"), {}, CANCEL)
    assert (task, order.state) == ("b", State.FAILED_CANCELED)
    assert order.message == "canceled by the user: enough (before the command was started)"
    assert [task for task, _ in rest] == ["c"]


def test_what_has_not_begun_when_the_machine_is_taken_away_is_preempted() -> None:
    ends = dict(to_end(CHAIN, seen("a=RUNNING b=SUBMITTING c=SUBMITTING"), {}, None, preempted=True))
    assert {task: (order.state, order.exit_code) for task, order in ends.items()} == {
        "b": (State.FAILED_PREEMPTED, 3006),
        "c": (State.FAILED_PREEMPTED, 3006),
    }


@pytest.mark.parametrize(
    ("ages", "want"),
    [
        (Ages(), ""),
        (Ages(running_s=120.0), ""),
        (Ages(running_s=120.1), "FAILED_EXEC_TIMEOUT Task ran longer than the set limit of 2 minutes."),
        (Ages(queued_s=30.0), ""),
        (Ages(queued_s=30.1), "FAILED_QUEUE_TIMEOUT Task stayed in queue longer than the set limit of 30 seconds."),
    ],
)
def test_limits_of_time(ages: Ages, want: str) -> None:
    group = PlannedGroup("g", ("t",), "t", exec_timeout_s=120.0, queue_timeout_s=30.0)
    ends = dict(to_end(Plan((group,)), seen("t=RUNNING"), {"g": ages}, None))
    assert [f"{order.state} {order.message}" for order in ends.values()] == ([want] if want else [])
    without = Plan((PlannedGroup.alone("t"),))
    assert not dict(to_end(without, seen("t=RUNNING"), {"t-group": ages}, None))


@pytest.mark.parametrize(
    ("tasks", "ready", "released"),
    [
        ("lead=+INITIALIZING other=+INITIALIZING", "lead", ""),
        ("lead=+INITIALIZING other=+INITIALIZING", "lead other", "lead other"),
        ("lead=+INITIALIZING other=SUBMITTING", "lead", ""),
        ("lead=+INITIALIZING other=COMPLETED", "lead", "lead"),
        ("lead=+INITIALIZING/1 other=RUNNING", "lead", "lead"),
        ("lead=+INITIALIZING other=SUBMITTING/1", "lead", ""),
    ],
)
def test_commands_of_a_group_start_when_all_are_ready(tasks: str, ready: str, released: str) -> None:
    assert list(to_release(Plan((PAIR,)), seen(tasks, ready=ready))) == released.split()


@pytest.mark.parametrize(
    ("tasks", "want"),
    [
        ("a=SUBMITTING b=SUBMITTING c=SUBMITTING", "PENDING"),
        ("a=COMPLETED b=SUBMITTING c=SUBMITTING", "RUNNING"),
        ("a=RESCHEDULED b=SUBMITTING c=SUBMITTING", "RUNNING"),
        ("a=SUBMITTING/1 b=SUBMITTING c=SUBMITTING", "RUNNING"),
        ("a=COMPLETED b=COMPLETED c=COMPLETED", "COMPLETED"),
        ("a=COMPLETED b=FAILED_EXEC_TIMEOUT c=FAILED_UPSTREAM", "FAILED_EXEC_TIMEOUT"),
    ],
)
def test_the_state_of_a_run(tasks: str, want: str) -> None:
    assert state_of_run(CHAIN, seen(tasks)) == State(want)


@pytest.mark.parametrize(
    ("seconds", "want"),
    [(0.5, "0.5 seconds"), (1, "1 second"), (60, "1 minute"), (5400, "1 hour 30 minutes"), (90000, "1 day 1 hour")],
)
def test_a_limit_in_words(seconds: float, want: str) -> None:
    assert in_words(seconds) == want
