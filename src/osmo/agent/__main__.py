"""`python -m osmo.agent DIRECTORY`: run, or go on with, the attempt that the directory describes."""

import contextlib
import fcntl
import os
import signal
import sys
from pathlib import Path
from queue import SimpleQueue

from osmo.agent import memory
from osmo.agent.attempt import run
from osmo.agent.config import TaskConfig
from osmo.agent.events import Events
from osmo.agent.signals import queued
from osmo.clock import SystemClock
from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.states import State


def main() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # of osmo.checkpoint.lease; as it is, it would end us
    where = AttemptDir(Path(sys.argv[1]))
    config = TaskConfig.read(records.read(where.task))
    events: Events = SimpleQueue()
    _wait_for_another(where)
    memory.give_back()
    with queued(events, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        # Only now: whoever knows our pid may send a signal, and none may be lost.
        records.write(where.agent, Process.of(os.getpid()).record())
        # As the submit had it. In our own, Python may have set LC_CTYPE.
        environ = records.read(RunDir(where.path.parents[2]).environment) or {}
        state = run(where, config, environ, events, SystemClock())
    sys.stderr.flush()
    # A request that hangs must not keep the process: all that counts is in the records.
    os._exit(0 if state is State.COMPLETED else 1)


def _wait_for_another(where: AttemptDir) -> None:
    """An attempt has one agent at a time: a supervisor that died may have started one of which its successor does not
    know. The lock ends with the process; where the file system has none to give, it is done without."""
    with contextlib.suppress(OSError):
        fcntl.flock(os.open(where.agent_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), fcntl.LOCK_EX)


if __name__ == "__main__":
    main()
