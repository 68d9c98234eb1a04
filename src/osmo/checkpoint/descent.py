"""Opening what a name means beneath a folder, without ever leaving it.

Names are opened component by component, so that neither a link nor a folder that is swapped for a link while we look
leads out. Links are followed only as far as they stay inside.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DIRECTORY = FOLDER | os.O_NOFOLLOW
_MOST_LINKS = 40


class LeadsOut(OSError):
    """A link points to something outside the root."""


@contextmanager
def resolved(root: int, paths: Callable[[], Iterable[str]], name: str) -> Iterator[tuple[int, str, os.stat_result]]:
    """Where `name` leads to beneath an open folder: an open folder, a name in it that is no link, and its stat.

    root: the folder's descriptor, which is closed. paths: the absolute paths that links may call it by. Raises OSError,
    LeadsOut among them.
    """
    ahead = deque(name.split("/"))
    links = 0
    inside = _Descent(root)
    try:
        last, found = ".", os.fstat(inside.here)
        while ahead:
            part = ahead.popleft()
            if part in ("", ".", ".."):
                inside.leave(part, name)
                last, found = ".", os.fstat(inside.here)
                continue
            last, found = part, os.stat(part, dir_fd=inside.here, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, "a link that goes round in a circle", name)
                target = os.readlink(part, dir_fd=inside.here)
                if target.startswith("/"):
                    target = _beneath(target, paths(), name)
                    inside.to_the_root()
                ahead.extendleft(reversed(target.split("/")))
            elif ahead:
                inside.enter(part)
        yield inside.here, last, found
    finally:
        inside.close()


class _Descent:
    """The folders from the root down to where a name has led so far, all open."""

    def __init__(self, root: int) -> None:
        self._open = [root]

    @property
    def here(self) -> int:
        return self._open[-1]

    def enter(self, part: str) -> None:
        self._open.append(os.open(part, _DIRECTORY, dir_fd=self.here))

    def leave(self, part: str, name: str) -> None:
        """Go up for `..`; stay for `.` and nothing. Raises LeadsOut above the root."""
        if part == "..":
            if len(self._open) == 1:
                raise LeadsOut(errno.EXDEV, "a link that leads out of the folder", name)
            os.close(self._open.pop())

    def to_the_root(self) -> None:
        while len(self._open) > 1:
            os.close(self._open.pop())

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)


def _beneath(target: str, paths: Iterable[str], name: str) -> str:
    for path in paths:
        if target == path or target.startswith(path.rstrip("/") + "/"):
            return target[len(path) :].lstrip("/") or "."
    raise LeadsOut(errno.EXDEV, "a link that leads out of the folder", name)
