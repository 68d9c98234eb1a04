"""The command and the small shell around it.

The shell leads a session of its own, outlives our signals, and leaves the command's exit status in a file: whoever
comes later, this agent or another, learns how it ended. Between agent and command stands a file, not a pipe: neither a
slow nor a dead agent stalls the command or breaks its output.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from osmo.rundir import records
from osmo.rundir.identity import Process, group_alive
from osmo.rundir.paths import AttemptDir

_OOM_STEP = 200
KILLED = 128 + signal.SIGKILL

# $1: the attempt's directory. $2: oom_score_adj. No variables of its own: the command's environment holds what it held.
# `started` is made create-only, so that the command never runs twice.
_WRAPPER = """
trap : TERM INT HUP
set -C
{ echo $$ >"$1/started"; } 2>/dev/null || exit 0
set +C
( { echo "$2" >/proc/self/oom_score_adj; } 2>/dev/null; shift 2; exec "$@" )
set -- "$1" $?
{ echo "$2" >"$1/.exit" && mv "$1/.exit" "$1/exit"; } 2>/dev/null
exit "$2"
"""


class Child:
    """A command that runs, or ran: started here, or by an agent before us."""

    def __init__(self, attempt: AttemptDir, leader: Process, popen: "subprocess.Popen[bytes] | None" = None) -> None:
        self._attempt = attempt
        self._leader = leader
        self._popen = popen

    @classmethod
    def start(cls, attempt: AttemptDir, command: tuple[str, ...], environment: Mapping[str, str], cwd: str) -> "Child":
        """Start the command, its output going to the attempt's `output`. Raises OSError if even the shell cannot run."""
        with open(
            os.open(attempt.output, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab"
        ) as output:
            popen = subprocess.Popen(
                ["/bin/sh", "-c", _WRAPPER, "osmo-task", str(attempt.path), str(_oom_score_adj()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=dict(environment),
                start_new_session=True,
            )
        leader = Process.of(popen.pid)
        records.write(attempt.child, leader.record())
        return cls(attempt, leader, popen)

    @classmethod
    def find(cls, attempt: AttemptDir) -> "Child | None":
        """The command that an agent before us started; None if none did."""
        record = records.read(attempt.child)
        return None if record is None else cls(attempt, Process.read(record))

    def ended(self) -> int | None:
        """The command's exit code (128+n for a signal), None while it runs.

        A wrapper that was killed leaves none: then the command has ended when nothing of its group runs, with 137.
        """
        try:
            return int(self._attempt.exit.read_text())
        except (FileNotFoundError, ValueError):
            pass
        if self._leader_alive() or self.group_alive():
            return None
        if self._popen is not None and (code := self._popen.wait()) >= 0:
            return code  # the disk was too full for the file
        return KILLED

    def group_alive(self) -> bool:
        """Whether anything of the command's process group still runs."""
        if self._leader.boot != Process.of(os.getpid()).boot:
            return False
        return group_alive(self._leader.pid)

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to all that is left of the group."""
        if self.group_alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._leader.pid, signum)

    def _leader_alive(self) -> bool:
        # Not reaped before the end: so long its pid, which is the group's name, is nobody else's.
        if self._popen is not None and not Path("/proc/self/stat").exists():
            return self._popen.poll() is None
        return self._leader.alive


def missing_command(command: tuple[str, ...], environment: Mapping[str, str], cwd: str) -> str | None:
    """Why the command cannot be started, None if it can."""
    program = command[0]
    if not os.path.isdir(cwd):
        return f"the working directory {cwd} is not there"
    if "/" in program:
        path = os.path.join(cwd, program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return None
        return f"{program!r} is {'not executable' if os.path.exists(path) else 'not there'} (in {cwd})"
    if shutil.which(program, path=environment.get("PATH", os.defpath)) is None:
        return f"command not found: {program!r} (in the PATH of the submit)"
    return None


def _oom_score_adj() -> int:
    """So much that the kernel, short of memory, takes the command before the agent."""
    try:
        return min(1000, int(Path("/proc/self/oom_score_adj").read_text()) + _OOM_STEP)
    except (OSError, ValueError):
        return _OOM_STEP
