"""The name of every file that we ever write into the directory of a run."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from osmo.errors import RunDirectoryError


@dataclass(frozen=True, slots=True)
class AttemptDir:
    """One attempt of one task. Who writes what: the runner `task.json`, `stop.json` and `go`, the wrapper `started` and
    `exit`, the command `output`, whoever wants a checkpoint a file in `requests`, the agent all the rest. Of an attempt
    that never had an agent all is the runner's."""

    path: Path

    @property
    def task(self) -> Path:
        return self.path / "task.json"

    @property
    def agent(self) -> Path:
        return self.path / "agent.json"

    @property
    def agent_lock(self) -> Path:
        return self.path / "agent.lock"

    @property
    def child(self) -> Path:
        return self.path / "child.json"

    @property
    def started(self) -> Path:
        return self.path / "started"

    @property
    def exit(self) -> Path:
        return self.path / "exit"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    @property
    def output(self) -> Path:
        """What the command printed and the agent has not taken over yet."""
        return self.path / "output"

    @property
    def position(self) -> Path:
        """How far `output` is in the log."""
        return self.path / "position"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def agent_errors(self) -> Path:
        """What the agent itself prints: nothing, unless it breaks."""
        return self.path / "agent.err"

    @property
    def stop(self) -> Path:
        """That the supervisor wants it to end, and why."""
        return self.path / "stop.json"

    @property
    def go(self) -> Path:
        """All of its group are ready: the command may start."""
        return self.path / "go"

    @property
    def task_output(self) -> Path:
        """The folder that `{{output}}` stands for: the same in all attempts of the task."""
        return self.path.parent / "output"

    @property
    def task_inputs(self) -> Path:
        """What was made or fetched for the task to read: the same in all of its attempts."""
        return self.path.parent / "input"

    @property
    def left_output(self) -> Path:
        """What was in `task_output` when a later attempt began."""
        return self.path / "data"

    @property
    def requests(self) -> Path:
        """A file for each checkpoint that somebody asked for; the agent removes what it has answered."""
        return self.path / "requests"

    @property
    def programs(self) -> Path:
        """What stands at the end of the command's PATH: `osmo`."""
        return self.path / "bin"

    @property
    def root(self) -> Path:
        """The folder that a task in a sandbox sees as its `/`."""
        return self.path / "root"

    @property
    def scratch(self) -> Path:
        """Copies of databases, while they are sent."""
        return self.path / "scratch"

    def saved(self, stream: int) -> Path:
        """What of stream number `stream` is durable, with its local identity: see `osmo.rundir.looks`."""
        return self.path / f"saved-{stream}.jsonl"


@dataclass(frozen=True, slots=True)
class RunDir:
    """One run. `run.json` is written once, by submit; `supervisor.json` and, once all is over, `ended.json` by the
    supervisor; `cancel.json` by cancel."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def run(self) -> Path:
        return self.path / "run.json"

    @property
    def spec(self) -> Path:
        """As it was read: rendered, if it was a template."""
        return self.path / "spec.yaml"

    @property
    def template(self) -> Path:
        """The spec as it was written; only if it was a template."""
        return self.path / "template.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def supervisor(self) -> Path:
        return self.path / "supervisor.json"

    @property
    def supervisor_lock(self) -> Path:
        return self.path / "supervisor.lock"

    @property
    def supervisor_errors(self) -> Path:
        return self.path / "supervisor.err"

    @property
    def cancel(self) -> Path:
        return self.path / "cancel.json"

    @property
    def tags(self) -> Path:
        """Words of a person's own; written by whoever changes them."""
        return self.path / "tags.json"

    @property
    def ended(self) -> Path:
        """How it ended, and when. A run that is over has it, but for one whose supervisor died just then."""
        return self.path / "ended.json"

    def check_owner(self) -> None:
        """Raises RunDirectoryError if the directory belongs to another user."""
        check_owner(self.path, "Ask its owner, or move it out of the way.")

    def attempt(self, task: str, number: int) -> AttemptDir:
        return AttemptDir(self.path / "tasks" / task / str(number))

    def task_output(self, task: str) -> Path:
        """The folder that the task's `{{output}}` stands for."""
        return self.path / "tasks" / task / "output"

    def task_inputs(self, task: str) -> Path:
        """What is made or fetched for the task to read, input N in the folder N: the same in all attempts."""
        return self.path / "tasks" / task / "input"

    def attempts(self, task: str) -> list[AttemptDir]:
        """All attempts of `task`, oldest first."""
        try:
            numbers = sorted(int(name) for name in os.listdir(self.path / "tasks" / task) if name.isdecimal())
        except FileNotFoundError:
            return []
        return [self.attempt(task, number) for number in numbers]


def check_owner(path: Path, hint: str) -> int:
    """The permissions of the directory; 0o700 if it is not there. Raises RunDirectoryError if it is another user's."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0o700
    if found.st_uid != os.geteuid():
        raise RunDirectoryError(f"{path} belongs to another user (uid {found.st_uid})", hint=hint)
    return stat.S_IMODE(found.st_mode)
