"""The supervisor of a run, with agents that only pretend."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from osmo.clock import SystemClock
from osmo.rundir import records
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.runner.service import AnotherSupervisor, Supervisor
from osmo.states import State

Supervisors = Callable[["Agents"], Supervisor]


class Agents:
    """A backend whose agents do nothing. `stopped`: who was asked to end, at each time of asking."""

    def __init__(self) -> None:
        self.started: list[AttemptDir] = []
        self.stopped: list[list[AttemptDir]] = []
        self.full = False

    def start(self, attempts: Sequence[AttemptDir]) -> None:
        if self.full:
            raise BlockingIOError("no more processes")
        self.started += attempts

    def alive(self, attempts: Sequence[AttemptDir]) -> Mapping[AttemptDir, bool]:
        return {attempt: attempt in self.started for attempt in attempts}

    def stop(self, attempts: Sequence[AttemptDir]) -> None:
        self.stopped.append(list(attempts))


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    place = RunDir(tmp_path / "t-1")
    for task in ("a", "b"):
        place.attempt(task, 0).path.mkdir(parents=True)
    records.write(place.run, {"tasks": ["a", "b"]})
    return place


@pytest.fixture
def supervisors(run: RunDir) -> Iterator[Supervisors]:
    with ExitStack() as stack:
        yield lambda agents: stack.enter_context(closing(Supervisor(run, agents, SystemClock())))


def test_every_task_gets_an_agent_once(run: RunDir, supervisors: Supervisors) -> None:
    agents = Agents()
    supervisor = supervisors(agents)
    assert supervisor.step() is State.PENDING
    supervisor.step()
    assert agents.started == [run.attempt("a", 0), run.attempt("b", 0)]


def test_a_preemption_is_told_until_all_is_over(run: RunDir, supervisors: Supervisors) -> None:
    """An agent that is just starting does not hear the first time."""
    agents = Agents()
    supervisor = supervisors(agents)
    supervisor.step()
    supervisor.stop()
    supervisor.step()
    records.write(run.attempt("a", 0).status, {"state": "FAILED_PREEMPTED"})
    supervisor.step()
    records.write(run.attempt("b", 0).status, {"state": "FAILED_PREEMPTED"})
    assert supervisor.step() is State.FAILED_PREEMPTED
    a, b = run.attempt("a", 0), run.attempt("b", 0)
    assert [told for told in agents.stopped if told] == [[a, b], [b]]


def test_a_machine_that_can_start_nothing_now_is_asked_again(
    run: RunDir, supervisors: Supervisors, capfd: pytest.CaptureFixture[str]
) -> None:
    agents = Agents()
    agents.full = True
    supervisor = supervisors(agents)
    supervisor.step()
    agents.full = False
    supervisor._started_at = dict.fromkeys("ab", -100.0)
    supervisor.step()
    assert len(agents.started) == 2
    assert "no more processes" in capfd.readouterr().err


def test_a_run_has_one_supervisor(run: RunDir, supervisors: Supervisors) -> None:
    first = supervisors(Agents())
    with pytest.raises(AnotherSupervisor):
        supervisors(Agents())
    first.close()
    assert supervisors(Agents()).step() is State.PENDING
