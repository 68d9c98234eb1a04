"""osmo's checkpoint engine as a running agent has it: one process, a cycle for each line of standard input.

argv: a folder, a url. A cycle is one that is due, with nothing to wait for (`settle` 0: how long a file has to rest is
no work). It answers with a line of JSON: seconds, processor time, the most memory meanwhile, the checkpoint's number.
"""

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from osmo.checkpoint.budget import ByteBudget, suitable_total
from osmo.checkpoint.events import Committed, Event
from osmo.checkpoint.manifest import Trigger, Writer
from osmo.checkpoint.settings import Settings
from osmo.checkpoint.stream import Stream
from osmo.clock import SystemClock
from osmo.spec.checkpoint import CheckpointEntry
from osmo.store.base import Store
from osmo.store.open import open_store, prepare


def stream(folder: str, url: str, open_it: Callable[[], Store], report: Callable[[Event], None]) -> Stream:
    entry = CheckpointEntry(f"{folder}/*", url, 3600.0)
    writer = Writer("bench", "bench-1", "bench", 0, "here", f"{os.getpid():08x}")
    return Stream(
        (entry,), writer, open_it, report, SystemClock(), ByteBudget(suitable_total()), Settings(settle_s=0.0)
    )


def measured(of: Stream, trigger: Trigger = Trigger.INTERVAL) -> dict[str, float]:
    """Run a cycle. What it cost."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    began, cpu = time.monotonic(), used()
    of.cycle(of.entries, trigger, threading.Event())
    return {"seconds": time.monotonic() - began, "cpu_s": used() - cpu, "memory": peak()}


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak() -> int:
    """The most memory since it began anew, in bytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def main() -> None:
    folder, url = sys.argv[1:]
    committed = 0

    def report(event: Event) -> None:
        nonlocal committed
        committed += isinstance(event, Committed)

    environ = dict(os.environ)
    prepare(url, environ)
    one = stream(folder, url, lambda: open_store(url, environ), report)
    for _ in sys.stdin:
        print(json.dumps({**measured(one), "committed": committed}), flush=True)


if __name__ == "__main__":
    main()
