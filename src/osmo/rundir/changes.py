"""Waiting until something happens to files or processes, without looking again and again."""

import ctypes
import os
import select
from collections.abc import Iterable
from pathlib import Path

_MODIFIED, _MOVED_HERE = 0x2, 0x80  # linux/inotify.h
_ENOUGH = 64 * 1024
_OFTEN_S = 0.2
_NOW_AND_THEN_S = 5.0


class Changes:
    """Wakes whoever waits when a file is renamed into one of some folders, as records are; when one of some files is
    written to; when one of some processes ends. For one thread, but for `wake`.

    On a network file system another machine's changes go unseen, on macOS and where inotify has no room left all of
    them: so a wait ends after a while, and who waited looks.
    """

    def __init__(self, *, folders: Iterable[Path] = (), files: Iterable[Path] = (), pids: Iterable[int] = ()) -> None:
        self._poll = select.poll()
        self._woken, self._waker = os.pipe()
        self._poll.register(self._woken, select.POLLIN)
        self._ends: set[int] = set()
        try:
            self._watch(folders, files)
            for pid in pids:
                self._ends.add(descriptor := os.pidfd_open(pid))
                self._poll.register(descriptor, select.POLLIN)
            self.at_most_s = _NOW_AND_THEN_S
        except (OSError, AttributeError):
            self.at_most_s = _OFTEN_S

    def wait(self, at_most_s: float = _NOW_AND_THEN_S) -> bool:
        """Until something has happened since the last call, or so many seconds; fewer where nobody tells. Whether
        something has."""
        happened = self._poll.poll(1000 * min(at_most_s, self.at_most_s))
        for descriptor, _ in happened:
            if descriptor in self._ends:  # said once
                self._poll.unregister(descriptor)
            else:
                os.read(descriptor, _ENOUGH)
        return bool(happened)

    def wake(self) -> None:
        """End a wait, the next one if there is none now. From any thread."""
        os.write(self._waker, b".")

    def _watch(self, folders: Iterable[Path], files: Iterable[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = _checked(libc.inotify_init1(os.O_CLOEXEC))
        self._poll.register(descriptor, select.POLLIN)
        for path, mask in (*((path, _MOVED_HERE) for path in folders), *((path, _MODIFIED) for path in files)):
            _checked(libc.inotify_add_watch(descriptor, os.fsencode(path), mask))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
