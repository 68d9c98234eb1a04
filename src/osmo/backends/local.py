"""Agents as processes of this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir


class LocalBackend:
    """Starts agents here, in sessions of their own, so that they outlive the supervisor and the terminal.

    environment: what the run was submitted with.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._started: dict[AttemptDir, subprocess.Popen[bytes]] = {}
        self._found: dict[AttemptDir, Process] = {}  # agents that another supervisor has started

    def start(self, attempts: Sequence[AttemptDir]) -> None:
        for attempt in attempts:
            with open(attempt.agent_errors, "ab", opener=_private) as errors:
                self._started[attempt] = subprocess.Popen(
                    [sys.executable, "-P", "-m", "osmo.agent", str(attempt.path)],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    cwd="/",
                    env=self._environment,
                    start_new_session=True,
                )

    def alive(self, attempts: Sequence[AttemptDir]) -> Mapping[AttemptDir, bool]:
        return {attempt: self._alive(attempt) for attempt in attempts}

    def stop(self, attempts: Sequence[AttemptDir]) -> None:
        for attempt in attempts:
            agent = _agent(attempt)
            if agent is not None and agent.alive:
                os.kill(agent.pid, signal.SIGTERM)

    def _alive(self, attempt: AttemptDir) -> bool:
        started = self._started.get(attempt)
        if started is not None:
            return started.poll() is None
        if (known := self._found.get(attempt)) is not None and known.alive:
            return True
        agent = _agent(attempt)
        if agent is not None:
            self._found[attempt] = agent
        return agent is not None and agent.alive


def _agent(attempt: AttemptDir) -> Process | None:
    record = records.read(attempt.agent)
    return None if record is None else Process.read(record)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
