"""A checked workflow on its way to becoming a run: what it would write, who else writes there, and its directory."""

import base64
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from osmo.agent.config import FileSpec, Limits, TaskConfig
from osmo.agent.sandbox import Sandbox
from osmo.cli import inputs, launch, runtime
from osmo.cli.planning import exit_actions
from osmo.cli.view import RunView, live, view
from osmo.clock import SystemClock
from osmo.errors import RunDirectoryError, RunNotFound, UsageError
from osmo.rundir import files as made_files
from osmo.rundir import records
from osmo.rundir.home import Home
from osmo.rundir.identity import boot, host
from osmo.rundir.paths import RunDir
from osmo.rundir.plan import Plan
from osmo.spec import place
from osmo.spec.checkpoint import CheckpointEntry
from osmo.spec.expansion import expanded
from osmo.spec.load import Checked
from osmo.spec.place import Place
from osmo.spec.rules import SANDBOX_OUTPUT
from osmo.spec.task import Task
from osmo.spec.tokens import resolve, values

FORMAT = 1
_THIS_HOST = "127.0.0.1"  # what `{{host:task}}` is: all tasks of a run are on this machine


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked workflow on its way to becoming a run."""

    home: Home
    where: Place
    checked: Checked
    limits: Limits
    groups: Plan
    max_retries: int
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def example(self) -> dict[str, Task]:
        """The tasks as they would be in a run of some id: for questions that come before there is one."""
        return {task.name: self._resolved(task, RunDir(self.home.workflows / "workflow-1")) for task in self._tasks}

    @property
    def restores(self) -> bool:
        """Whether some task is to begin with what a store has."""
        restored = any(entry.restore is True for task in self._tasks for entry in task.checkpoint)
        return restored or any(source.url for task in self._tasks for source in task.inputs)

    @property
    def _tasks(self) -> tuple[Task, ...]:
        return self.checked.workflow.tasks

    @property
    def notes(self) -> dict[str, tuple[str, ...]]:
        """What each task's log begins with."""
        return {task.name: runtime.note(task, self.where) for task in self._tasks}

    def refuse_what_others_write(self) -> list[str]:
        """Raises UsageError for a stream or a file that a running task has, and for a file that a person made.

        Returns what the user should know: who else writes to the same place.
        """
        warnings = []
        theirs = [
            (run, task.name, entry)
            for run in live(self.home)
            for task in run.tasks
            if not task.state.over
            for entry in task.config.entries
        ]
        for name, task in self.example.items():
            for entry in place.entries(task, self.where):
                for run, other, owned in theirs:
                    if (owned.url, owned.prefix) != (entry.url, entry.prefix):
                        continue
                    if (other, owned.stream) == (name, entry.stream):
                        launch.see_to(run.run)  # if it is dead, it will be over soon
                        raise taken(run, f"{name}'s {entry.basename} to {entry.url}")
                    at = f"{entry.url}/{entry.prefix}"
                    warnings.append(f"{run.run.id} writes to {at}, too: files of equal name overwrite each other")
        self._files(RunDir(self.home.workflows / "workflow-1"))
        return warnings

    def write_or_nothing(self, spec: Path) -> RunDir:
        """Make the run directory, complete. Raises RunDirectoryError if that cannot be done; then nothing is left."""
        run = None
        try:
            run = self.home.new_run(self.checked.workflow.name)
            self._write(run, spec)
        except OSError as error:
            if run is not None:
                shutil.rmtree(run.path, ignore_errors=True)
            raise RunDirectoryError(
                f"{self.home.path}: {(error.strerror or str(error)).lower()}: nothing was started",
                hint="Make room there, or set OSMO_HOME to another directory.",
            ) from error
        return run

    def _write(self, run: RunDir, spec: Path) -> None:
        """`run.json` is written last: before it, there is no run."""
        records.write(run.environment, dict(self.where.environ))
        _keep(run.spec, self.checked.text)
        if self.checked.template is not None:
            _keep(run.template, self.checked.template)
        files, shared = self._files(run), self._shared()
        for task in self._tasks:
            self._write_task(task, run, files[task.name], shared[task.name])
        records.write(
            run.run,
            {
                "format": FORMAT,
                "id": run.id,
                "name": self.checked.workflow.name,
                "uuid": self.identity,
                "labels": dict(self.checked.workflow.labels),
                "submitted": SystemClock().now().isoformat(),
                "host": host(),
                "boot": boot(),
                "cwd": self.where.cwd,
                "spec_file": str(spec.absolute()),
                "tasks": [task.name for task in self._tasks],
                "plan": self.groups.record(),
            },
        )

    def _write_task(self, raw: Task, run: RunDir, files: tuple[FileSpec, ...], shared: list[bool]) -> None:
        task = self._resolved(raw, run)
        attempt = run.attempt(task.name, 0)
        for folder in (*reversed(attempt.path.relative_to(run.path).parents), attempt.path, attempt.task_output):
            (run.path / folder).mkdir(mode=0o700, exist_ok=True)
        config = TaskConfig(
            run_id=run.id,
            run=self.identity,
            task=task.name,
            attempt=0,
            command=(*task.command, *task.args),
            environment=dict(task.environment),
            cwd=self.where.cwd,
            files=files,
            entries=tuple(self._entries(task, run, shared)),
            limits=self.limits,
            notes=self.notes[task.name],
            sandbox=self._sandbox(task, run),
            exit_actions=exit_actions(task),
            max_retries=self.max_retries,
            barrier=self._has_barrier(task.name),
            inputs=inputs.to_gather(task, run, self.home),
            outputs=inputs.to_send(task),
        )
        records.write(attempt.task, config.record())
        for file in place.files(task, self.where):
            if not self._is_private(task, file.path):
                made = made_files.Made(file.path, made_files.digest(file.data), run.id, task.name)
                made_files.claim(self.home, made)

    def _entries(self, task: Task, run: RunDir, shared: list[bool]) -> Iterator[CheckpointEntry]:
        sandbox = self._sandbox(task, run)
        for entry, each in zip(place.entries(task, self.where), shared, strict=True):
            seen, real = (sandbox.mount_of(entry.root) if sandbox else None) or ("", "")
            yield replace(entry, shared=each, seen=seen, real=real)

    def _sandbox(self, task: Task, run: RunDir) -> Sandbox | None:
        attempt = run.attempt(task.name, 0)
        return runtime.sandbox_of(task, self.where, attempt, self._inputs(task, run))

    def _inputs(self, task: Task, run: RunDir) -> tuple[tuple[str, str], ...]:
        """Of each input of a task, where a sandbox sees it, and where it is."""
        return inputs.folders(task, run, self.home)

    def _is_private(self, task: Task, path: str) -> bool:
        return self.where.is_private(path, has_image=task.image is not None)

    def _has_barrier(self, task: str) -> bool:
        return any(group.has_barrier and task in group.tasks for group in self.groups.groups)

    def _shared(self) -> dict[str, list[bool]]:
        """Of each task's entries, whether other tasks may overwrite their plain files."""
        entries = {name: place.entries(task, self.where) for name, task in self.example.items()}
        by_url: dict[str, list[tuple[str, CheckpointEntry]]] = {}
        for name, own in entries.items():
            for entry in own:
                by_url.setdefault(entry.url, []).append((name, entry))
        return {
            name: [any(other != name and entry.meets(each) for other, each in by_url[entry.url]) for entry in own]
            for name, own in entries.items()
        }

    def _files(self, run: RunDir) -> dict[str, tuple[FileSpec, ...]]:
        """Each task's files, and whether each may replace what is there. Raises UsageError if one may not be made."""
        return {raw.name: tuple(self._file_specs(self._resolved(raw, run), run)) for raw in self._tasks}

    def _file_specs(self, task: Task, run: RunDir) -> Iterator[FileSpec]:
        sandbox = self._sandbox(task, run)
        for file in place.files(task, self.where):
            is_private = self._is_private(task, file.path)
            replace = is_private or made_files.may_make(self.home, file.path, file.data, task.name, self._is_live)
            path = sandbox.real(file.path) if sandbox else file.path
            yield FileSpec(path, base64.b64encode(file.data).decode(), replace)

    def _is_live(self, run_id: str, task: str) -> bool:
        run = RunDir(self.home.workflows / run_id)
        try:
            return any(one.name == task and not one.state.over for one in view(run).tasks)
        except RunNotFound:
            return False

    def _resolved(self, task: Task, run: RunDir) -> Task:
        group = self.checked.workflow.group_of(task.name)
        boxed = runtime.is_boxed(task, self.where)
        known = values(
            task,
            output=SANDBOX_OUTPUT if boxed else str(run.task_output(task.name)),
            inputs=[seen if boxed else real for seen, real in self._inputs(task, run)],
            hosts=dict.fromkeys((mate.name for mate in group.tasks), _THIS_HOST),
            workflow_id=run.id,
            uuid=self.identity,
        )
        return expanded(resolve(task, known))


def taken(owner: RunView, what: str) -> UsageError:
    name = owner.run.id
    if owner.rebooted:
        return UsageError(
            f"{name} was checkpointing {what} when this machine was rebooted, and has not ended",
            hint=f"Let it make its last checkpoint (`osmo workflow resume {name}`), or use another url.",
        )
    return UsageError(
        f"{name} is checkpointing {what} at this moment",
        hint=f"Wait for it, cancel it (`osmo workflow cancel {name}`), or use another url.",
    )


@contextmanager
def one_at_a_time(home: Home) -> Iterator[None]:
    """Between asking who writes a file and taking down that we do, no other submit of this machine asks."""
    with open(home.submit_lock, "ab", opener=_private) as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _keep(path: Path, text: str) -> None:
    with open(path, "x", encoding="utf-8", newline="", opener=_private) as file:
        file.write(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
