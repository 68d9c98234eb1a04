"""`python -m osmo.runner DIRECTORY`: supervise the run of that directory until it is over."""

import os
import signal
import sys
from pathlib import Path

from osmo.backends.local import LocalBackend
from osmo.clock import SystemClock
from osmo.rundir.paths import RunDir
from osmo.runner.service import AnotherSupervisor, RunGone, Supervisor

_EVERY_S = 0.5


def main() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    clock = SystemClock()
    try:
        supervisor = Supervisor(RunDir(Path(sys.argv[1])), LocalBackend(os.environ), clock)
        while not supervisor.step().over:
            clock.sleep(_EVERY_S)
    except (AnotherSupervisor, RunGone):
        return


if __name__ == "__main__":
    main()
