"""Every file name that we ever write below `$OSMO_HOME`."""

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from osmo.errors import RunDirectoryError, RunNotFound

RUN_ID = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?-[1-9][0-9]*")


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
        _check_owner(self.path, "Ask its owner, or move it out of the way.")

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


def _ignore(_name: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Home:
    """`$OSMO_HOME`: the runs of this machine, and what they have in common."""

    path: Path

    @property
    def workflows(self) -> Path:
        return self.path / "workflows"

    def numbers(self, name: str) -> Path:
        """One empty file for each number that a run of this name ever had: ids are never used again."""
        return self.path / "numbers" / name

    @property
    def files(self) -> Path:
        """One record for each file that a task's `files:` made on this machine."""
        return self.path / "files"

    @property
    def submit_lock(self) -> Path:
        """Held by the one submit that takes down what its run will write."""
        return self.path / "submit.lock"

    def resources(self, host: str) -> Path:
        """What of that machine is whose: one record for all runs."""
        return self.path / f"resources-{host}.json"

    def resources_lock(self, host: str) -> Path:
        """Held by whoever changes `resources`."""
        return self.path / f"resources-{host}.lock"

    def prepare(self) -> None:
        """Make the directory, for its owner only. Raises RunDirectoryError if it cannot be used."""
        try:
            for path in (self.path, self.workflows, self.path / "numbers", self.files):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(
                f"{self.path}: cannot keep runs here: {error.strerror}", hint="Set OSMO_HOME to a directory of yours."
            ) from error
        self.check_owner()

    def check_owner(self) -> None:
        """Raises RunDirectoryError if the directory belongs to another user, or others may look into it."""
        for path in (self.path, self.workflows):
            mode = _check_owner(path, "Set OSMO_HOME to a directory of yours.")
            if mode & 0o077:
                path.chmod(0o700)

    def run(self, run_id: str) -> RunDir:
        """The run of that id. Raises RunNotFound, and RunDirectoryError if it belongs to another user."""
        found = RunDir(self.workflows / run_id)
        if RUN_ID.fullmatch(run_id):
            found.check_owner()
        if not RUN_ID.fullmatch(run_id) or not found.run.exists():
            raise RunNotFound(f"no run {run_id!r} on this machine ({self.workflows})")
        return found

    def runs(self) -> Iterator[RunDir]:
        """All runs of this user, in no order."""
        workflows = self.workflows
        return (RunDir(workflows / name) for name in self._mine(_ignore))

    def newest_first(self, part: str = "", stranger: Callable[[str], None] = _ignore) -> Iterator[RunDir]:
        """The runs whose id has `part` in it, as they were submitted: by the time of `run.json`, which is written once.

        Among ten thousand runs only those that are shown are read. stranger: told of what belongs to another user and
        is left out.
        """
        workflows = self.workflows
        found = []
        for name in self._mine(stranger):
            if part in name:
                with contextlib.suppress(FileNotFoundError):  # not submitted yet, or just deleted
                    found.append((os.stat(f"{workflows}/{name}/run.json").st_mtime_ns, name))
        return (RunDir(workflows / name) for _, name in sorted(found, reverse=True))

    def live(self) -> list[RunDir]:
        """The runs that may not be over: all but those that say they are."""
        workflows = self.workflows
        return [RunDir(workflows / name) for name in self._mine(_ignore) if _is_live(f"{workflows}/{name}")]

    def _mine(self, stranger: Callable[[str], None]) -> Iterator[str]:
        """What lies among the runs under the name of one."""
        me = os.geteuid()
        try:
            entries = os.scandir(self.workflows)
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                if RUN_ID.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        if entry.stat().st_uid == me:
                            yield entry.name
                        else:
                            stranger(entry.name)

    def new_run(self, name: str) -> RunDir:
        """An empty directory for a new run: `<name>-<n>`, n one above every number this name ever had."""
        numbers = self.numbers(name)
        numbers.mkdir(mode=0o700, exist_ok=True)
        number = max((int(used) for used in os.listdir(numbers) if used.isdecimal()), default=0)
        while True:
            number += 1
            try:
                os.close(os.open(numbers / str(number), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            except FileExistsError:
                continue
            run = RunDir(self.workflows / f"{name}-{number}")
            run.path.mkdir(mode=0o700)
            return run


def _check_owner(path: Path, hint: str) -> int:
    """The permissions of the directory; 0o700 if it is not there. Raises RunDirectoryError if it is another user's."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0o700
    if found.st_uid != os.geteuid():
        raise RunDirectoryError(f"{path} belongs to another user (uid {found.st_uid})", hint=hint)
    return stat.S_IMODE(found.st_mode)


def _is_live(path: str) -> bool:
    return not os.path.exists(f"{path}/ended.json") and os.path.exists(f"{path}/run.json")
