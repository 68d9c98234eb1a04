"""Starting other programs: the supervisor of a run, in a session of its own that outlives the terminal, and what a
person wants to run beside tasks."""

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from osmo.cli.view import rebooted
from osmo.clock import SystemClock
from osmo.rundir import records
from osmo.rundir.identity import Process, host
from osmo.rundir.paths import RunDir

_TIME_TO_START = timedelta(seconds=10)

_children: list[Any] = []  # supervisors that this process started: theirs to end, not ours to wait for


def start_supervisor(run: RunDir) -> None:
    """Start one with the environment of the submit. If the run has one already, the new one goes away again."""
    environment = records.read(run.environment) or {}
    descriptor = os.open(run.supervisor_errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _children.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "osmo.runner", str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        )
    finally:
        os.close(descriptor)


def supervisor(run: RunDir) -> Process | None:
    """The supervisor that the run has, or had last."""
    record = records.read(run.supervisor)
    return None if record is None else Process.read(record)


def see_to(run: RunDir) -> None:
    """Start a supervisor again for a run that goes on, if its own died on this machine, or never came to life.

    Not after a reboot: what becomes of the run then is for `osmo workflow resume` to say.
    """
    if rebooted(run):
        return
    last = supervisor(run)
    if _never_started(run) if last is None else last.is_here and not last.alive:
        start_supervisor(run)


def _never_started(run: RunDir) -> bool:
    if (record := records.read(run.run)) is None:
        return False
    since = SystemClock().now() - datetime.fromisoformat(record["submitted"])
    return record["host"] == host() and since > _TIME_TO_START


def works(command: list[str]) -> bool:
    """Whether a command that does nothing succeeds."""
    try:
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and where."""

    command: list[str]
    environment: dict[str, str]
    cwd: str


def side_by_side(programs: Mapping[str, Program]) -> list[int]:
    """Run all at the same time; what one prints comes out line by line, its name before it. Their exit codes (128+n for
    a signal)."""

    def run(name: str, program: Program) -> int:
        with subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=program.cwd,
            env=program.environment,
        ) as process:
            for line in process.stdout or ():
                sys.stdout.buffer.write(b"[%s] %s\n" % (name.encode(), line.removesuffix(b"\n")))
                sys.stdout.buffer.flush()
        return process.returncode if process.returncode >= 0 else 128 - process.returncode

    with ThreadPoolExecutor(len(programs)) as threads:
        return list(threads.map(run, programs.keys(), programs.values()))
