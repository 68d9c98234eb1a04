"""The newest attempt of each task of a run, as its record tells it. Only what has changed is read."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from osmo.clock import Clock
from osmo.rundir import records
from osmo.rundir.orders import Order, write_stop
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.runner.lifecycle import Seen
from osmo.states import State

_WITH_OWN_FOLDERS = ("sandbox", "files", "entries")


class HasAnAgent(Exception):
    """The attempt has an agent: its record is not ours to write."""


@dataclass(slots=True)
class _Known:
    """What was last read of an attempt. signature: of the file that it was read from."""

    place: AttemptDir
    number: int
    begun: bool
    status: str
    state: State = State.SUBMITTING
    ready: bool = False
    started: str | None = None
    signature: tuple[int, int, int] | None = None
    ordered: bool = False
    released: bool = False


class Attempts:
    """Who ends, begins or repeats an attempt does it here."""

    def __init__(self, run: RunDir, tasks: list[str], clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._known = {task: _known(newest_attempt(run, task)) for task in tasks}

    def look(self) -> None:
        """Read what has changed. Raises OSError, RunDirectoryError."""
        for known in self._known.values():
            if not known.state.over:
                _look(known)

    def seen(self, task: str) -> Seen:
        known = self._known[task]
        return Seen(known.number, known.state, known.begun, known.ready)

    def place(self, task: str) -> AttemptDir:
        return self._known[task].place

    def started(self, task: str) -> str | None:
        """When its command was started, ISO 8601."""
        return self._known[task].started

    def begins(self, task: str) -> None:
        """It is given an agent."""
        self._known[task].begun = True

    def give(self, task: str, devices: tuple[str, ...]) -> None:
        """These devices are its own, and it sees no other. Before it begins. Raises OSError, RunDirectoryError."""
        place = self._known[task].place
        record = records.read(place.task) or {}
        environment = record.get("environment", {}) | {"CUDA_VISIBLE_DEVICES": ",".join(devices)}
        if environment != record.get("environment"):
            records.write(place.task, record | {"environment": environment})

    def end(self, task: str, order: Order) -> None:
        """See to it that the task ends: by its agent or, if it never had one, here and now. Raises OSError."""
        known = self._known[task]
        if known.ordered:
            return
        try:
            if known.begun:
                raise HasAnAgent
            self.write_end(task, order.state, order.exit_code, order.message)
        except HasAnAgent:
            write_stop(known.place, order)
            known.ordered = True

    def write_end(self, task: str, state: State, exit_code: int | None, message: str) -> None:
        """The record of an attempt that no agent takes care of. Raises HasAnAgent if one does, and OSError."""
        known = self._known[task]
        now = self._clock.now().isoformat()
        end = {"state": state, "exit_code": exit_code, "message": message, "ended": now, "written": now}
        with _without_agent(known.place):
            status = records.read(known.place.status) or {}
            if not State(status.get("state", State.SUBMITTING)).over:
                records.write(known.place.status, status | end)
        _look(known)

    def release(self, task: str) -> None:
        """Its command may start. Raises OSError."""
        known = self._known[task]
        if not known.released:
            os.close(os.open(known.place.go, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            known.released = True

    def repeat(self, task: str) -> None:
        """Make the attempt after one that was rescheduled: the same once more. Raises OSError, RunDirectoryError."""
        known = self._known[task]
        number = known.number + 1
        place = self._run.attempt(task, number)
        record = records.read(known.place.task) or {}
        record |= {"files": [file | {"replace": True} for file in record.get("files", ())]}  # the one before made them
        record |= {name: _moved(record.get(name), known.place, place) for name in _WITH_OWN_FOLDERS}
        unfinished = AttemptDir(place.path.with_name(f".{number}"))
        shutil.rmtree(unfinished.path, ignore_errors=True)
        unfinished.path.mkdir(mode=0o700)
        records.write(unfinished.task, record | {"attempt": number})
        unfinished.path.rename(place.path)
        self._known[task] = _Known(place, number, begun=False, status=str(place.status))


def newest_attempt(run: RunDir, task: str) -> AttemptDir:
    """The task's last attempt; attempt 0 before there is any."""
    return (run.attempts(task) or [run.attempt(task, 0)])[-1]


def _moved(value: Any, old: AttemptDir, new: AttemptDir) -> Any:
    """A value of a record, with what lies in one attempt's directory in the other's."""
    if isinstance(value, dict):
        return {name: _moved(each, old, new) for name, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, old, new) for each in value]
    if isinstance(value, str) and f"{value}/".startswith(f"{old.path}/"):
        return f"{new.path}{value.removeprefix(str(old.path))}"
    return value


def _known(place: AttemptDir) -> _Known:
    begun = place.agent.exists() or place.started.exists()
    return _Known(place, int(place.path.name), begun, str(place.status))


def _look(known: _Known) -> None:
    try:
        stat = os.stat(known.status)
    except FileNotFoundError:
        return
    signature = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
    if signature == known.signature:
        return
    status = records.read(known.place.status) or {}
    known.state = State(status.get("state", State.SUBMITTING))
    known.ready = bool(status.get("ready"))
    known.started = status.get("started")
    known.signature = signature


@contextmanager
def _without_agent(place: AttemptDir) -> Iterator[None]:
    """Inside the block no agent takes care of the attempt. Raises HasAnAgent; where the file system has no locks, it
    is taken for granted."""
    descriptor = os.open(place.agent_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HasAnAgent from error
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)
