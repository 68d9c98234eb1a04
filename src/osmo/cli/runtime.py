"""In what a task's command runs on this machine: as a process like any other, or in a sandbox."""

import os
import shutil
from collections.abc import Sequence
from typing import Literal, get_args

from osmo.agent import sandbox
from osmo.agent.sandbox import Sandbox
from osmo.cli import launch
from osmo.cli.settings import Settings
from osmo.errors import UsageError
from osmo.rundir.paths import AttemptDir
from osmo.spec.place import Place
from osmo.spec.rules import SANDBOX_OUTPUT
from osmo.spec.task import Task

Runtime = Literal["auto", "process", "sandbox"]


def place(settings: Settings, environ: dict[str, str], cwd: str) -> Place:
    """Where tasks will run. Raises UsageError for a runtime that is none."""
    value = settings.values["runtime"]
    for runtime in get_args(Runtime):
        if value.text == runtime:
            return Place(environ, cwd, str(settings.home), runtime, frozenset(sandbox.shared()))
    raise UsageError(f"{value.source}: runtime: {value.text!r} is not auto, process or sandbox")


def refuse_what_cannot_run(tasks: Sequence[Task], where: Place) -> None:
    """Raises UsageError if there is to be a sandbox and none can be made here."""
    boxed = [task for task in tasks if is_boxed(task, where)]
    if not boxed or (why := _hindrance()) is None:
        return
    first = boxed[0]
    what = f"{first.name} has an image, so it runs in a sandbox" if first.image else f"{first.name} runs in a sandbox"
    raise UsageError(
        f"{what}, and {why}",
        hint="Install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap), or run it on this host as it is, with"
        " nothing private: --runtime process.",
    )


def is_boxed(task: Task, where: Place) -> bool:
    return where.in_sandbox(has_image=task.image is not None)


def note(task: Task, where: Place) -> tuple[str, ...]:
    """What the task's log begins with."""
    if task.image is None:
        return ()
    kind = "in a sandbox on this host" if is_boxed(task, where) else "on this host"
    return (f"{task.name} runs {kind}, not in {task.image}",)


def sandbox_of(task: Task, where: Place, attempt: AttemptDir, inputs: tuple[tuple[str, str], ...]) -> Sandbox | None:
    """The sandbox of an attempt; None if it gets none. inputs: where each is seen, and where it is."""
    if not is_boxed(task, where):
        return None
    mounts = [("/", str(attempt.root)), (SANDBOX_OUTPUT, str(attempt.task_output))]
    if where.shows_cwd:
        mounts.append((where.cwd, where.cwd))
    return Sandbox(tuple(mounts), tuple(sorted(where.shared)), inputs)


def _hindrance() -> str | None:
    """Why there can be no sandbox here."""
    if os.uname().sysname != "Linux":
        return "sandboxes are for Linux"
    program = shutil.which(sandbox.PROGRAM)
    if program is None:
        return "bubblewrap (`bwrap`) is not here"
    if not launch.works([program, "--dev-bind", "/", "/", "true"]):
        return "this machine does not let bubblewrap make one (user namespaces are off)"
    return None
