"""The supervisor of a run, with agents that only pretend."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.runner.service import AnotherSupervisor, RunGone, Supervisor
from osmo.states import State
from support.clock import FakeClock

Supervisors = Callable[["Agents"], Supervisor]


class Agents:
    """A backend whose agents do nothing. `stopped`: who was asked to end, at each time of asking. full: none can be
    started; ill: all die at once."""

    def __init__(self) -> None:
        self.started: list[AttemptDir] = []
        self.stopped: list[list[AttemptDir]] = []
        self.full = False
        self.ill = False

    def start(self, attempts: Sequence[AttemptDir]) -> None:
        if self.full:
            raise BlockingIOError("no more processes")
        self.started += attempts

    def alive(self, attempts: Sequence[AttemptDir]) -> Mapping[AttemptDir, bool]:
        return {attempt: attempt in self.started and not self.ill for attempt in attempts}

    def stop(self, attempts: Sequence[AttemptDir]) -> None:
        self.stopped.append(list(attempts))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    place = RunDir(tmp_path / "t-1")
    for task in ("a", "b"):
        place.attempt(task, 0).path.mkdir(parents=True)
    records.write(place.run, {"tasks": ["a", "b"]})
    return place


@pytest.fixture
def supervisors(run: RunDir, clock: FakeClock) -> Iterator[Supervisors]:
    with ExitStack() as stack:
        yield lambda agents: stack.enter_context(closing(Supervisor(run, agents, clock)))


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
    run: RunDir, supervisors: Supervisors, clock: FakeClock, capfd: pytest.CaptureFixture[str]
) -> None:
    agents = Agents()
    agents.full = True
    supervisor = supervisors(agents)
    supervisor.step()
    agents.full = False
    clock.advance(100.0)
    supervisor.step()
    assert len(agents.started) == 2
    assert "no more processes" in capfd.readouterr().err


def test_a_run_has_one_supervisor(run: RunDir, supervisors: Supervisors) -> None:
    first = supervisors(Agents())
    with pytest.raises(AnotherSupervisor):
        supervisors(Agents())
    first.close()
    assert supervisors(Agents()).step() is State.PENDING


def step_for(supervisor: Supervisor, clock: FakeClock, seconds: float) -> State:
    state = supervisor.step()
    for _ in range(round(seconds / 0.5)):
        clock.advance(0.5)
        state = supervisor.step()
    return state


def test_agents_that_die_at_every_start_are_told_of_and_given_up_before_the_command_began(
    run: RunDir, supervisors: Supervisors, clock: FakeClock
) -> None:
    agents = Agents()
    agents.ill = True
    records.write(run.attempt("b", 0).status, {"state": "COMPLETED"})
    supervisor = supervisors(agents)
    assert step_for(supervisor, clock, 60) is State.RUNNING
    told = (records.read(run.supervisor) or {})["agents"]["a"]
    assert (told["deaths"], told["in_a_row"], told["died"][:10]) == (6, 6, "2025-04-22")
    assert step_for(supervisor, clock, 300) is State.FAILED_BACKEND_ERROR
    status = records.read(run.attempt("a", 0).status) or {}
    assert (status["state"], status["exit_code"]) == ("FAILED_BACKEND_ERROR", 3001)
    errors = run.attempt("a", 0).agent_errors
    assert status["message"] == f"its agent died 10 times before the command began; see {errors}"
    assert len(agents.started) == 10


def test_a_command_that_began_is_never_given_up(run: RunDir, supervisors: Supervisors, clock: FakeClock) -> None:
    agents = Agents()
    agents.ill = True
    for task in ("a", "b"):
        run.attempt(task, 0).started.write_text("1 boot\n")
        records.write(run.attempt(task, 0).status, {"state": "RUNNING"})
    supervisor = supervisors(agents)
    assert step_for(supervisor, clock, 3600) is State.RUNNING
    assert 100 < len(agents.started) < 140  # both, once a minute


def test_what_ended_is_written_down_once(run: RunDir, supervisors: Supervisors) -> None:
    supervisor = supervisors(Agents())
    supervisor.step()
    assert not run.ended.exists()
    for task in ("a", "b"):
        records.write(run.attempt(task, 0).status, {"state": "COMPLETED"})
    assert supervisor.step() is State.COMPLETED
    assert (records.read(run.ended) or {})["state"] == "COMPLETED"
    before = run.ended.stat()
    supervisor.step()
    assert run.ended.stat() == before


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_trouble(
    run: RunDir, supervisors: Supervisors, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_locks(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert supervisors(Agents()).step() is State.PENDING
    other = Process.of(os.getppid())  # who is alive and not we, the record says
    records.write(run.supervisor, other.record())
    with pytest.raises(AnotherSupervisor):
        supervisors(Agents())
    records.write(run.supervisor, replace(other, started=other.started + 1).record())
    supervisor = supervisors(Agents())
    records.write(run.supervisor, other.record())  # both began at the same moment: the last to write it stays
    with pytest.raises(AnotherSupervisor):
        supervisor.step()


def test_a_disk_in_trouble_does_not_end_the_supervisor(
    run: RunDir, supervisors: Supervisors, capfd: pytest.CaptureFixture[str]
) -> None:
    supervisor = supervisors(Agents())
    supervisor.step()
    run.attempt("a", 0).status.write_text("{")
    assert supervisor.step() is supervisor.step() is State.PENDING
    assert capfd.readouterr().err.count("status.json: not a record of osmo") == 1
    run.attempt("a", 0).status.write_text('{"state": "RUNNING"}')
    assert supervisor.step() is State.RUNNING


def test_a_run_that_was_deleted_needs_no_supervisor(run: RunDir, supervisors: Supervisors) -> None:
    supervisor = supervisors(Agents())
    run.run.unlink()
    with pytest.raises(RunGone):
        supervisor.step()
