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
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from osmo.agent import launch
from osmo.clock import Clock
from osmo.errors import NoSuchCommand, RunDirectoryError
from osmo.rundir import records
from osmo.rundir.identity import Process, boot, group_alive, host
from osmo.rundir.paths import AttemptDir

_OOM_STEP = 200
_LOOK_EVERY_S = 0.005
_SHELL = "/bin/sh"
KILLED = 128 + signal.SIGKILL

# $1: the attempt's directory. $2: this boot. Then what to run. `started` is made create-only, so that the command never
# runs twice. `.exit` has room for the exit status from the beginning: the disk may be full at the end. The shell's own
# errors go nowhere: it reports signals ("Killed"), and that is ours to say.
_WRAPPER = """
trap : TERM INT HUP
exec 2>/dev/null
set -C
(umask 077; echo $$ "$2" >"$1/started") || exit 0
set +C
attempt=$1
shift 2
(umask 077; echo "    " >"$attempt/.exit")
(exec "$@" 2>&1)
code=$?
umask 077
echo $code 1<>"$attempt/.exit" && mv "$attempt/.exit" "$attempt/exit"
exit $code
"""


class Child:
    """A command that runs, or ran: started here, or by an agent before us."""

    def __init__(self, attempt: AttemptDir, leader: Process, popen: "subprocess.Popen[bytes] | None" = None) -> None:
        self._attempt = attempt
        self._leader = leader
        self._popen = popen

    @classmethod
    def start(
        cls,
        attempt: AttemptDir,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        cwd: str,
        clock: Clock,
        around: tuple[str, ...] = (),
    ) -> "Child":
        """Start the command, its output going to the attempt's `output`.

        Its environment is `environment` and nothing else. around: a command that runs it. If another agent was quicker,
        its command is returned.
        Raises OSError or OsmoError if even the shell around it cannot run; then the command has not run.
        """
        with (
            _file_of(launch.encoded(environment)) as variables,
            open(attempt.output, "ab", opener=_private) as output,
        ):
            popen = subprocess.Popen(
                [
                    *(_SHELL, "-c", _WRAPPER, "osmo-task", str(attempt.path), boot()),
                    *around,
                    *(sys.executable, "-I", "-S", launch.__file__, str(_oom_score_adj()), *command),
                ],
                stdin=variables,
                stdout=output,
                stderr=output,
                cwd=cwd,
                start_new_session=True,
            )
        child = cls(attempt, Process.of(popen.pid), popen)
        while _started(attempt) is None and child._leader_alive():
            clock.sleep(_LOOK_EVERY_S)
        leader = _started(attempt)
        if leader is None or leader.pid != popen.pid:
            popen.wait()  # it has ended already
        if leader is None and popen.returncode < 0:
            raise RunDirectoryError("the shell around the command was killed before the command began")
        if leader is None:
            raise RunDirectoryError(f"{attempt.path}: cannot be written to")
        if leader.pid != popen.pid:
            return cls(attempt, leader)
        with contextlib.suppress(OSError):  # a full disk: the command runs, and `started` says nearly as much
            records.write(attempt.child, leader.record())
        return child

    @classmethod
    def find(cls, attempt: AttemptDir) -> "Child | None":
        """The command that an agent before us started; None if none did."""
        record = records.read(attempt.child)
        leader = _started(attempt) if record is None else Process.read(record)
        return None if leader is None else cls(attempt, leader)

    @property
    def pid(self) -> int:
        """Of the shell around it, which ends when it does."""
        return self._leader.pid

    def ended(self) -> int | None:
        """The command's exit code (128+n for a signal), None while it runs.

        A wrapper that was killed leaves none: then the command has ended when nothing of its group runs, with 137.
        """
        if (code := self._recorded()) is not None:
            return code
        if self._leader_alive() or self.group_alive():
            return None
        if (code := self._recorded()) is not None:  # written since we looked
            return code
        if self._popen is not None and (code := self._popen.wait()) >= 0:
            return code  # the disk was too full for the file
        return KILLED

    @property
    def went_with_the_machine(self) -> bool:
        """Whether it ran when the machine was restarted, and so nobody knows its exit code."""
        return self._leader.boot != boot() and self._recorded() is None

    def group_alive(self) -> bool:
        """Whether anything of the command's process group still runs."""
        return self._leader.boot == boot() and group_alive(self._leader.pid)

    def pass_on(self, signum: signal.Signals) -> None:
        """To all of it: in a session of its own it gets no other."""
        self.signal(signum)

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to all that is left of the group."""
        if self.group_alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._leader.pid, signum)

    def _recorded(self) -> int | None:
        try:
            return int(self._attempt.exit.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _leader_alive(self) -> bool:
        # Not reaped before the end: so long its pid, which is the group's name, is nobody else's.
        if self._popen is not None and not Path("/proc/self/stat").exists():
            return self._popen.poll() is None
        return self._leader.alive


def check_command(command: tuple[str, ...], environment: Mapping[str, str], cwd: str) -> None:
    """Raises NoSuchCommand if the command cannot be started."""
    program = command[0]
    if not os.path.isdir(cwd):
        raise NoSuchCommand(f"the working directory {cwd} is not there")
    if "/" in program:
        path = os.path.join(cwd, program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return
        if os.path.exists(path):
            raise NoSuchCommand(f"{program!r} is not executable (in {cwd})", 126)
        raise NoSuchCommand(f"{program!r} is not there (in {cwd})")
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    if shutil.which(program, path=os.pathsep.join(os.path.join(cwd, folder) for folder in folders)) is None:
        raise NoSuchCommand(f"command not found: {program!r} (in the PATH of the environment)")


def _started(attempt: AttemptDir) -> Process | None:
    """The wrapper that runs, or ran, the command, as far as its own words tell."""
    try:
        pid, _, in_boot = attempt.started.read_text().rstrip("\n").partition(" ")
        leader = Process.of(int(pid))
    except (FileNotFoundError, ValueError):  # none, or it is about to write
        return None
    return leader if in_boot == leader.boot else Process(host(), in_boot, int(pid), 0)


def _file_of(body: bytes) -> IO[bytes]:
    """A file without a name, to be read from its beginning."""
    if hasattr(os, "memfd_create"):
        file: IO[bytes] = open(os.memfd_create("environment"), "w+b")
    else:
        file = tempfile.TemporaryFile()
    file.write(body)
    file.seek(0)
    return file


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _oom_score_adj() -> int:
    """So much that the kernel, short of memory, takes the command before the agent."""
    try:
        return min(1000, int(Path("/proc/self/oom_score_adj").read_text()) + _OOM_STEP)
    except (OSError, ValueError):
        return _OOM_STEP
