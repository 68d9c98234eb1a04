"""Deleting runs. Their numbers stay taken: an id is never used again."""

import os
import re
import shutil
from pathlib import Path

from osmo.errors import RunDirectoryError
from osmo.rundir.paths import RUN_ID, Home, RunDir

_DISCARDED = re.compile(rf"\.{RUN_ID.pattern}\.deleted")
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


def sweep(home: Home) -> None:
    """Finish what a `discard` that was interrupted has left. Raises OSError."""
    for name in os.listdir(home.workflows) if home.workflows.is_dir() else ():
        if _DISCARDED.fullmatch(name):
            _remove(home.workflows / name)


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
