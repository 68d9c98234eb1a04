"""The supervisor of one run."""

import fcntl
import os
import sys
import traceback
from collections.abc import Mapping
from typing import IO

from osmo.backends.base import Backend
from osmo.clock import Clock
from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.runner.plan import Seen, to_start
from osmo.states import State, of_workflow


class AnotherSupervisor(Exception):
    """The run has one already."""


class Supervisor:
    """Sees to it that every task of a run has an agent until it is over. Raises AnotherSupervisor if there is one."""

    def __init__(self, run: RunDir, backend: Backend, clock: Clock) -> None:
        self._run = run
        self._backend = backend
        self._clock = clock
        self._lock = _locked(run)
        record = records.read(run.run) or {}
        self._tasks: list[str] = list(record.get("tasks", []))
        self._starts: dict[str, int] = dict.fromkeys(self._tasks, 0)
        self._started_at: dict[str, float] = dict.fromkeys(self._tasks, 0.0)
        self._stopping = False
        records.write(run.supervisor, Process.of(os.getpid()).record())

    def step(self) -> State:
        """Look once, do what is to be done. Returns the workflow's state."""
        states = task_states(self._run, self._tasks)
        newest = {task: newest_attempt(self._run, task) for task in self._tasks}
        alive = self._backend.alive(list(newest.values()))
        seen = [
            Seen(task, states[task], alive[newest[task]], self._starts[task], self._started_at[task])
            for task in self._tasks
        ]
        for task in to_start(seen, now := self._clock.monotonic()):
            self._starts[task] += 1
            self._started_at[task] = now
            try:
                self._backend.start([newest[task]])
            except OSError:  # no more processes, a full disk: again after a while
                traceback.print_exc(file=sys.stderr)
        if self._stopping:
            self._backend.stop([newest[task] for task in self._tasks if not states[task].over])
        return of_workflow(states.values())

    def close(self) -> None:
        """Leave the run to another supervisor."""
        self._lock.close()

    def stop(self) -> None:
        """The machine is being taken away: from the next step on the agents are told, also those just started."""
        self._stopping = True


def newest_attempt(run: RunDir, task: str) -> AttemptDir:
    """The task's last attempt; attempt 0 before there is any."""
    return (run.attempts(task) or [run.attempt(task, 0)])[-1]


def task_states(run: RunDir, tasks: list[str]) -> Mapping[str, State]:
    """The state of each task's newest attempt."""
    statuses = {task: records.read(newest_attempt(run, task).status) for task in tasks}
    return {task: State(status["state"]) if status else State.SUBMITTING for task, status in statuses.items()}


def _locked(run: RunDir) -> IO[bytes]:
    """A lock that ends with the process. Only supervisors on this machine ask for it."""
    file = open(os.open(run.supervisor_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise AnotherSupervisor(run.id) from error
    return file
