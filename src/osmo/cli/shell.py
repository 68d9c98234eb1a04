"""`osmo workflow exec`: a program beside a task, with what the task has."""

import argparse
import os
import shlex
import shutil

from osmo.agent import sandbox, start
from osmo.cli.settings import load
from osmo.cli.view import home_of, task_named, view
from osmo.errors import UsageError
from osmo.rundir import records

_SHELLS = ("/bin/bash", "/bin/sh")


def exec_(args: argparse.Namespace) -> int:
    """Become the program, in this terminal: the task's environment, working directory and sandbox are around it."""
    run = home_of(load()).run(args.id)
    seen = view(run)
    task = task_named(seen, args.task)
    if not seen.is_here:
        raise UsageError(f"{run.id} runs on {seen.host}", hint="Go there first.")
    if not task.attempt.started.exists():
        raise UsageError(f"{args.task} of {run.id} has not been started ({task.state})")
    config = task.config
    command = _command(args.entry)
    environment = start.variables(task.attempt, config, records.read(run.environment) or {})
    if (config.sandbox is None or "/" not in command[0]) and shutil.which(command[0], path=environment["PATH"]) is None:
        raise UsageError(f"command not found: {command[0]!r} (in the PATH of the task)")
    if config.sandbox is None:
        os.chdir(config.cwd)
    elif not config.sandbox.root.is_dir():
        raise UsageError(f"the sandbox of {args.task} went when it COMPLETED", hint="Its checkpoints are in the store.")
    else:
        seen_inside = (*sandbox.own_paths(), str(task.attempt.path))
        command = [*config.sandbox.arguments(config.cwd, seen_inside), *command]
    os.execvpe(command[0], command, environment)  # noqa: S606


def _command(entry: str | None) -> list[str]:
    """What to run. Raises UsageError."""
    if entry is None:
        return [next(filter(os.path.exists, _SHELLS), _SHELLS[-1])]
    try:
        command = shlex.split(entry)
    except ValueError as error:
        raise UsageError(f"--entry {entry!r}: {str(error).lower()}") from error
    if not command:
        raise UsageError("--entry is empty")
    return command
