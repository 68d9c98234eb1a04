"""The supervisor of one run."""

import fcntl
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

from osmo.backends.base import Backend
from osmo.clock import Clock
from osmo.errors import RunDirectoryError
from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.runner import agents
from osmo.runner.plan import Seen, to_give_up, to_start
from osmo.states import AGENT_LOST, State, of_workflow


class AnotherSupervisor(Exception):
    """The run has one already."""


class RunGone(RunDirectoryError):
    """The run was deleted."""


class Supervisor:
    """Sees to it that every task of a run has an agent until it is over. Raises AnotherSupervisor if there is one."""

    def __init__(self, run: RunDir, backend: Backend, clock: Clock) -> None:
        self._run = run
        self._backend = backend
        self._clock = clock
        self._me = Process.of(os.getpid())
        self._lock = _locked(run)
        before = records.read(run.supervisor)
        if self._lock is None:
            self._refuse_another(before)
        record = records.read(run.run) or {}
        self._tasks: list[str] = list(record.get("tasks", []))
        self._agents = {task: agents.read(before, task) for task in self._tasks}
        self._written: records.Record | None = None
        self._state = State.PENDING
        self._complained = ""
        self._stopping = False
        with suppress(OSError):  # a full disk: the next step tries again
            self._write()

    def step(self) -> State:
        """Look once, do what is to be done. Returns the workflow's state.

        Trouble with the disk is printed, and is no reason to end. Raises RunGone if the run was deleted, and
        AnotherSupervisor if there is one, where no lock could tell.
        """
        try:
            self._state = self._step()
        except RunGone:
            raise
        except (OSError, RunDirectoryError) as error:
            if str(error) != self._complained:
                self._complained = str(error)
                traceback.print_exc(file=sys.stderr)
        return self._state

    def _step(self) -> State:
        if not self._run.run.exists():
            raise RunGone(f"{self._run.path} is gone")
        if self._lock is None:
            self._refuse_another(records.read(self._run.supervisor))
        newest = {task: newest_attempt(self._run, task) for task in self._tasks}
        alive = self._backend.alive(list(newest.values()))
        states = task_states(self._run, self._tasks)  # after: an agent that is gone by now has said how it ended
        seen = [self._look(task, states[task], newest[task], alive[newest[task]]) for task in self._tasks]
        for task in to_start([one for one in seen if not self._given_up(one, newest[one.task])], self._now()):
            self._start(task, newest[task])
        self._write()
        if self._stopping:
            self._backend.stop([newest[task] for task in self._tasks if not states[task].over])
        if (state := of_workflow(task_states(self._run, self._tasks).values())).over:
            self._end(state)
        return state

    def close(self) -> None:
        """Leave the run to another supervisor."""
        if self._lock is not None:
            self._lock.close()

    def stop(self) -> None:
        """The machine is being taken away: from the next step on the agents are told, also those just started."""
        self._stopping = True

    def _look(self, task: str, state: State, attempt: AttemptDir, alive: bool) -> Seen:
        if not state.over:
            moment = self._clock.now().isoformat()
            self._agents[task] = self._agents[task].seen(alive=alive, now=self._now(), moment=moment)
        known = self._agents[task]
        return Seen(task, state, alive, known.starts, known.started_at, begun=_begun(attempt))

    def _start(self, task: str, attempt: AttemptDir) -> None:
        self._agents[task] = self._agents[task].started(self._now())
        try:
            self._backend.start([attempt])
        except OSError:  # no more processes, a full disk: again after a while
            traceback.print_exc(file=sys.stderr)

    def _given_up(self, seen: Seen, attempt: AttemptDir) -> bool:
        """Whether it is. The agent's record is ours to write then: none of its kind lives."""
        if not to_give_up([seen]):
            return False
        message = f"its agent died {seen.starts} times before the command began; see {attempt.agent_errors}"
        now = self._clock.now().isoformat()
        status = records.read(attempt.status) or {}
        end = {"state": State.FAILED_BACKEND_ERROR, "exit_code": AGENT_LOST, "message": message, "ended": now}
        try:
            records.write(attempt.status, {"streams": [], **status, **end, "written": now})
        except OSError:
            return False
        return True

    def _write(self) -> None:
        record = self._me.record() | {"agents": {task: known.record() for task, known in self._agents.items()}}
        if record != self._written:
            records.write(self._run.supervisor, record)
            self._written = record

    def _end(self, state: State) -> None:
        """Once, so that nobody has to read the records of all tasks to know."""
        if not self._run.ended.exists():
            records.write(self._run.ended, {"state": state, "ended": self._clock.now().isoformat()})

    def _refuse_another(self, record: records.Record | None) -> None:
        other = None if record is None else Process.read(record)
        if other is not None and other != self._me and other.alive:
            raise AnotherSupervisor(self._run.id)

    def _now(self) -> float:
        return self._clock.monotonic()


def newest_attempt(run: RunDir, task: str) -> AttemptDir:
    """The task's last attempt; attempt 0 before there is any."""
    return (run.attempts(task) or [run.attempt(task, 0)])[-1]


def task_states(run: RunDir, tasks: list[str]) -> Mapping[str, State]:
    """The state of each task's newest attempt."""
    statuses = {task: records.read(newest_attempt(run, task).status) for task in tasks}
    return {task: State(status["state"]) if status else State.SUBMITTING for task, status in statuses.items()}


def _begun(attempt: AttemptDir) -> bool:
    return attempt.started.exists() or attempt.child.exists()


def _locked(run: RunDir) -> IO[bytes] | None:
    """A lock that ends with the process; None where the file system has none to give, or no room for its file. Only
    supervisors on this machine ask for it. Raises AnotherSupervisor."""
    try:
        file = open(os.open(run.supervisor_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise AnotherSupervisor(run.id) from error
    except OSError:
        file.close()
        return None
    return file
