"""What was written stays after a power cut."""

import ctypes
import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

SMALL = 1024 * 1024
"""Files up to this size may be flushed together with others."""
_FEW = 16
_LIBC = ctypes.CDLL(None, use_errno=True)
_SYNC_FILE_RANGE_WRITE = 2
_SYNCFS_TELLS = (5, 8)  # the first Linux whose syncfs(2) says that the disk failed


def files(paths: Collection[Path], folder: Path) -> None:
    """Small files in a folder, and beneath it. Many are flushed with all of the file system that the folder is on: one
    by one, each of them would wait for the disk. Raises OSError."""
    if len(paths) > _FEW and _file_system(folder):
        device = folder.stat().st_dev
        paths = [path for path in paths if path.lstat().st_dev != device]
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def begin(descriptor: int, start: int, length: int) -> bool:
    """Let the disk begin with these bytes of a file while others still come, so that the flush at the end, which is as
    needed as before, has less to do. Nobody waits. Whether this machine can do that with this file."""
    sync_file_range = getattr(_LIBC, "sync_file_range", None)
    if sync_file_range is None:  # not Linux
        return False
    return bool(sync_file_range(descriptor, ctypes.c_int64(start), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE) == 0)


def folder(path: Path) -> None:
    """The names in it. Not every file system can do that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file_system(path: Path) -> bool:
    """Whether this machine could. Raises OSError if its disk failed."""
    if _linux() < _SYNCFS_TELLS:
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _LIBC.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(descriptor)
    return True


def _linux() -> tuple[int, ...]:
    """The kernel's version; () if it is no Linux."""
    found = os.uname()
    numbers = re.match(r"(\d+)\.(\d+)", found.release) if found.sysname == "Linux" else None
    return () if numbers is None else tuple(map(int, numbers.groups()))
