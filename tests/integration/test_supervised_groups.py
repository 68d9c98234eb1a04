"""The supervisor of a run of several groups, with agents that only pretend."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from osmo.rundir import records
from osmo.rundir.orders import write_cancel
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.rundir.plan import Plan, PlannedGroup
from osmo.runner.service import Supervisor
from osmo.states import State
from support.clock import FakeClock

CHAIN = Plan((PlannedGroup.alone("a"), PlannedGroup("b-group", ("b",), "b", upstream=("a-group",))), retry_wait_s=10.0)


class Agents:
    """A backend whose agents do nothing but live."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, attempts: Sequence[AttemptDir]) -> None:
        for attempt in attempts:
            self.started.append(f"{attempt.path.parent.name}/{attempt.path.name}")
            records.write(attempt.agent, {"host": "another", "boot": "", "pid": 1, "started": 0})

    def alive(self, attempts: Sequence[AttemptDir]) -> Mapping[AttemptDir, bool]:
        return dict.fromkeys(attempts, True)

    def stop(self, attempts: Sequence[AttemptDir]) -> None:
        """They do not hear it."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    place = RunDir(tmp_path / "t-1")
    for task in CHAIN.tasks:
        place.attempt(task, 0).path.mkdir(parents=True)
        records.write(place.attempt(task, 0).task, {"attempt": 0, "files": [], "task": task})
    records.write(place.run, {"tasks": list(CHAIN.tasks), "plan": CHAIN.record()})
    return place


Supervise = Callable[[Agents], Supervisor]


@pytest.fixture
def supervise(run: RunDir, clock: FakeClock) -> Iterator[Supervise]:
    with ExitStack() as stack:
        yield lambda agents: stack.enter_context(closing(Supervisor(run, agents, clock, chance=lambda: 1.0)))


def ends(run: RunDir, task: str, state: str, attempt: int = 0) -> None:
    records.write(run.attempt(task, attempt).status, {"state": state})


def status(run: RunDir, task: str, attempt: int = 0) -> records.Record:
    return records.read(run.attempt(task, attempt).status) or {}


def test_a_task_begins_when_what_it_needs_is_there(run: RunDir, supervise: Supervise) -> None:
    agents = Agents()
    supervisor = supervise(agents)
    assert supervisor.step() is State.PENDING
    assert (records.read(run.supervisor) or {})["waits"] == {"b": {"state": "WAITING", "why": "waits for a-group"}}
    ends(run, "a", "COMPLETED")
    assert supervisor.step() is State.RUNNING
    assert agents.started == ["a/0", "b/0"]


def test_what_failed_upstream_ends_in_the_same_step_without_an_agent(run: RunDir, supervise: Supervise) -> None:
    agents = Agents()
    supervisor = supervise(agents)
    supervisor.step()
    ends(run, "a", "FAILED")
    assert supervisor.step() is State.FAILED
    assert (status(run, "b")["state"], status(run, "b")["exit_code"]) == ("FAILED_UPSTREAM", 3000)
    assert agents.started == ["a/0"]


def test_a_rescheduled_task_has_its_next_attempt_after_its_wait_whoever_supervises_then(
    run: RunDir, supervise: Supervise, clock: FakeClock
) -> None:
    agents = Agents()
    first = supervise(agents)
    first.step()
    ends(run, "a", "RESCHEDULED")
    assert first.step() is State.RUNNING
    assert (records.read(run.attempt("a", 1).task) or {})["attempt"] == 1
    clock.advance(6.0)
    first.step()
    first.close()  # it dies
    second = supervise(agents)
    clock.advance(3.0)
    assert second.step() is State.RUNNING
    assert agents.started == ["a/0"]
    clock.advance(1.5)
    second.step()
    assert agents.started == ["a/0", "a/1"]
    ends(run, "a", "COMPLETED", 1)
    second.step()
    assert agents.started == ["a/0", "a/1", "b/0"]
    assert status(run, "a")["state"] == "RESCHEDULED"  # what has ended stays as it is


def test_an_attempt_that_was_half_made_when_a_supervisor_died_is_made_anew(run: RunDir, supervise: Supervise) -> None:
    half = run.path / "tasks/a/.1"
    half.mkdir()
    (half / "task.json").write_text("{")
    ends(run, "a", "RESCHEDULED")
    supervise(Agents()).step()
    assert (records.read(run.attempt("a", 1).task) or {})["task"] == "a"
    assert not half.exists()


def test_a_cancel_while_a_task_waits_to_be_tried_again_is_the_end(run: RunDir, supervise: Supervise) -> None:
    agents = Agents()
    supervisor = supervise(agents)
    supervisor.step()
    ends(run, "a", "RESCHEDULED")
    supervisor.step()
    write_cancel(run, "enough", at_once=False, moment="now")
    assert supervisor.step() is State.FAILED_CANCELED
    assert status(run, "a", 1)["message"] == "canceled by the user: enough (before the command was started)"
    assert status(run, "b")["state"] == "FAILED_CANCELED"
    assert agents.started == ["a/0"]


def test_a_time_limit_holds_for_whoever_supervises(run: RunDir, supervise: Supervise, clock: FakeClock) -> None:
    group = PlannedGroup("g", ("a",), "a", exec_timeout_s=100.0)
    records.write(run.run, {"tasks": ["a"], "plan": Plan((group,)).record()})
    first = supervise(Agents())
    first.step()
    records.write(run.attempt("a", 0).status, {"state": "RUNNING", "started": clock.now().isoformat()})
    first.step()
    clock.advance(60.0)
    first.close()
    second = supervise(Agents())
    second.step()
    assert not run.attempt("a", 0).stop.exists()
    clock.advance(41.0)
    second.step()
    ordered = records.read(run.attempt("a", 0).stop) or {}
    assert ordered["message"] == "Task ran longer than the set limit of 1 minute 40 seconds."
