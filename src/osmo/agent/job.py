"""A command in the foreground: it has our terminal, our standard streams and our process group.

What a terminal sends it sends to both: Ctrl-C, Ctrl-Z, a new window size. A group of its own would keep the rest of a
pipeline, and a script around us, from hearing of it. So what belongs to the command is told by descent instead.
"""

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from osmo.clock import Clock
from osmo.errors import NoSuchCommand
from osmo.rundir.identity import Relative, descendants

_OOM_STEP = 200
_REAP_EVERY_S = 5.0
_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_FROM_THE_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)


class Job:
    """A command that runs, or ran, and all that it started, but for what went into a session of its own.

    mark: what the environment of its processes holds, and of no others that this process starts.
    """

    def __init__(self, popen: "subprocess.Popen[bytes]", mark: bytes, clock: Clock) -> None:
        self._popen = popen
        self._mark = mark
        self._clock = clock
        self._reap_at = clock.monotonic() + _REAP_EVERY_S
        self._ended_before: set[int] = set()

    @classmethod
    def start(cls, command: tuple[str, ...], environment: Mapping[str, str], mark: str, clock: Clock) -> "Job":
        """Start it. mark: the name of a variable in its environment. Raises NoSuchCommand.

        Signals that are ignored now are ignored by the command, too, but for those that Python itself ignores. It has
        every file that was open when we were started.
        """
        _adopt_orphans()
        try:
            popen = _popen(command, environment)
        except OSError as error:
            code = 127 if isinstance(error, FileNotFoundError) else 126
            raise NoSuchCommand(f"{command[0]!r} cannot be run: {error.strerror}", code) from error
        _kill_it_before_us(popen.pid)
        return cls(popen, os.fsencode(f"{mark}={environment[mark]}\0"), clock)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ended(self) -> int | None:
        """The command's exit code (128+n for a signal), None while it runs."""
        if self._clock.monotonic() >= self._reap_at:
            self._reap_at = self._clock.monotonic() + _REAP_EVERY_S
            self._reap()
        code = self._popen.poll()
        return 128 - code if code is not None and code < 0 else code

    @property
    def went_with_the_machine(self) -> bool:
        """Never: this process would have gone, too."""
        return False

    def group_alive(self) -> bool:
        """Whether anything of it still runs."""
        return self._popen.poll() is None or bool(self._left())

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C at the terminal has ended it."""
        return self._popen.returncode == -signal.SIGINT and _has_the_terminal()

    def pass_on(self, signum: signal.Signals) -> None:
        """To the command itself, unless it came from the keyboard: then the command had it when we had."""
        if signum not in _FROM_THE_KEYBOARD or not _has_the_terminal():
            self._popen.send_signal(signum)

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to all that is left."""
        self._popen.send_signal(signum)
        for one in self._left():
            if one.pid != self._popen.pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(one.pid, signum)

    def _left(self) -> list[Relative]:
        """Of the command and all that it started, what still runs in this session."""
        family = descendants(os.getpid())
        mine = os.getsid(0)
        sessions = {mine} | {one.session for one in family if one.pid == self._popen.pid}
        helpers = {one.pid for one in family if self._is_helper(one)}
        return [one for one in family if not one.zombie and one.session in sessions and one.pid not in helpers]

    def _is_helper(self, one: Relative) -> bool:
        """Whether we started it for ourselves: a program that knows the credentials of a store."""
        if one.parent != os.getpid() or one.pid == self._popen.pid:
            return False
        try:
            return self._mark not in Path(f"/proc/{one.pid}/environ").read_bytes() + b"\0"
        except OSError:  # another user's, by sudo: not ours
            return False

    def _reap(self) -> None:
        """Orphans of the command come to us; as the first process of a container we have all. What stays a zombie for
        two looks has nobody else who waits for it."""
        family = descendants(os.getpid())
        ended = {one.pid for one in family if one.zombie and one.parent == os.getpid()} - {self._popen.pid}
        for pid in ended & self._ended_before:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._ended_before = ended


def _popen(command: tuple[str, ...], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(command, env=environment, close_fds=False)
    except OSError as error:
        path = shutil.which(command[0], path=environment.get("PATH"))
        if error.errno != errno.ENOEXEC or path is None:
            raise
        # A script without `#!`: run as every shell would run it.
        return subprocess.Popen(("/bin/sh", path, *command[1:]), env=environment, close_fds=False)


def _adopt_orphans() -> None:
    """What the command leaves behind becomes our child, and not of the machine's first process (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_it_before_us(pid: int) -> None:
    """The kernel, short of memory, is to take the command and not the one who saves its data."""
    with contextlib.suppress(OSError, ValueError):
        path = Path(f"/proc/{pid}/oom_score_adj")
        path.write_text(str(min(1000, int(path.read_text()) + _OOM_STEP)))


def _has_the_terminal() -> bool:
    """Whether we, and so the command, are in the foreground of a terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
