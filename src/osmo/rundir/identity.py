"""Which process is meant: a pid alone may belong to somebody else after a while, or be of another machine."""

import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Self

from osmo.rundir.records import Record


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one boot of one machine. `started` is in clock ticks since boot; 0 where there is no /proc."""

    host: str
    boot: str
    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """The process that has this pid here and now."""
        return cls(host(), boot(), pid, _started(pid) or 0)

    @classmethod
    def read(cls, record: Record) -> Self:
        return cls(str(record["host"]), str(record["boot"]), int(record["pid"]), int(record["started"]))

    def record(self) -> Record:
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """It ran on this machine, in this boot or an earlier one."""
        return self.host == host()

    @property
    def alive(self) -> bool:
        """It runs. Ask only if `is_here`: of another machine nothing is known."""
        return self.is_here and self.boot == boot() and _alive(self.pid, self.started)


def rebooted_since(record: Record) -> bool:
    """Whether this machine was booted again since the record was written; False for a record of another machine."""
    then = record.get("boot")
    return record.get("host") == host() and bool(then) and bool(boot()) and then != boot()


def host() -> str:
    return socket.gethostname()


@cache
def boot() -> str:
    """Changes with every boot; empty where the system does not say (macOS)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def group_alive(pgid: int) -> bool:
    """Whether any process of the group runs: a zombie does not."""
    if not Path("/proc/self/stat").exists():
        try:
            os.killpg(pgid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    for name in os.listdir("/proc"):
        if name.isdecimal():
            fields = _stat(int(name))
            if fields and int(fields[2]) == pgid and fields[0] not in ("Z", "X"):
                return True
    return False


@dataclass(frozen=True, slots=True)
class Relative:
    """A process that another one started, or that one of those did. zombie: it has ended, and nobody has asked how."""

    pid: int
    parent: int
    session: int
    zombie: bool


def descendants(pid: int) -> list[Relative]:
    """All of them, the nearest first. Empty where there is no /proc."""
    children: dict[int, list[Relative]] = {}
    for name in os.listdir("/proc") if Path("/proc/self/stat").exists() else ():
        if name.isdecimal() and (fields := _stat(int(name))):
            one = Relative(int(name), int(fields[1]), int(fields[3]), fields[0] in ("Z", "X"))
            children.setdefault(one.parent, []).append(one)
    found = list(children.get(pid, ()))
    for one in found:
        found += children.get(one.pid, ())
    return found


def _alive(pid: int, started: int) -> bool:
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    fields = _stat(pid)
    return bool(fields) and fields[0] not in ("Z", "X") and int(fields[19]) == started


def _started(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may hold spaces: [0] state, [1] parent, [2] group,
    [3] session, [19] start time."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()
