"""`osmo workflow exec`: a program beside a task, or beside each task of a group, with what the task has."""

import argparse
import os
import shlex
import shutil
from typing import NoReturn

from osmo.agent import sandbox, start
from osmo.cli.launch import Program, side_by_side
from osmo.cli.settings import load
from osmo.cli.view import RunView, home_of, task_named, view
from osmo.errors import UsageError
from osmo.rundir import records

_SHELLS = ("/bin/bash", "/bin/sh")


def exec_(args: argparse.Namespace) -> int:
    """Become the program, in this terminal; of a group, run it beside each task, and be as the worst of them."""
    seen = view(home_of(load()).run(args.id))
    if not seen.is_here:
        raise UsageError(f"{seen.run.id} runs on {seen.host}", hint="Go there first.")
    if args.group is not None:
        return _in_group(seen, args)
    if args.task is None:
        raise UsageError("which task? Name it, or a whole group: --group NAME --entry COMMAND")
    return _become(_beside(seen, args.task, _command(args.entry)))


def _become(program: Program) -> NoReturn:
    os.chdir(program.cwd)
    os.execvpe(program.command[0], program.command, program.environment)  # noqa: S606


def _in_group(seen: RunView, args: argparse.Namespace) -> int:
    """Nobody can type into several programs at once: so there has to be a command."""
    if args.task is not None:
        raise UsageError(f"{args.task} and --group {args.group}: one of them")
    if args.entry is None:
        raise UsageError("--group needs a command: --entry COMMAND")
    command = _command(args.entry)
    for group in seen.plan.groups:
        if group.name == args.group:
            return max(side_by_side({task: _beside(seen, task, command) for task in group.tasks}))
    raise UsageError(
        f"{seen.run.id} has no group {args.group!r} (it has {', '.join(group.name for group in seen.plan.groups)})"
    )


def _beside(seen: RunView, name: str, command: list[str]) -> Program:
    """With the task's environment, working directory and sandbox around it. Raises UsageError."""
    task = task_named(seen, name)
    if not task.attempt.started.exists():
        raise UsageError(f"{name} of {seen.run.id} has not been started ({task.state})")
    config = task.config
    environment = start.variables(task.attempt, config, records.read(seen.run.environment) or {})
    if (config.sandbox is None or "/" not in command[0]) and shutil.which(command[0], path=environment["PATH"]) is None:
        raise UsageError(f"command not found: {command[0]!r} (in the PATH of the task)")
    if config.sandbox is None:
        return Program(command, environment, config.cwd)
    if not config.sandbox.root.is_dir():
        raise UsageError(f"the sandbox of {name} went when it COMPLETED", hint="Its checkpoints are in the store.")
    seen_inside = (*sandbox.own_paths(), str(task.attempt.path))
    return Program([*config.sandbox.arguments(config.cwd, seen_inside), *command], environment, "/")


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
