"""The processes of a run as the kernel shows them, whatever the records say."""

import contextlib
import os
import signal
from pathlib import Path

from osmo.rundir.identity import Process
from osmo.rundir.paths import RunDir


class Processes:
    """Those of one run, mostly of one task. token: a word that only its commands have."""

    def __init__(self, run: RunDir, token: str) -> None:
        self._run = run
        self._token = token

    def supervisors(self) -> list[int]:
        return self._with("osmo.runner", str(self._run.path))

    def agents(self) -> list[int]:
        return self._with("osmo.agent", str(self._run.attempt("main", 0).path))

    def all_agents(self) -> list[int]:
        """Of all tasks and attempts."""
        below = f"{self._run.path}/tasks/"
        return [pid for pid, argv in _all() if "osmo.agent" in argv and any(word.startswith(below) for word in argv)]

    def wrappers(self) -> list[int]:
        """The shell around the command; while that begins, its copy of itself, too."""
        return self._with("osmo-task", str(self._run.attempt("main", 0).path))

    def commands(self) -> list[int]:
        return [pid for pid, argv in _all() if self._token in argv and "osmo-task" not in argv and not _launches(argv)]

    def kill(self, *pids: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """The end of the test: nothing of it stays, first of all nothing that would start the others again."""
        for _ in range(3):
            for found in (self.supervisors, self.agents, self.wrappers, self.commands):
                self.kill(*found())

    def _with(self, *words: str) -> list[int]:
        return [pid for pid, argv in _all() if all(word in argv for word in words)]


def _launches(argv: list[str]) -> bool:
    """Whether it is on its way to become the command."""
    return any(word.endswith("/osmo/agent/launch.py") for word in argv)


def _all() -> list[tuple[int, list[str]]]:
    """All living processes with their arguments."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                argv = Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace").split("\0")
                if len(argv) > 1 and Process.of(int(name)).alive:
                    found.append((int(name), argv))
    return found
