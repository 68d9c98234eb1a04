"""What saves a task's files gives way to the task.

On Linux every thread has a nice value of its own, which the threads and processes that it starts inherit; the priority
of its reading and writing follows from it (ioprio_set(2)). It can be raised, but not lowered again. So it is never
raised for the thread that decides: that one starts the command, which is to be as nice as we were, and hears of
signals. Elsewhere a nice value is a process's, and nothing happens.
"""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

_NICER = 10  # about a tenth of a core that the task wants as well: a checkpoint goes on, however busy the machine is
_AUTOGROUP = Path("/proc/self/autogroup")


def give_way() -> None:
    """This thread from now on, and those that it starts; but never the one that decides."""
    if threading.current_thread() is not threading.main_thread():
        _lower(threading.get_native_id(), _of_the_process() + _NICER)


def libraries_give_way() -> None:
    """All threads that Python did not start: obstore's, which sign and send. Those that it starts later are started by
    one of these, or by a thread that gave way."""
    ours = {thread.native_id for thread in threading.enumerate()}
    with suppress(OSError):
        for name in os.listdir("/proc/self/task"):
            if int(name) not in ours:
                _lower(int(name), _of_the_process() + _NICER)


def session_gives_way() -> None:
    """Where the kernel shares a machine between sessions first (sched(7), autogroup), nice values only count within
    one: there ours counts for less as a whole. For an agent that has a session of its own, and its command another."""
    with suppress(OSError, ValueError):
        _AUTOGROUP.write_text(str(_NICER))


def _of_the_process() -> int:
    return os.getpriority(os.PRIO_PROCESS, os.getpid())


def _lower(thread: int, nice: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, thread, nice)
