"""Starting a task's command: what it finds, and what it runs in."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from osmo.agent import files, sandbox
from osmo.agent.child import Child, check_command
from osmo.agent.config import TaskConfig
from osmo.clock import Clock
from osmo.rundir.paths import AttemptDir
from osmo.rundir.requests import ATTEMPT

# The package as the agent has it, whatever the task's own Python has.
_OSMO = """#!/bin/sh
exec '{python}' -P -c 'import sys; from osmo.cli.main import main; sys.exit(main())' "$@"
"""


def environment(where: AttemptDir, config: TaskConfig, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The command's environment, as `variables`. Raises NoSuchCommand if it cannot be started in it."""
    found = variables(where, config, environ)
    if not _is_brought(command(config)[0], config):
        check_command(command(config), found, config.cwd)
    return found


def variables(where: AttemptDir, config: TaskConfig, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of whatever runs as the task, or beside it. environ: what the run was submitted with."""
    found = {"PYTHONUNBUFFERED": "1", **environ, **config.environment, ATTEMPT: str(where.path)}
    found["PATH"] = f"{found.get('PATH') or os.defpath}{os.pathsep}{where.programs}"
    if config.sandbox is not None and "TMPDIR" in found and config.sandbox.mount_of(found["TMPDIR"]) is not None:
        del found["TMPDIR"]  # a folder of the machine's, which is not in there
    return found


def start(where: AttemptDir, config: TaskConfig, environment: Mapping[str, str], clock: Clock) -> Child:
    """Start the command. Raises OsmoError or OSError if it cannot be started."""
    _offer_osmo(where)
    around: tuple[str, ...] = ()
    if config.sandbox is not None:
        config.sandbox.prepare()
        around = config.sandbox.around(config.cwd, (*sandbox.own_paths(), str(where.path)))
    files.write(config.files)
    return Child.start(where, command(config), environment, config.cwd, clock, around)


def command(config: TaskConfig) -> tuple[str, ...]:
    return config.command or ("true",)


def _is_brought(program: str, config: TaskConfig) -> bool:
    """Whether it is a path that only the task itself will have: of one of its files, or in its sandbox."""
    if "/" not in program:
        return False
    path = os.path.normpath(os.path.join(config.cwd, program))
    if config.sandbox is None:
        return any(file.path == path for file in config.files)
    return config.sandbox.mount_of(path) is not None


def _offer_osmo(where: AttemptDir) -> None:
    """`osmo` for the task, at the end of its PATH: its own comes first. Raises OSError."""
    where.programs.mkdir(mode=0o700, exist_ok=True)
    script = Path(where.programs, "osmo")
    script.write_text(_OSMO.format(python=sys.executable.replace("'", "'\\''")))
    script.chmod(0o700)
