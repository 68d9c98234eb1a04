"""The disk space of the command's output: behind the reader it is given back, ahead of the writer some is held."""

import ctypes
import errno
import os

AHEAD = 16 * 1024 * 1024
_SHARE = 4  # of what is free, at most one part in so many is held
_PUNCH_EVERY = 64 * 1024
_BLOCK = 4096
_KEEP_SIZE = 0x01  # linux/falloc.h
_PUNCH_HOLE = 0x02


class Space:
    """Blocks of one open file that somebody else appends to. Where there is no `fallocate`, nothing happens.

    Blocks beyond the end of the file are allocated before they are written to, so that the command can go on printing
    when the disk is full: a full disk must not end it. What is punched out then is held again at once, further ahead.
    """

    def __init__(self, descriptor: int, at: int) -> None:
        """Everything before `at` is taken over."""
        self._descriptor = descriptor
        self._fallocate = _fallocate()
        self._punched = self._held = at
        self._ahead = min(AHEAD, _free(descriptor) // _SHARE)
        self._hold(at)

    def take(self, done: int, end: int) -> None:
        """The bytes before `done` are not needed any more; the file reaches to `end` at least."""
        whole = done - done % _BLOCK
        if whole - self._punched >= _PUNCH_EVERY:
            self._try(_KEEP_SIZE | _PUNCH_HOLE, self._punched, whole - self._punched)
            self._punched = whole
        if self._held - end < self._ahead - _PUNCH_EVERY:
            self._hold(end)

    def release(self) -> None:
        """Give back what is held: nobody appends any more."""
        os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size)

    def _hold(self, end: int) -> None:
        """As much as there is room for."""
        start = max(self._held, end)
        count = end + self._ahead - start
        while count >= _BLOCK:
            if self._try(_KEEP_SIZE, start, count):
                self._held = start + count
                return
            count //= 2

    def _try(self, mode: int, start: int, count: int) -> bool:
        if self._fallocate is None:
            return False
        if not self._fallocate(self._descriptor, mode, ctypes.c_longlong(start), ctypes.c_longlong(count)):
            return True
        if ctypes.get_errno() != errno.ENOSPC:
            self._fallocate = None  # not on this filesystem
        return False


def _free(descriptor: int) -> int:
    found = os.fstatvfs(descriptor)
    return found.f_bavail * found.f_frsize


def _fallocate() -> "ctypes._NamedFuncPointer | None":
    """The system call, where there is one (Linux)."""
    return getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
