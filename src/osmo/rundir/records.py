"""Atomic JSON records: a reader sees the record before or after, never a half of it."""

import contextlib
import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from osmo.errors import RunDirectoryError

Record = dict[str, Any]


def write(path: Path, record: Record) -> None:
    """Replace the record at `path`; it is on disk when this returns. Raises OSError (a full disk, say)."""
    replace(path, (json.dumps(record, sort_keys=True, default=str).encode(), b"\n"))


def replace(path: Path, pieces: Iterable[bytes]) -> None:
    """Replace the file at `path`, as `write` does."""
    os.replace(_temporary(path, pieces), path)
    _sync_directory(path.parent)


def read(path: Path) -> Record | None:
    """The record at `path`; None if there is none. Raises RunDirectoryError if it is no record."""
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        record = json.loads(text)
    except ValueError as error:
        raise RunDirectoryError(f"{path}: not a record of osmo: {error}") from error
    if not isinstance(record, dict):
        raise RunDirectoryError(f"{path}: not a record of osmo")
    return record


def _temporary(path: Path, pieces: Iterable[bytes]) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:  # network file systems know no such thing; the record is there
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
