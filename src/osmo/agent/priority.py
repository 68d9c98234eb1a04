"""What saves a task's files gives way to the task.

On Linux every thread has a nice value of its own, which the threads and processes that it starts inherit; the priority
of its reading and writing follows from it (ioprio_set(2)). It can be raised, but not lowered again. So it is never
raised for the thread that decides, which starts the command and hears of signals, nor for one that makes the last
checkpoint. Elsewhere a nice value is a process's, and nothing happens.
"""

import os
import sys
import threading
from contextlib import suppress

_NICER = 10  # about a tenth of a core that the task wants as well: a checkpoint goes on, however busy the machine is


def give_way() -> None:
    """This thread from now on, and those that it starts; and those of libraries, obstore's, which sign and send."""
    python = {thread.native_id for thread in threading.enumerate()}
    libraries = set()
    with suppress(OSError):
        libraries = {int(name) for name in os.listdir("/proc/self/task")} - python
    for thread in (threading.get_native_id(), *libraries):
        _lower(thread, _of_the_process() + _NICER)


def _of_the_process() -> int:
    return os.getpriority(os.PRIO_PROCESS, os.getpid())


def _lower(thread: int, nice: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, thread, nice)
