"""`python -m osmo.agent DIRECTORY`: run, or go on with, the attempt that the directory describes."""

import os
import signal
import sys
from pathlib import Path

from osmo.agent.attempt import run
from osmo.agent.config import TaskConfig
from osmo.clock import SystemClock
from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir
from osmo.states import State


def main() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    where = AttemptDir(Path(sys.argv[1]))
    config = TaskConfig.read(records.read(where.task))
    records.write(where.agent, Process.of(os.getpid()).record())
    state = run(where, config, os.environ, SystemClock())
    sys.stderr.flush()
    # A request that hangs must not keep the process: all that counts is in the records.
    os._exit(0 if state is State.COMPLETED else 1)


if __name__ == "__main__":
    main()
