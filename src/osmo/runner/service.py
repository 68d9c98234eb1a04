"""The supervisor of one run."""

import fcntl
import os
import random
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

from osmo.backends.base import Backend
from osmo.clock import Clock
from osmo.errors import RunDirectoryError
from osmo.rundir import exits, records
from osmo.rundir.identity import Process, boot
from osmo.rundir.orders import cancel_of
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.rundir.plan import Plan
from osmo.runner import agents, lifecycle, replace
from osmo.runner.attempts import Attempts, HasAnAgent
from osmo.runner.backoff import wait_s
from osmo.runner.ledger import Ledger
from osmo.runner.lifecycle import Seen
from osmo.runner.moment import Moment
from osmo.runner.queue import Queue, Waits
from osmo.runner.waiting import Waiting
from osmo.states import AGENT_LOST, State


class AnotherSupervisor(Exception):
    """The run has one already."""


class RunGone(RunDirectoryError):
    """The run was deleted."""


class Supervisor:
    """Sees to it that each task of a run begins when it may, has an agent while it goes on, is tried again if it is to
    be, and ends. Raises AnotherSupervisor if there is one.

    chance: a number from 0 to 1, at random.
    """

    def __init__(
        self,
        run: RunDir,
        backend: Backend,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._run = run
        self._backend = backend
        self._clock = clock
        self._chance = chance
        self._me = Process.of(os.getpid())
        self._boot = boot()
        self._lock = _locked(run)
        before = records.read(run.supervisor)
        if self._lock is None:
            self._refuse_another(before)
        self._plan = Plan.read(records.read(run.run) or {})
        self._tasks = list(self._plan.tasks)
        self._agents = {task: agents.read(before, task) for task in self._tasks}
        self._attempts = Attempts(run, self._tasks, clock)
        self._waiting = Waiting.read((before or {}).get("moments", {}))
        machine = self._plan.machine
        ledger = None if machine is None else Ledger(run, machine, clock)
        self._queue = Queue(self._plan, ledger, self._waiting)
        self._waits: Waits = {}
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
        now = Moment.now(self._clock, self._boot)
        alive = self._alive()
        self._attempts.look()  # after: an agent that is gone by now has said how it ended
        self._repeat(now)
        self._note_what_runs(now)
        self._end_tasks(now)
        tasks = self._seen()
        self._waits, begin = self._queue.next(tasks, now)
        self._start(tasks, alive, begin)
        for task in lifecycle.to_release(self._plan, tasks):
            self._attempts.release(task)
        self._write()
        if self._stopping:
            self._backend.stop([self._attempts.place(task) for task, one in tasks.items() if one.goes_on and one.begun])
        if (state := lifecycle.state_of_run(self._plan, self._seen())).settled:
            self._end(state)
        return state

    def close(self) -> None:
        """Leave the run to another supervisor."""
        if self._lock is not None:
            self._lock.close()

    def stop(self) -> None:
        """The machine is being taken away: from the next step on the agents are told, also those just started."""
        self._stopping = True

    def _seen(self) -> dict[str, Seen]:
        return {task: self._attempts.seen(task) for task in self._tasks}

    def _alive(self) -> set[str]:
        """The tasks whose agents live."""
        going = {self._attempts.place(task): task for task, one in self._seen().items() if one.goes_on and one.begun}
        return {going[place] for place, alive in self._backend.alive(list(going)).items() if alive}

    def _repeat(self, now: Moment) -> None:
        """A task that was rescheduled gets its next attempt, which begins after a while."""
        for task, one in self._seen().items():
            if one.state is State.RESCHEDULED:
                self._waiting.is_to_wait(task, wait_s(one.attempt + 1, self._plan.retry_wait_s, self._chance()), now)
                self._attempts.repeat(task)
                self._agents[task] = agents.Agents()

    def _note_what_runs(self, now: Moment) -> None:
        for group in self._plan.groups:
            if group.exec_timeout_s is not None:
                started = [self._attempts.started(task) for task in group.tasks]
                if known := [moment for moment in started if moment is not None]:
                    self._waiting.runs(group.name, known, now)

    def _end_tasks(self, now: Moment) -> None:
        """Until nothing follows from what has ended: the end of one is the end of those that need it."""
        canceled, ages = cancel_of(self._run), self._waiting.ages(now)
        told: set[str] = set()
        while True:
            orders = lifecycle.to_end(self._plan, self._seen(), ages, canceled, preempted=self._stopping)
            new = {task: order for task, order in orders if task not in told}
            for task, order in new.items():
                self._attempts.end(task, order)
            if not new:
                return
            told |= new.keys()

    def _start(self, tasks: Mapping[str, Seen], alive: set[str], begin: Mapping[str, tuple[str, ...]]) -> None:
        """Those that may begin, and those whose agent has died."""
        looked = [
            self._look(task, one, alive=task in alive) for task, one in tasks.items() if one.begun or task in begin
        ]
        for task in replace.to_start([one for one in looked if not self._given_up(one)], self._clock.monotonic()):
            if begin.get(task):
                self._attempts.give(task, begin[task])
            self._agents[task] = self._agents[task].started(self._clock.monotonic())
            try:
                self._backend.start([self._attempts.place(task)])
            except OSError:  # no more processes, a full disk: again after a while
                traceback.print_exc(file=sys.stderr)
            self._attempts.begins(task)

    def _look(self, task: str, one: Seen, *, alive: bool) -> replace.Seen:
        if one.goes_on:
            moment = self._clock.now().isoformat()
            self._agents[task] = self._agents[task].seen(alive=alive, now=self._clock.monotonic(), moment=moment)
        known = self._agents[task]
        begun = one.goes_on and not alive and _command_began(self._attempts.place(task))
        return replace.Seen(task, one.state, alive, known.starts, known.started_at, begun=begun)

    def _given_up(self, seen: replace.Seen) -> bool:
        """Whether it is. The attempt's record is ours to write then: none of its agents lives."""
        if not replace.to_give_up([seen]):
            return False
        place = self._attempts.place(seen.task)
        message = f"its agent died {seen.starts} times before the command began; see {place.agent_errors}"
        ending = exits.after_attempt(records.read(place.task) or {}, State.FAILED_BACKEND_ERROR, AGENT_LOST)
        said = f"{message} ({ending.note})" if ending.note else message
        try:
            self._attempts.write_end(seen.task, ending.state, AGENT_LOST, said)
        except (OSError, HasAnAgent):
            return False
        return True

    def _write(self) -> None:
        record = self._me.record() | {
            "agents": {task: known.record() for task, known in self._agents.items() if known.deaths},
            "moments": self._waiting.record(),
            "waits": {task: {"state": state, "why": why} for task, (state, why) in self._waits.items()},
        }
        if record != self._written:
            records.write(self._run.supervisor, record)
            self._written = record

    def _end(self, state: State) -> None:
        """Once, so that nobody has to read the records of all tasks to know."""
        if not self._run.ended.exists():
            self._queue.close()
            records.write(self._run.ended, {"state": state, "ended": self._clock.now().isoformat()})

    def _refuse_another(self, record: records.Record | None) -> None:
        other = None if record is None else Process.read(record)
        if other is not None and other != self._me and other.alive:
            raise AnotherSupervisor(self._run.id)


def _command_began(attempt: AttemptDir) -> bool:
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
