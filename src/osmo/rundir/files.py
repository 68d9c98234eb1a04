"""Which files on this machine were made by a task's `files:`, and for whom.

One record a path, below `$OSMO_HOME/files`. So a file that a person made is never replaced, and two running tasks never
share one.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from osmo.errors import UsageError
from osmo.rundir import records
from osmo.rundir.home import Home


@dataclass(frozen=True, slots=True)
class Made:
    """A file that a task wants. digest: of the contents, see `digest`."""

    path: str
    digest: str
    run_id: str
    task: str


def digest(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()


def may_make(home: Home, path: str, contents: bytes, task: str, is_live: Callable[[str, str], bool]) -> bool:
    """Whether a file is there that osmo made and that may be replaced; False if there is nothing to replace.

    is_live: whether a task (run id, task name) still runs. Raises UsageError if a running task has the file, or if
    somebody else made it.
    """
    record = records.read(_place(home, path))
    if record is not None and is_live(record["run_id"], record["task"]):
        raise UsageError(
            f"files: {path} of task {task} is in use by task {record['task']} of {record['run_id']}",
            hint=f"Wait for it, or cancel it: `osmo workflow cancel {record['run_id']}`.",
        )
    found = _contents(path)
    if found is None or found == contents:
        return False
    if record is None or digest(found) != record["digest"]:
        raise UsageError(
            f"files: {path} of task {task} is there already, and osmo did not make it: it stays as it is",
            hint="Move it away, or choose another path.",
        )
    return True


def claim(home: Home, made: Made) -> None:
    """Take down that this task makes the file."""
    place = _place(home, made.path)
    records.write(place, {"path": made.path, "digest": made.digest, "run_id": made.run_id, "task": made.task})


def _place(home: Home, path: str) -> Path:
    return home.files / f"{digest(path.encode(errors='surrogateescape'))}.json"


def _contents(path: str) -> bytes | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a named pipe would never end
            raise UsageError(f"files: {path} is there already, and is no regular file")
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"files: {path}: {(error.strerror or str(error)).lower()}") from error
