"""What a command costs: time, processor time (the server's apart), memory."""

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.servers import S3Server

_TICKS = os.sysconf("SC_CLK_TCK")
_TOLD = 2000  # characters of what a failed command said


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run. cpu_s: of the tool and all that it started; server_cpu_s: of the server meanwhile. memory: the most
    that one of the tool's processes had at once, in bytes. Counted at a proxy, in a run of its own: requests, and bytes
    in both directions, headers included; None if they were not counted."""

    seconds: float
    cpu_s: float
    server_cpu_s: float
    memory: int
    requests: int | None = None
    sent: int | None = None
    received: int | None = None


class Failed(Exception):
    """A command did not do what it should."""


def run(command: Sequence[str], environ: Mapping[str, str], server: S3Server | None, directory: Path) -> Cost:
    """Run a command to its end. Its output goes to `directory`/output. Raises Failed if it does not exit with 0.

    A process begins with the memory of the one that it was forked from, so less than this one has is not seen.
    """
    output = directory / "output"
    os.sync()  # so that nobody pays for what another has written
    before = cpu_of(server)
    began = time.monotonic()
    with output.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(environ), cwd=directory
        )
    usage = waited(process)
    seconds = time.monotonic() - began
    if process.returncode:
        said = output.read_text(errors="replace")[-_TOLD:]
        raise Failed(f"{' '.join(command[:4])} …: exit code {process.returncode}: {said}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, cpu_of(server) - before, usage.ru_maxrss * 1024)


def waited(process: "subprocess.Popen[bytes]") -> resource.struct_rusage:
    """What a process has used, once it has ended."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def cpu_of(server: S3Server | None) -> float:
    """Seconds of processor time that a server has used so far."""
    if server is None or server.process is None:
        return 0.0
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS  # utime and stime, of all its threads
