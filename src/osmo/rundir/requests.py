"""Asking an agent for a checkpoint: a file in the attempt's directory.

A file, and no socket or signal: so it reaches an agent on another host or in another container, and the one that comes
after it. The answer stands under the file's id in the agent's status.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from osmo.errors import RunDirectoryError
from osmo.rundir import records
from osmo.rundir.paths import AttemptDir

ATTEMPT = "OSMO_ATTEMPT_DIR"
"""The variable in a command's environment that names its attempt's directory."""


@dataclass(frozen=True, slots=True)
class Request:
    """One checkpoint that somebody asked for. at_rest: who asks writes nothing until it has the answer."""

    id: str
    at_rest: bool = False


def ask(attempt: AttemptDir, *, at_rest: bool) -> str:
    """Ask for a checkpoint of all that the attempt saves. Returns the id that the answer will have. Raises OSError."""
    attempt.requests.mkdir(mode=0o700, exist_ok=True)
    name = os.urandom(8).hex()
    records.write(_file(attempt, name), {"at_rest": at_rest})
    return name


def waiting(attempt: AttemptDir) -> list[str]:
    """The ids of what was asked for and not removed yet, in no order."""
    try:
        names = os.listdir(attempt.requests)
    except OSError:  # nobody ever asked, or a disk that does not answer
        return []
    return [name.removesuffix(".json") for name in names if name.endswith(".json") and not name.startswith(".")]


def read(attempt: AttemptDir, name: str) -> Request:
    """The request of that id. One that cannot be read asks for as little as it can."""
    try:
        record = records.read(_file(attempt, name)) or {}
    except (OSError, RunDirectoryError):
        record = {}
    return Request(name, at_rest=record.get("at_rest") is True)


def remove(attempt: AttemptDir, name: str) -> None:
    """It is answered. Raises OSError."""
    _file(attempt, name).unlink(missing_ok=True)


def _file(attempt: AttemptDir, name: str) -> Path:
    return attempt.requests / f"{name}.json"
