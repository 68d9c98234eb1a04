"""Deleting runs. Their numbers stay taken: an id is never used again."""

import os
import re
import shutil
from datetime import datetime
from pathlib import Path

from osmo.errors import RunDirectoryError
from osmo.rundir.home import RUN_ID, Home
from osmo.rundir.paths import RunDir

_DISCARDED = re.compile(rf"\.{RUN_ID.pattern}\.deleted")
_NO_SUBMIT_TAKES_S = 24 * 3600.0
_TRIES = 3  # a supervisor that is about to end may write a last file


def size(run: RunDir) -> int:
    """Bytes that the run takes on disk."""
    return sum(_blocks(Path(folder) / name) for folder, _, names in os.walk(run.path) for name in names)


def discard(home: Home, run: RunDir) -> None:
    """Delete the run. At once there is no such run any more, however long the files take. Raises OSError, and
    RunDirectoryError for a run that was moved elsewhere and left a link."""
    if run.path.is_symlink():
        raise RunDirectoryError(f"{run.path} is a symbolic link: delete it, and what it leads to, by hand")
    grave = home.workflows / f".{run.id}.deleted"
    if grave.exists():
        _remove(grave)
    run.path.rename(grave)
    _remove(grave)


def sweep(home: Home, now: datetime) -> None:
    """Finish what a `discard` that was interrupted has left, and what a submit that was killed before there was a run.
    Raises OSError."""
    for name in os.listdir(home.workflows) if home.workflows.is_dir() else ():
        path = home.workflows / name
        if _DISCARDED.fullmatch(name) or (RUN_ID.fullmatch(name) and _is_no_run(path, now)):
            _remove(path)


def _is_no_run(path: Path, now: datetime) -> bool:
    """Whether it is a directory of old in which no run ever began."""
    if path.is_symlink() or not path.is_dir() or RunDir(path).run.exists():
        return False
    return now.timestamp() - path.stat().st_mtime > _NO_SUBMIT_TAKES_S


def _remove(path: Path) -> None:
    for rest in reversed(range(_TRIES)):
        try:
            return shutil.rmtree(path)
        except FileNotFoundError:
            if not path.exists():
                return None
        except OSError:
            if not rest:
                raise
    return None


def _blocks(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:
        return 0
